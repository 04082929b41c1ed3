//! Models in several files.

use format::{Checkpoint, FormatError, Gguf, Span};

use crate::writer::*;

/// The tiny model in three files: the first with the metadata alone, as llama.cpp's `--no-tensor-first-split` has it.
fn parts() -> [File; 3] {
    let whole = File::tiny();
    let mut parts = [0u8, 1, 2].map(|no| {
        let mut part = File { metadata: Vec::new(), tensors: Vec::new(), ..File::tiny() };
        part.set("split.no", Value(2, vec![no, 0]));
        part.set("split.count", Value(2, vec![3, 0]));
        part.set("split.tensors.count", Value(I32, 12i32.to_le_bytes().into()));
        part
    });
    parts[0].metadata.extend(whole.metadata);
    for (index, tensor) in whole.tensors.iter().enumerate() {
        let name = str::from_utf8(&tensor.name).unwrap();
        parts[1 + index % 2].push(name, &tensor.ne, tensor.dtype, tensor.len);
    }
    parts
}

fn gguf(part: &File) -> Gguf {
    let bytes = part.bytes();
    Gguf::parse(&bytes, bytes.len() as u64).unwrap()
}

fn read(parts: &[File]) -> Result<Checkpoint, FormatError> {
    Checkpoint::from_gguf_parts(parts.iter().map(gguf).collect())
}

#[test]
fn tensors_lie_in_the_file_that_lists_them() {
    let parts = parts();
    let checkpoint = read(&parts).unwrap();
    let sizes: Vec<u64> = parts.iter().map(|part| part.bytes().len() as u64).collect();
    assert_eq!((checkpoint.file_sizes.as_slice(), checkpoint.size()), (sizes.as_slice(), sizes.iter().sum()));
    let spans = checkpoint.tensors.iter().map(|tensor| tensor.stored.spans()[0]);
    let mut listed: Vec<Span> = Vec::new();
    for (file, part) in parts.iter().enumerate() {
        let gguf = gguf(part);
        listed.extend(gguf.tensors.iter().map(|tensor| Span {
            file,
            offset: tensor.offset,
            len: tensor.len,
        }));
    }
    listed.sort();
    assert_eq!((spans.collect::<Vec<_>>(), listed.len()), (listed, 12));
    assert_eq!(checkpoint.config, read(&[File::tiny()]).unwrap().config);
}

#[test]
fn parts_that_do_not_make_a_model() {
    type Damage = fn(&mut Vec<File>);
    let rows: [(&str, Damage); 7] = [
        ("split.no of file 1: expected 0, found 1", |parts| parts.swap(0, 1)),
        ("split.count of file 1: expected 2, found 3", |parts| drop(parts.pop())),
        ("split.no of file 3: expected 2, found 1", |parts| {
            parts[2].set("split.no", Value(2, vec![1, 0]));
        }),
        ("split.count is missing", |parts| parts[1].remove("split.count")),
        ("output_norm.weight: expected in one of the files only, found in two", |parts| {
            parts[1].push("output_norm.weight", &[32], F32, 128);
            parts[0].set("split.tensors.count", Value(I32, 13i32.to_le_bytes().into()));
        }),
        ("split.tensors.count: expected 11, as many as the files have, found 12", |parts| {
            parts[1].remove_tensor("blk.0.ffn_norm.weight");
        }),
        ("general.architecture is missing", |parts| parts[0].remove("general.architecture")),
    ];
    for (expected, damage) in rows {
        let mut parts: Vec<File> = parts().into();
        damage(&mut parts);
        let error = read(&parts).unwrap_err().to_string();
        assert!(error.contains(expected), "\n     got: {error}\nexpected: {expected}");
    }
}
