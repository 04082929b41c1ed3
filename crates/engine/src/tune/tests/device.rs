//! Trials on a device, and what they are remembered by.

use super::*;

fn outline(kv: KvType) -> Outline {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/golden/gguf/tiny-basic-quants.gguf");
    let bytes = std::fs::read(path).unwrap();
    let gguf = Gguf::parse(&bytes, bytes.len() as u64).unwrap();
    Outline::new(&Checkpoint::from_gguf(gguf).unwrap(), kv)
}

fn gpu(tier: TierChoice) -> Gpu {
    block_on(Gpu::request(tier)).unwrap()
}

#[test]
fn another_device_browser_model_or_shader_has_another_name() {
    let (gpu, outline_of) = (gpu(TierChoice::Plain), outline);
    let here = |platform, kv, sources| name(&gpu, platform, &outline_of(kv), sources);
    let names = [
        here("a", KvType::F16, 1),
        here("b", KvType::F16, 1),
        here("a", KvType::F32, 1),
        here("a", KvType::F16, 2),
    ];
    assert_eq!(names[0], here("a", KvType::F16, 1));
    for (at, name) in names.iter().enumerate() {
        assert!(!names[..at].contains(name), "{at}");
    }
}

/// Settles a device's kernels, as hardware unless it is not to be.
fn settle(aside: &MemoryAside, when: Tune, gpu: &Gpu, wish: Wish) -> Tuned {
    let platform = || "test".to_owned();
    let tuner = Tuner::new(aside, when, &platform, pause());
    block_on(tuner.settle(gpu, &outline(KvType::F16), wish))
}

#[test]
fn a_gpu_is_tuned_once_and_others_when_it_is_asked_for() {
    let software = gpu(TierChoice::Auto);
    let hardware = gpu(TierChoice::Subgroups).as_hardware();
    let before = kernels(software.tier());
    let aside = MemoryAside::default();
    for (when, gpu, wish) in [
        (Tune::Never, &hardware, Wish::Any),
        (Tune::Once, &hardware, Wish::Named),
        (Tune::Never, &software, Wish::Any),
        (Tune::Once, &software, Wish::Any),
    ] {
        assert_eq!(settle(&aside, when, gpu, wish), Tuned::default(), "{when:?}, {wish:?}");
    }
    assert_eq!(
        (aside.names().len(), kernels(software.tier()), kernels(hardware.tier())),
        (0, before, Subgroups)
    );

    let first = settle(&aside, Tune::Once, &hardware, Wish::Any);
    let report = first.report.clone().unwrap();
    let many = report.prefill.iter().flat_map(|prefill| &prefill.rows);
    let mut rows = report.rows.iter().chain(many);
    assert!(rows.all(|row| row.microseconds.is_some_and(|time| time > 0.0)), "{report:?}");
    assert_eq!(hardware.arithmetic(), arithmetic(report.prefill.as_ref().unwrap().chosen));
    assert_eq!((kernels(hardware.tier()), &first.excluded), (report.chosen, &Vec::new()));
    // The same but for what JSON rounds, so they were not tried again.
    let is_first = |tuned: &Tuned| {
        let rows = &tuned.report.as_ref().unwrap().rows;
        let pairs = rows.iter().zip(&report.rows);
        pairs.into_iter().all(|(a, b)| (a.microseconds.unwrap() - b.microseconds.unwrap()).abs() < 1e-6)
    };
    assert!(is_first(&settle(&aside, Tune::Once, &hardware, Wish::Any)));
    assert!(!is_first(&settle(&aside, Tune::Anew, &hardware, Wish::Any)));
    assert!(settle(&aside, Tune::Anew, &software, Wish::Any).report.is_some());
}

#[test]
fn kernels_that_were_asked_for_by_name_win() {
    for (tier, expected) in
        [(TierChoice::Plain, Plain), (TierChoice::Subgroups, Subgroups), (TierChoice::Int8, Int8)]
    {
        let gpu = gpu(tier).as_hardware();
        let tuned = settle(&MemoryAside::default(), Tune::Anew, &gpu, Wish::Named);
        assert!(tuned.report.is_some());
        assert_eq!(kernels(gpu.tier()), expected);
    }
}
