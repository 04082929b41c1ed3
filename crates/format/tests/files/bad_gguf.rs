//! Damage to the file's structure. The list follows llama.cpp's `test-gguf`, and the bugs that GGUF readers have had.

use format::Gguf;

use crate::writer::*;
use crate::{Damage, check, check_bytes};

#[test]
fn header() {
    let too_many = "GGUF tensor table: n_tensors entries ends at byte 20";
    check(&[
        ("This is not a GGUF file: it starts with \"<!DO\", expected \"GGUF\".", |file| {
            file.magic = *b"<!DO"
        }),
        ("GGUF header: version: expected 2 or 3, found 0.", |file| file.version = 0),
        ("version: expected 2 or 3, found 1, which was given up in 2023; convert the model again.", |file| {
            file.version = 1
        }),
        ("GGUF header: version: expected 2 or 3, found 4.", |file| file.version = 4),
        (
            "version: expected 2 or 3, found 3, big-endian; convert the model for little-endian machines.",
            |file| file.version = 3 << 24,
        ),
        ("GGUF header: n_tensors: expected at most 65536, found 18446744073709551615.", |file| {
            file.n_tensors = Some(u64::MAX)
        }),
        ("GGUF header: n_kv: expected at most 4096, found 18446744073709551615.", |file| {
            file.n_kv = Some(u64::MAX)
        }),
        (too_many, |file| file.n_tensors = Some(65_536)),
        // The first tensor is read as a key, and what follows it as the next one's name.
        ("GGUF tensor table: name of tensor 0 ends at byte", |file| file.n_kv = Some(17)),
        ("GGUF tensor table: general.architecture: expected 1 to 4 dimensions, found 8.", |file| {
            file.n_kv = Some(0)
        }),
    ]);
    check_bytes("GGUF header: magic ends at byte 4, but the file has only 0 bytes.", b"");
    check_bytes("GGUF header: version ends at byte 8, but the file has only 4 bytes.", b"GGUF");
}

#[test]
fn metadata() {
    check(&[
        ("GGUF metadata: key 0: expected a key, found an empty string.", |file| file.metadata[0].0.clear()),
        ("GGUF metadata: key 0: expected a string of at most 65536 bytes, found 65537 bytes.", |file| {
            file.metadata[0].0 = vec![b'k'; 65_537]
        }),
        ("GGUF metadata: key 16: expected a new key, found \"general.name\" again.", |file| {
            file.metadata.push((b"general.name".into(), u32(1)))
        }),
        ("GGUF metadata: key 0: expected UTF-8, found byte 0xff after 1 bytes.", |file| {
            file.metadata[0].0 = b"k\xff".into()
        }),
        ("GGUF metadata: general.name: expected UTF-8, found byte 0xc3 after 2 bytes.", |file| {
            file.set("general.name", Value(STRING, b"\x03\0\0\0\0\0\0\0ab\xc3".into()))
        }),
        ("GGUF metadata: \"\\u{202e}\": expected a value type from 0 to 12, found 13.", |file| {
            file.set("\u{202e}", Value(13, vec![0; 64]))
        }),
        ("GGUF metadata: x: expected a value type from 0 to 12, found 4294967295.", |file| {
            file.set("x", Value(u32::MAX, vec![]))
        }),
        ("GGUF metadata: x: expected a bool, 0 or 1, found 2.", |file| file.set("x", Value(7, vec![2]))),
        // Strings: longer than allowed, longer than the file, wrapping round.
        ("GGUF metadata: x: expected a string of at most 16777216 bytes, found 16777217 bytes.", |file| {
            file.set("x", string(&"y".repeat((16 << 20) + 1)))
        }),
        ("GGUF metadata: x ends at byte 1", |file| {
            file.set("x", Value(STRING, (10_000_000u64).to_le_bytes().into()))
        }),
        ("GGUF metadata: x ends at byte 18446744073709551615, but", |file| {
            file.set("x", Value(STRING, u64::MAX.to_le_bytes().into()))
        }),
        // Arrays: of arrays, of nothing known, too many, more than the file has, strings that run out.
        ("GGUF metadata: x: expected an array of values, found an array of arrays.", |file| {
            file.set("x", array(ARRAY, 1, &[4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]))
        }),
        ("GGUF metadata: x: expected a value type from 0 to 12, found 99.", |file| {
            file.set("x", array(99, 0, &[]))
        }),
        ("GGUF metadata: x: expected at most 1048576 elements, found 18446744073709551615.", |file| {
            file.set("x", array(I32, u64::MAX, &[]))
        }),
        ("GGUF metadata: x ends at byte 4", |file| file.set("x", array(I32, 1 << 20, &[]))),
        ("GGUF metadata: x ends at byte 8", |file| file.set("x", array(STRING, 1 << 20, &[]))),
        ("GGUF metadata: x ends at byte", |file| {
            file.set("x", array(STRING, 2, &[1, 0, 0, 0, 0, 0, 0, 0, b'y', 255, 255, 255, 255, 0, 0, 0, 0]))
        }),
    ]);
}

