//! The benchmark on a tiny model: what it reports of each device, and that it can be stopped.

#![allow(clippy::unwrap_used, reason = "A test that cannot go on says so by panicking.")]

use engine::{Device, Engine, LoadOptions, Origin, StopFlag};
use gpu::TierChoice;
use pollster::block_on;
use protocol::{
    AccuracyReference, BenchmarkProgress, BenchmarkReport, BenchmarkStage, GenerateOptions, LeftOut,
    LeftOutReason,
};
use store::{MemoryFiles, NoStore};

const GOLDEN: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/golden/gguf/tiny-basic-quants");

const PLAIN: Device = Device::Gpu(TierChoice::Plain);
const SUBGROUPS: Device = Device::Gpu(TierChoice::Subgroups);

/// With room for two of the three prompts.
const CONTEXT: usize = 600;

fn load(device: Device) -> Engine {
    let files = MemoryFiles::single("tiny.gguf", std::fs::read(format!("{GOLDEN}.gguf")).unwrap());
    let origin = Origin { files: &files, store: &NoStore };
    let options = LoadOptions { device, context: Some(CONTEXT), ..LoadOptions::default() };
    block_on(Engine::load(origin, options, &mut |_| {})).unwrap()
}

fn answer(engine: &mut Engine) -> Vec<u32> {
    let options = GenerateOptions { max_tokens: Some(8), ..GenerateOptions::default() };
    block_on(engine.generate(&[31, 38, 45], &options, &StopFlag::default(), &mut |_| {})).unwrap().ids
}

/// The report, if there is one, and the stages that were begun; it is told to stop when so many have been.
fn benchmark(engine: &mut Engine, stop_after: usize) -> (Option<BenchmarkReport>, Vec<BenchmarkStage>) {
    let (stop, mut stages) = (StopFlag::default(), Vec::new());
    let on_progress = &mut |progress: BenchmarkProgress| {
        assert_eq!(progress.done as usize, stages.len());
        assert!(progress.done < progress.total, "{progress:?}");
        stages.push(progress.stage);
        if stages.len() == stop_after {
            stop.stop();
        }
    };
    let report = block_on(engine.benchmark(&stop, on_progress)).unwrap();
    (report, stages)
}

const SPEEDS: [BenchmarkStage; 2] =
    [BenchmarkStage::Speed { prompt_tokens: 16 }, BenchmarkStage::Speed { prompt_tokens: 512 }];

#[test]
fn every_device_is_measured() {
    for (device, before) in [
        (SUBGROUPS, vec![BenchmarkStage::Accuracy, BenchmarkStage::Bandwidth]),
        (PLAIN, vec![BenchmarkStage::Accuracy, BenchmarkStage::Bandwidth]),
        (Device::Cpu, vec![BenchmarkStage::Accuracy]),
    ] {
        let mut engine = load(device);
        let expected = answer(&mut engine);
        let (report, stages) = benchmark(&mut engine, usize::MAX);
        let report = report.unwrap();
        assert_eq!(stages, [&before, &SPEEDS[..]].concat(), "{device:?}");
        check(&report, device);
        assert_eq!((&report.model, &report.device), (engine.info(), engine.device()));
        assert_eq!(answer(&mut engine), expected, "{device:?}: after the benchmark");
    }
}

#[track_caller]
fn check(report: &BenchmarkReport, device: Device) {
    let on_gpu = device != Device::Cpu;
    let accuracy = &report.accuracy;
    assert!(accuracy.passed, "{device:?}: {accuracy:?}");
    assert_eq!((accuracy.against, accuracy.greedy), (AccuracyReference::Itself, None));
    let prompts: Vec<u32> = report.speeds.iter().map(|speed| speed.prompt_tokens).collect();
    assert_eq!(prompts, [16, 512], "{device:?}");
    let too_long = LeftOut { prompt_tokens: 2048, reason: LeftOutReason::Context };
    assert_eq!(report.left_out, [too_long], "{device:?}");
    assert_eq!(report.read_bytes_per_second.is_some_and(|rate| rate > 1e6), on_gpu, "{report:?}");
    for speed in &report.speeds {
        assert!(speed.prefill_tokens_per_second > 0.0 && speed.decode_tokens_per_second > 0.0, "{speed:?}");
        let fraction = speed.bandwidth_fraction;
        assert_eq!(fraction.is_some_and(|part| part > 0.0 && part < 1.0), on_gpu, "{speed:?}");
    }
    // Keys and values are read with the weights, and the more of them the more tokens there are.
    let kv = report.model.kv_bytes_per_token;
    let read = report.weight_bytes_per_token.map(|weights| [weights + 16 * kv, weights + 512 * kv]);
    assert_eq!(read.is_some(), on_gpu, "{report:?}");
    let read = read.map_or([None; 2], |read| read.map(Some));
    assert_eq!([0, 1].map(|at: usize| report.speeds[at].bytes_per_token), read);
    let sizes = report.adapter.as_ref().map(|adapter| adapter.subgroup_sizes.is_some());
    assert_eq!(sizes, on_gpu.then_some(device == SUBGROUPS));
}

#[test]
fn it_ends_with_the_stage_in_hand() {
    for device in [PLAIN, Device::Cpu] {
        let mut engine = load(device);
        let expected = answer(&mut engine);
        for stop_after in 1..=3 {
            let (report, stages) = benchmark(&mut engine, stop_after);
            assert_eq!((report, stages.len()), (None, stop_after), "{device:?}");
            assert_eq!(answer(&mut engine), expected, "{device:?}, stopped after {stop_after}");
        }
    }
}
