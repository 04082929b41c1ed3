//! A model that was split into several files answers as the whole one does, and is kept file by file.

#![allow(clippy::unwrap_used, reason = "A test that cannot go on says so by panicking.")]

use engine::{Device, Engine, EngineError, LoadOptions, Origin, StopFlag, read_header};
use format::{Array, Gguf, Metadata, Value};
use llama::KvType;
use pollster::block_on;
use protocol::{GenerateOptions, LoadProgress};
use store::{MemoryFiles, MemoryStore};

const GOLDEN: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/golden/gguf/tiny-basic-quants.gguf");

fn name(no: usize) -> String {
    format!("tiny-{no:05}-of-00003.gguf")
}

/// The model in three files: the first with the metadata alone, as llama.cpp can have it.
fn split() -> MemoryFiles {
    let whole = std::fs::read(GOLDEN).unwrap();
    let gguf = Gguf::parse(&whole, whole.len() as u64).unwrap();
    let mut files = MemoryFiles::new().named_by(&name(1));
    for no in 0..3usize {
        let mut kvs = Vec::new();
        let mut count = 3u64;
        for (key, value) in
            [("split.no", no), ("split.count", 3), ("split.tensors.count", gguf.tensors.len())]
        {
            put_string(&mut kvs, key);
            kvs.extend([4u32.to_le_bytes(), (value as u32).to_le_bytes()].concat());
        }
        if no == 0 {
            count += gguf.metadata.iter().len() as u64;
            put_metadata(&mut kvs, &gguf.metadata);
        }
        let tensors = gguf.tensors.iter().enumerate().filter(|(index, _)| no > 0 && index % 2 == no - 1);
        let (mut table, mut data) = (Vec::new(), Vec::new());
        for (_, tensor) in tensors.clone() {
            put_string(&mut table, &tensor.name);
            table.extend(4u32.to_le_bytes());
            table.extend(tensor.ne.map(u64::to_le_bytes).as_flattened());
            table.extend(tensor.dtype.id().to_le_bytes());
            table.extend((data.len() as u64).to_le_bytes());
            data.extend(&whole[tensor.offset as usize..][..tensor.len as usize]);
            data.resize(data.len().next_multiple_of(32), 0);
        }
        let mut file = [b"GGUF".as_slice(), &3u32.to_le_bytes()].concat();
        file.extend([(tensors.count() as u64).to_le_bytes(), count.to_le_bytes()].concat());
        file.extend([kvs, table].concat());
        file.resize(file.len().next_multiple_of(32), 0);
        file.extend(data);
        files = files.with(&name(no + 1), file);
    }
    files
}

fn put_string(into: &mut Vec<u8>, text: &str) {
    into.extend((text.len() as u64).to_le_bytes());
    into.extend(text.as_bytes());
}

/// Only the types that the model has.
fn put_metadata(into: &mut Vec<u8>, metadata: &Metadata) {
    for (key, value) in metadata.iter() {
        put_string(into, key);
        match value {
            Value::U32(value) => into.extend([4u32.to_le_bytes(), value.to_le_bytes()].concat()),
            Value::F32(value) => into.extend([6u32.to_le_bytes(), value.to_le_bytes()].concat()),
            Value::Bool(value) => into.extend([7u32.to_le_bytes().as_slice(), &[u8::from(*value)]].concat()),
            Value::String(value) => {
                into.extend(8u32.to_le_bytes());
                put_string(into, value);
            }
            Value::Array(array) => {
                into.extend(9u32.to_le_bytes());
                match array {
                    Array::Strings(strings) => {
                        into.extend(8u32.to_le_bytes());
                        into.extend((strings.len() as u64).to_le_bytes());
                        strings.iter().for_each(|text| put_string(into, text));
                    }
                    Array::Numbers { element, bytes } => {
                        into.extend((*element as u32).to_le_bytes());
                        into.extend((array.len() as u64).to_le_bytes());
                        into.extend(bytes);
                    }
                }
            }
            other => panic!("{key}: {other:?}"),
        }
    }
}

fn load(files: &MemoryFiles, store: &MemoryStore) -> Result<(Engine, Vec<LoadProgress>), EngineError> {
    let options = LoadOptions {
        device: Device::Reference,
        context: Some(64),
        kv: KvType::F32,
        ..LoadOptions::default()
    };
    let mut reports = Vec::new();
    let report = &mut |progress| reports.push(progress);
    let engine = block_on(Engine::load(Origin { files, store }, options, report))?;
    Ok((engine, reports))
}

fn answer(engine: &mut Engine) -> Vec<u32> {
    let options = GenerateOptions { max_tokens: Some(8), ..GenerateOptions::default() };
    let prompt: Vec<u32> = (30..50).collect();
    block_on(engine.generate(&prompt, &options, &StopFlag::default(), &mut |_| {})).unwrap().ids
}

#[test]
fn a_split_model_is_the_whole_one() {
    let whole = MemoryFiles::single("tiny.gguf", std::fs::read(GOLDEN).unwrap());
    let (mut engine, _) = load(&whole, &MemoryStore::new()).unwrap();
    let expected = answer(&mut engine);

    // Whichever of the files was named.
    for named in 1..=3 {
        let (files, store) = (split().named_by(&name(named)), MemoryStore::new());
        let (mut engine, reports) = load(&files, &store).unwrap();
        assert_eq!(answer(&mut engine), expected, "file {named}");
        assert!(reports.is_sorted_by_key(|report| report.done_bytes), "{reports:?}");
        let (last, bytes) = (reports.last().unwrap(), engine.info().bytes);
        assert_eq!((last.done_bytes, last.total_bytes), (bytes, bytes));

        // The next visit asks no file for anything.
        let again = split();
        load(&again, &store).unwrap();
        for no in 1..=3 {
            assert_eq!(again.source(&name(no)).unwrap().calls(), 0, "file {no}");
        }
    }
}

#[test]
fn headers_are_enough_to_say_what_it_is() {
    let (files, store) = (split(), MemoryStore::new());
    let header = block_on(read_header(Origin { files: &files, store: &store })).unwrap();
    assert_eq!(header.files, [1, 2, 3].map(name));
    assert_eq!(header.checkpoint.tensors.len(), 30);
}

#[test]
fn what_is_missing_is_named() {
    let one = split();
    let bytes = |no| {
        let mut bytes = Vec::new();
        let source = one.source(&name(no)).unwrap();
        let size = block_on(store::Source::size(source, 0)).unwrap();
        block_on(store::Source::read(source, 0..size, &mut bytes, &mut |_| {})).unwrap();
        bytes
    };
    let two_of_three = MemoryFiles::single(&name(1), bytes(1)).with(&name(3), bytes(3));
    let message = load(&two_of_three, &MemoryStore::new()).unwrap_err().failure().message;
    assert_eq!(message, "There is no file tiny-00002-of-00003.gguf.");

    let renamed = MemoryFiles::single("renamed.gguf", bytes(1));
    let message = load(&renamed, &MemoryStore::new()).unwrap_err().failure().message;
    assert!(message.starts_with("This is one of 3 files of a split model"), "{message}");

    let folder = MemoryFiles::new();
    let message = load(&folder, &MemoryStore::new()).unwrap_err().failure().message;
    assert!(message.contains("is no model: expected a GGUF file"), "{message}");
}