#[test]
fn alignment() {
    let rows: [(&str, Value); 6] = [
        ("found 0 as u32", u32(0)),
        ("found 33 as u32", u32(33)),
        ("found 4294967295 as u32", u32(u32::MAX)),
        ("found 32 as u64", u64(32)),
        ("found \"32\"", string("32")),
        ("found an array of 1 i32", array(I32, 1, &[32, 0, 0, 0])),
    ];
    for (found, value) in rows {
        let mut file = File::tiny();
        file.set("general.alignment", value);
        let expected = format!("GGUF metadata: general.alignment: expected a power of two as u32, {found}.");
        check_bytes(&expected, &file.bytes());
    }
    check(&[
        (
            "GGUF tensor table: blk.0.attn_q.weight: expected an offset that is a multiple of 32, found 385.",
            |file| file.tensor("blk.0.attn_q.weight").offset += 1,
        ),
        // The tensors were laid out for 32.
        (
            "GGUF tensor table: output_norm.weight: expected an offset that is a multiple of 1024, found 96.",
            |file| {
                file.set("general.alignment", u32(1024));
            },
        ),
        // The data would begin past the end of the file.
        ("tensor data: token_embd.weight ends at byte 2147483738, but", |file| {
            file.set("general.alignment", u32(1 << 31));
            file.tensors.truncate(1);
        }),
    ]);
}

