//! A folder of our own, through the store: by the manifest's hashes, kept, and refused when it is damaged.

#![allow(clippy::unwrap_used, reason = "A test that cannot go on says so by panicking.")]

use engine::{Container, Device, Engine, EngineError, LoadOptions, Origin, is_kept, read_header};
use format::{
    Checkpoint, FormatError, GgmlType, LaidPart, Manifest, ManifestFile, ManifestTensor, RowReader,
    dequantize,
};
use gpu::TierChoice;
use llama::KvType;
use pollster::block_on;
use protocol::FailureKind;
use store::{Hash, MemoryFiles, MemoryStore, NoStore, Store};

const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/golden/tiny-llama-3.1");
const WEIGHTS: &str = "model-00001-of-00001.safetensors";

fn read(name: &str) -> Vec<u8> {
    std::fs::read(format!("{FOLDER}/{name}")).unwrap()
}

fn hub() -> MemoryFiles {
    let names = [
        "config.json",
        "model.safetensors.index.json",
        "model-00001-of-00002.safetensors",
        "model-00002-of-00002.safetensors",
    ];
    names.iter().fold(MemoryFiles::new(), |files, name| files.with(name, read(name)))
}

/// The folder's weights as ours: bfloat16 lies in the layout as it does in rows, and vectors are f32.
fn weights(checkpoint: &Checkpoint, files: &[String]) -> (Vec<u8>, Vec<ManifestTensor>) {
    let sources: Vec<Vec<u8>> = files.iter().map(|name| read(name)).collect();
    let (mut file, mut tensors) = (Vec::new(), Vec::new());
    for tensor in &checkpoint.tensors {
        let at = file.len() as u64;
        let mut reader = RowReader::of_tensor(tensor);
        while let Some(span) = reader.wants() {
            let bytes = &sources[span.file][span.offset as usize..][..span.len as usize];
            let push = reader.push::<FormatError>(span.file, span.offset, bytes, &mut |rows| {
                let mut values = Vec::new();
                dequantize(GgmlType::BF16, rows.bytes, &mut values)?;
                match tensor.rows {
                    1 => file.extend(values.iter().flat_map(|value| value.to_le_bytes())),
                    _ => file.extend_from_slice(rows.bytes),
                }
                Ok(())
            });
            push.unwrap();
        }
        let part = |first: usize, rows: usize| {
            let words = at + (first * tensor.columns * 2) as u64;
            LaidPart { file: 2, rows, scales: None, words }
        };
        let (dtype, parts) = match tensor.rows {
            1 => ("F32", vec![part(0, 1)]),
            rows => ("BF16", vec![part(0, 8), part(8, rows - 8)]),
        };
        let shape = [tensor.rows, tensor.columns];
        tensors.push(ManifestTensor { name: tensor.name.to_string(), dtype: dtype.into(), shape, parts });
    }
    (file, tensors)
}

fn ours() -> MemoryFiles {
    let header = block_on(read_header(Origin { files: &hub(), store: &NoStore })).unwrap();
    let (bytes, tensors) = weights(&header.checkpoint, &header.files);
    let contents = [("NOTICE", b"a notice".to_vec()), ("config.json", read("config.json")), (WEIGHTS, bytes)];
    let hash = |bytes: &[u8]| Hash::of(bytes).0;
    let files = contents.iter().map(|(name, bytes)| ManifestFile::of(name, bytes, hash)).collect();
    let (name, source) = (Some("tiny".to_owned()), String::new());
    let manifest = Manifest { name, licence: None, built_with_llama: true, source, files, tensors };
    let files = MemoryFiles::new().with("manifest.json", manifest.to_bytes(hash));
    contents.into_iter().fold(files, |files, (name, bytes)| files.with(name, bytes))
}

fn load<T: Store>(files: &MemoryFiles, store: &T, device: Device) -> Result<Engine, EngineError> {
    let options = LoadOptions { device, context: Some(64), kv: KvType::F32, ..LoadOptions::default() };
    block_on(Engine::load(Origin { files, store }, options, &mut |_| {}))
}

#[test]
fn logits_equal_those_of_the_source() {
    for device in [Device::Reference, Device::Gpu(TierChoice::Plain), Device::Gpu(TierChoice::Subgroups)] {
        let [expected, got] = [hub(), ours()].map(|files| {
            let mut engine = load(&files, &NoStore, device).unwrap();
            block_on(engine.logits(&[5, 900, 17])).unwrap()
        });
        assert_eq!(got, expected, "{device:?}");
    }
}

#[test]
fn the_second_visit_asks_for_nothing() {
    let (files, store) = (ours(), MemoryStore::new());
    let header = block_on(read_header(Origin { files: &files, store: &store })).unwrap();
    assert_eq!(
        (header.container, header.files.as_slice()),
        (Container::Pronk, [WEIGHTS.to_owned()].as_slice())
    );
    load(&files, &store, Device::Reference).unwrap();
    assert!(block_on(is_kept(Origin { files: &files, store: &store })));
    let again = ours();
    load(&again, &store, Device::Reference).unwrap();
    for name in ["manifest.json", "config.json", WEIGHTS] {
        assert_eq!(again.source(name).unwrap().calls(), 0, "{name}");
    }
    // What the manifest names was asked for, and nothing that other kinds of folders might have.
    assert!(files.source("NOTICE").unwrap().calls() == 0);
}

#[test]
fn a_changed_byte_is_refused() {
    for (name, at) in [("config.json", 30), (WEIGHTS, 100_000), ("manifest.json", 400)] {
        let files = ours();
        let source = files.source(name).unwrap();
        let mut bytes = Vec::new();
        let size = block_on(store::Source::size(source, 0)).unwrap();
        block_on(store::Source::read(source, 0..size, &mut bytes, &mut |_| {})).unwrap();
        bytes[at] ^= 1;
        let files = files.with(name, bytes);
        let store = MemoryStore::new();
        let failure = load(&files, &store, Device::Reference).unwrap_err().failure();
        assert_eq!(failure.kind, FailureKind::ModelFile, "{name}: {}", failure.message);
        assert!(!block_on(is_kept(Origin { files: &files, store: &store })), "{name}");
    }
    let files = MemoryFiles::new().with("manifest.json", b"{\"format\": \"pronk model\"".to_vec());
    assert!(load(&files, &NoStore, Device::Reference).is_err());
}

/// Web apps have a file of that name, too.
#[test]
fn a_manifest_of_something_else_is_passed_over() {
    let files = hub().with("manifest.json", b"{\"name\": \"an app\", \"icons\": []}".to_vec());
    let header = block_on(read_header(Origin { files: &files, store: &NoStore })).unwrap();
    assert_eq!(header.container, Container::Hub);
}
