//! Kernels are tried on a layer like the demo model's, and those that were chosen answer.

#![allow(clippy::unwrap_used, reason = "A test that cannot go on says so by panicking.")]

use std::rc::Rc;
use std::time::Duration;

use engine::{Device, Engine, LoadOptions, Origin, Pause, StopFlag, Tune, Tuner};
use gpu::TierChoice;
use pollster::block_on;
use protocol::{Kernels, TuningReport, Verdict};
use store::{MemoryAside, MemoryFiles, NoStore};

fn load(aside: &MemoryAside, device: Device, when: Tune) -> Engine {
    let demo = std::fs::read(std::env::var_os("PRONK_DEMO_MODEL").unwrap()).unwrap();
    let files = MemoryFiles::single("demo.gguf", demo);
    let origin = Origin { files: &files, store: &NoStore };
    let options = LoadOptions { device, context: Some(64), ..LoadOptions::default() };
    let pause: Pause = Rc::new(|| Box::pin(async { std::thread::sleep(Duration::from_millis(1)) }));
    let tuner = Tuner::new(aside, when, &|| "test".to_owned(), pause);
    block_on(Engine::load_tuned(origin, options, &tuner, &mut |_| {})).unwrap()
}

#[track_caller]
fn check(report: &TuningReport) {
    eprintln!("{report:?}");
    let many = report.prefill.iter().flat_map(|prefill| &prefill.rows);
    for row in report.rows.iter().chain(many) {
        assert!(matches!(row.verdict, Verdict::Reference | Verdict::Right { .. }), "{report:?}");
        assert!(row.microseconds.is_some_and(|time| time > 0.0), "{report:?}");
    }
    assert_eq!(report.rows.len(), 3);
    assert_eq!(report.prefill.as_ref().map(|prefill| prefill.rows.len()), Some(3));
}

#[test]
fn the_chosen_kernels_run_and_are_right() {
    let aside = MemoryAside::default();
    let mut engine = load(&aside, Device::Gpu(TierChoice::Auto), Tune::Anew);
    let report = engine.tuning().unwrap().clone();
    check(&report);
    assert_eq!((engine.device().kernels, engine.device().excluded.len()), (report.chosen, 0));
    assert_eq!(aside.names().len(), 1);
    let benchmark = block_on(engine.benchmark(&StopFlag::default(), &mut |_| {})).unwrap().unwrap();
    assert!(benchmark.accuracy.passed, "{benchmark:?}");
    assert_eq!(benchmark.tuning, Some(report));
}

#[test]
fn kernels_that_were_asked_for_by_name_win() {
    let engine = load(&MemoryAside::default(), Device::Gpu(TierChoice::Plain), Tune::Anew);
    check(engine.tuning().unwrap());
    assert_eq!(engine.device().kernels, Kernels::Plain);
}

#[test]
fn software_is_not_tried_unless_asked_nor_is_the_processor() {
    for (device, when) in [(Device::Gpu(TierChoice::Auto), Tune::Once), (Device::Cpu, Tune::Anew)] {
        let aside = MemoryAside::default();
        let mut engine = load(&aside, device, when);
        assert_eq!((engine.tuning(), aside.names().len()), (None, 0), "{device:?}");
        if device == Device::Cpu {
            let pause: Pause = Rc::new(|| Box::pin(std::future::pending()));
            let tuner = Tuner::new(&aside, Tune::Anew, &String::new, pause);
            block_on(engine.try_kernels(&tuner, &StopFlag::default()));
            assert_eq!(engine.tuning(), None);
        }
    }
}