#[test]
fn tensor_table() {
    check(&[
        ("name of tensor 12: expected a string of at most 63 bytes, found 64 bytes.", |file| {
            file.push(&"n".repeat(64), &[1], F32, 4)
        }),
        ("GGUF tensor table: name of tensor 0 ends at byte 18446744073709551615, but", |file| {
            // Eight bytes more in the last value are read as the length of the first name.
            file.metadata.last_mut().unwrap().1.1.extend([255; 8]);
        }),
        ("name of tensor 12: expected a new name, found \"blk.0.attn_q.weight\" again.", |file| {
            file.push("blk.0.attn_q.weight", &[32, 32], Q4_0, 576)
        }),
        ("name of tensor 12: expected UTF-8, found byte 0xfe after 0 bytes.", |file| {
            file.push("?", &[1], F32, 4);
            file.tensor("?").name = b"\xfe".into();
        }),
        ("token_embd.weight: expected 1 to 4 dimensions, found 0.", |file| {
            file.tensor("token_embd.weight").n_dims = Some(0)
        }),
        ("token_embd.weight: expected 1 to 4 dimensions, found 5.", |file| {
            file.tensor("token_embd.weight").ne = vec![1; 5]
        }),
        ("token_embd.weight: expected 1 to 4 dimensions, found 4294967295.", |file| {
            file.tensor("token_embd.weight").n_dims = Some(u32::MAX)
        }),
        ("token_embd.weight: expected dimensions above zero, found [32, 0, 1, 1].", |file| {
            file.tensor("token_embd.weight").ne = vec![32, 0]
        }),
        (
            "token_embd.weight: expected rows of whole Q4_0 blocks, 32 weights each, found rows of 33.",
            |file| file.tensor("token_embd.weight").ne = vec![33, 5],
        ),
        // The number of weights overflows; then only the number of bytes does.
        (
            "token_embd.weight: expected fewer than 2^64 bytes, found shape [4294967296, 4294967296, 1, 1].",
            |file| file.tensor("token_embd.weight").ne = vec![1 << 32, 1 << 32],
        ),
        (
            "rope_freqs.weight: expected fewer than 2^64 bytes, found shape [4611686018427387904, 1, 1, 1].",
            |file| file.tensor("rope_freqs.weight").ne = vec![1 << 62],
        ),
        ("tensor data: token_embd.weight ends at byte 2594073385365", |file| {
            file.tensor("token_embd.weight").ne = vec![1 << 62]
        }),
        ("tensor data: rope_freqs.weight ends at byte 18446744073709551615, but", |file| {
            file.tensor("rope_freqs.weight").ne = vec![(1 << 62) - 1]
        }),
        ("token_embd.weight: expected a tensor type that ggml has, found type 4.", |file| {
            file.tensor("token_embd.weight").dtype = 4
        }),
        ("token_embd.weight: expected a tensor type that ggml has, found type 43.", |file| {
            file.tensor("token_embd.weight").dtype = 43
        }),
        ("token_embd.weight: expected a tensor type that ggml has, found type 4294967295.", |file| {
            file.tensor("token_embd.weight").dtype = u32::MAX
        }),
        ("tensor data: blk.0.ffn_up.weight ends at byte 18446744073709551615, but", |file| {
            file.tensor("blk.0.ffn_up.weight").offset = u64::MAX - 31
        }),
        ("tensor data: blk.0.ffn_up.weight ends at byte 10737", |file| {
            file.tensor("blk.0.ffn_up.weight").offset = 1 << 30
        }),
        ("output_norm.weight: expected an offset past token_embd.weight, which ends at byte", |file| {
            file.tensor("output_norm.weight").offset = 64
        }),
    ]);
    let mut cut = File::tiny().bytes();
    cut.pop();
    check_bytes("tensor data: blk.0.ffn_down.weight ends at byte", &cut);
}

/// A header that is all there, and longer than any model's.
#[test]
fn header_of_more_than_64_mib() {
    let mut file = File::tiny();
    for i in 0..9 {
        file.set(&format!("x.{i}"), array(12, 1 << 20, &vec![0; 8 << 20]));
    }
    check_bytes("and a header may have at most 67108864 bytes.", &file.bytes());
}

/// What is hopeless is refused at once, though the file may be long enough.
#[test]
fn no_more_is_asked_for_in_vain() {
    let rows: [(&str, Damage); 4] = [
        ("key 0: expected a string of at most 65536 bytes", |file| file.metadata[0].0 = vec![b'k'; 1 << 20]),
        ("x: expected at most 1048576 elements", |file| {
            file.metadata[0] = (b"x".into(), array(I32, 1 << 40, &[]))
        }),
        ("x: expected a string of at most 16777216 bytes", |file| {
            file.metadata[0] = (b"x".into(), Value(STRING, (1u64 << 39).to_le_bytes().into()))
        }),
        ("n_tensors: expected at most 65536", |file| file.n_tensors = Some(1 << 32)),
    ];
    for (expected, damage) in rows {
        let mut file = File::tiny();
        damage(&mut file);
        let error = Gguf::parse(&file.bytes()[..64], 1 << 40).unwrap_err().to_string();
        assert!(error.contains(expected), "\n     got: {error}\nexpected: {expected}");
    }
}
