//! A run that ends at any point, and the one after it.

use convert::MemoryOutput;
use format::Quant;

use crate::models::{gguf, tiny_hub};
use crate::{converted, open, options, run};

/// Fails at every change of the folder there is, in the middle of writing, and goes on from what that leaves.
#[test]
fn interrupted_anywhere_it_ends_up_the_same() {
    let (model, options) = (tiny_hub(), options(Some(Quant::Q4), 100_000));
    let (whole, _) = converted(&model, &options);
    let (expected, calls) = (whole.files(), whole.calls());
    assert!(calls > 30, "{calls} changes");
    let mut kept = Vec::new();
    for call in 0..calls {
        let output = MemoryOutput::new();
        output.fail_from(Some(call));
        run(&model, &output, &options).unwrap_err();
        let is_model = output.files().contains_key("manifest.json");
        assert!(!is_model || call == calls - 1, "a model after {call} of {calls} changes");
        output.fail_from(None);
        kept.push(run(&model, &output, &options).unwrap().kept_shards);
        assert!(output.files() == expected, "other files after {call} changes");
    }
    let shards = open(&whole).1.weights().count();
    assert!(kept.is_sorted(), "the later it ended, the more is kept: {kept:?}");
    assert_eq!((kept.first(), kept.last()), (Some(&0), Some(&shards)));
}

/// A shard that was cut or changed after it was written is made again, whatever the journal says.
#[test]
fn only_what_is_whole_is_kept() {
    let (model, options) = (tiny_hub(), options(None, 300_000));
    let (whole, report) = converted(&model, &options);
    let damaged = whole.files().into_keys().find(|name| name.ends_with("2-of-00007.safetensors"));
    let damaged = damaged.unwrap();
    for change in [
        |bytes: &mut Vec<u8>| bytes[100_000] ^= 1,
        |bytes: &mut Vec<u8>| bytes.truncate(100),
        |bytes: &mut Vec<u8>| bytes.clear(),
    ] {
        let mut bytes = whole.files()[&damaged].clone();
        change(&mut bytes);
        let output =
            whole.files().iter().fold(MemoryOutput::new(), |output, (name, bytes)| output.with(name, bytes));
        let output = output.with(&damaged, &bytes);
        assert_eq!(run(&model, &output, &options).unwrap().kept_shards, report.shards - 1);
        assert!(output.files() == whole.files());
    }
}

/// What another source or other choices have left is not mixed in, though the shapes are the same.
#[test]
fn another_conversion_begins_anew() {
    let (model, first) = (tiny_hub(), options(None, 300_000));
    let mut tuned = tiny_hub();
    // One bit of one weight of the last tensor: in the stretch that tells sources apart.
    let span = tuned.checkpoint.tensors.last().unwrap().stored.spans()[0];
    tuned.source.0[span.file][(span.offset + span.len / 2) as usize + 7] ^= 1;
    let other = gguf("tiny-basic-quants");
    for (model, options) in
        [(&tuned, first.clone()), (&model, options(Some(Quant::Q8), 300_000)), (&other, first.clone())]
    {
        let (expected, _) = converted(model, &options);
        for interrupted in [Some(12), None] {
            let output = MemoryOutput::new();
            output.fail_from(interrupted);
            let _ = run(&tiny_hub(), &output, &first);
            output.fail_from(None);
            assert_eq!(run(model, &output, &options).unwrap().kept_shards, 0);
            let manifest = |output: &MemoryOutput| output.files()["manifest.json"].clone();
            assert!(manifest(&output) == manifest(&expected));
            let shards = |output: &MemoryOutput| {
                output.files().into_iter().filter(|(name, _)| name.starts_with("model-")).collect::<Vec<_>>()
            };
            assert!(shards(&output) == shards(&expected), "shards of the old folder are left");
        }
    }
}
