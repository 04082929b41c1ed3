//! One model in every plain container gives the same rows: golden/tiny-llama-3.1 as it is, as one file of safetensors in
//! three types, as Meta's `.pth` in one part and in two, and as GGUF.
#![expect(clippy::unwrap_used, reason = "this is a test")]

mod containers;
#[expect(dead_code, reason = "this test needs a sound file only")]
#[path = "../files/writer.rs"]
mod gguf_writer;
#[expect(dead_code, reason = "this test needs sound files only")]
#[path = "../pth/writer.rs"]
mod pth_writer;
#[path = "../tiny_llama/mod.rs"]
mod tiny_llama;
#[path = "../tiny_llama/weights.rs"]
mod weights;

use containers::{gguf_file, params, pth_file};
use format::{Checkpoint, Gguf, MetaFiles, Pth, PthReader, SafetensorsHeader, TensorName, TokenizerFile};
use half::{bf16, f16};
use serde_json::{Value, json};
use weights::{Weights, weights};

/// The golden itself: the checkpoint, its files and its rows.
fn original() -> (Checkpoint, Vec<Vec<u8>>, Weights) {
    let (checkpoint, files) = tiny_llama::open();
    let weights = weights(&checkpoint, &files);
    (checkpoint, files, weights)
}

#[track_caller]
fn check(what: &str, checkpoint: &Checkpoint, files: &[Vec<u8>], expected: &Weights) {
    let got = weights(checkpoint, files);
    for (name, expected) in expected {
        assert_eq!(got[name].len(), expected.len(), "{what}: {name}");
        let differs = got[name].iter().zip(expected).position(|(got, expected)| got != expected);
        assert_eq!(differs, None, "{what}: {name}");
    }
    let more: Vec<&TensorName> = got.keys().filter(|name| !expected.contains_key(name)).collect();
    assert!(more.iter().all(|name| **name == TensorName::RopeFreqs), "{what}: {more:?}");
}

/// Two shards of bfloat16 as one, in three types.
#[test]
fn one_safetensors_file() {
    let (original, files, expected) = original();
    type Write = fn(f32) -> Vec<u8>;
    let types: [(&str, Write); 3] = [
        ("BF16", |value| bf16::from_f32(value).to_le_bytes().into()),
        ("F32", |value| value.to_le_bytes().into()),
        // Compared as halves: very small weights lose bits.
        ("F16", |value| f16::from_f32(value).to_le_bytes().into()),
    ];
    for (dtype, write) in types {
        let (mut header, mut data) = (serde_json::Map::new(), Vec::new());
        for bytes in &files {
            for tensor in SafetensorsHeader::parse(bytes, bytes.len() as u64).unwrap().tensors {
                let begin = data.len();
                let stored = &bytes[tensor.offset as usize..][..tensor.len as usize];
                for le in stored.as_chunks().0 {
                    data.extend(write(bf16::from_le_bytes(*le).to_f32()));
                }
                let entry =
                    json!({"dtype": dtype, "shape": tensor.shape, "data_offsets": [begin, data.len()]});
                header.insert(tensor.name, entry);
            }
        }
        let header = Value::from(header).to_string().into_bytes();
        let file = [(header.len() as u64).to_le_bytes().as_slice(), &header, &data].concat();
        let expected: Weights = match dtype {
            "F16" => expected
                .iter()
                .map(|(name, values)| (*name, values.iter().map(|v| f16::from_f32(*v).to_f32()).collect()))
                .collect(),
            _ => expected.clone(),
        };
        let files = [file];
        let checkpoint = tiny_llama::with_weights(None, &files);
        assert_eq!(checkpoint.config, original.config);
        check(dtype, &checkpoint, &files, &expected);
    }
}

fn pth(file: &[u8]) -> Pth {
    let mut reader = PthReader::new(file.len() as u64);
    while let Some(range) = reader.wants() {
        reader.put(&file[range.start as usize..range.end as usize]).unwrap();
    }
    reader.finish().unwrap()
}

#[test]
fn meta_in_one_part_and_in_two() {
    let (original, _, expected) = original();
    for parts in [1, 2] {
        let files: Vec<Vec<u8>> =
            (0..parts).map(|part| pth_file(&original.config, &expected, part, parts)).collect();
        let checkpoint = Checkpoint::from_meta(MetaFiles {
            params: params().to_string().into_bytes(),
            parts: files.iter().map(|file| pth(file)).collect(),
            tokenizer: TokenizerFile::Absent,
            name: None,
        })
        .unwrap();
        assert_eq!(checkpoint.config, original.config);
        check(&format!("{parts} parts"), &checkpoint, &files, &expected);
    }
}

#[test]
fn gguf() {
    let (original, _, expected) = original();
    let files = [gguf_file(&original.config, &expected)];
    let header = Gguf::parse(&files[0], files[0].len() as u64).unwrap();
    let checkpoint = Checkpoint::from_gguf(header).unwrap();
    // GGUF has the scaling as a tensor, which this file lacks.
    assert_eq!(
        format::Config { rope_scaling: original.config.rope_scaling, ..checkpoint.config },
        original.config
    );
    check("GGUF", &checkpoint, &files, &expected);
}
