//! GGUF, safetensors, `.pth`.

use super::{Case, case};
use crate::gguf_writer::{ARRAY, F32, File, I32, Q4_0, Value, array, f32, string, strings, u32, u64};
use crate::hub_writer::{self, Tensor};
use crate::pth_writer::{Archive, entry, pickle};

type Damage = (&'static str, fn(&mut File), &'static str);

/// The list of llama.cpp's `test-gguf`, and what GGUF readers have had CVEs for.
const GGUF: [Damage; 42] = [
    ("healthy", |_| (), ""),
    ("a scale that is no number", |_| (), ""),
    ("magic", |file| file.magic = *b"GGML", "This is not a GGUF file"),
    ("version 0", |file| file.version = 0, "version: expected 2 or 3, found 0"),
    ("version 1", |file| file.version = 1, "version: expected 2 or 3, found 1"),
    ("a version to come", |file| file.version = 4, "version: expected 2 or 3, found 4"),
    ("big-endian", |file| file.version = 3 << 24, "big-endian"),
    (
        "2^63 tensors",
        |file| file.n_tensors = Some(1 << 63),
        "n_tensors: expected at most 65536, found 9223372036854775808",
    ),
    ("as many tensors as fit", |file| file.n_tensors = Some(u64::MAX), "n_tensors: expected at most 65536"),
    ("as many keys as fit", |file| file.n_kv = Some(u64::MAX), "n_kv: expected at most 4096"),
    ("65536 tensors", |file| file.n_tensors = Some(65_536), "tensor table: n_tensors entries ends at byte"),
    ("an empty key", |file| file.metadata[0].0.clear(), "key 0: expected a key, found an empty string"),
    (
        "a key twice",
        |file| file.metadata.push((b"general.name".into(), u32(1))),
        "expected a new key, found \"general.name\" again",
    ),
    ("a key that is no text", |file| file.metadata[0].0 = b"k\xff".into(), "key 0: expected UTF-8"),
    ("a type of value", |file| file.set("x", Value(13, vec![])), "x: expected a value type from 0 to 12"),
    (
        "a string without end",
        |file| file.set("x", Value(8, vec![255; 8])),
        "x ends at byte 18446744073709551615",
    ),
    ("arrays in arrays", |file| file.set("x", array(ARRAY, 1, &[9; 12])), "x: expected an array of values"),
    (
        "an array without end",
        |file| file.set("x", array(I32, u64::MAX, &[])),
        "x: expected at most 1048576 elements",
    ),
    ("an array past the end", |file| file.set("x", array(I32, 1 << 20, &[])), "x ends at byte 4"),
    ("a bool of 2", |file| file.set("x", Value(7, vec![2])), "x: expected a bool, 0 or 1, found 2"),
    (
        "alignment 0",
        |file| file.set("general.alignment", u32(0)),
        "general.alignment: expected a power of two",
    ),
    (
        "alignment 33",
        |file| file.set("general.alignment", u32(33)),
        "general.alignment: expected a power of two",
    ),
    ("alignment as u64", |file| file.set("general.alignment", u64(32)), "expected a power of two as u32"),
    (
        "an alignment that is huge",
        |file| file.set("general.alignment", u32(1 << 31)),
        "ends at byte 2147483738",
    ),
    (
        "a name too long",
        |file| file.push(&"n".repeat(64), &[1], F32, 4),
        "expected a string of at most 63 bytes",
    ),
    (
        "a tensor twice",
        |file| file.push("blk.0.attn_q.weight", &[32, 32], Q4_0, 576),
        "name of tensor 12: expected a new name, found \"blk.0.attn_q.weight\" again",
    ),
    (
        "no dimension",
        |file| file.tensors[0].n_dims = Some(0),
        "token_embd.weight: expected 1 to 4 dimensions",
    ),
    ("5 dimensions", |file| file.tensors[0].ne = vec![1; 5], "token_embd.weight: expected 1 to 4 dimensions"),
    ("a dimension of 0", |file| file.tensors[0].ne = vec![32, 0], "expected dimensions above zero"),
    ("a dimension below 0", |file| file.tensors[0].ne = vec![1 << 63, 5], "expected fewer than 2^64 bytes"),
    (
        "a product past 2^64",
        |file| file.tensors[0].ne = vec![1 << 32, 1 << 32],
        "expected fewer than 2^64 bytes",
    ),
    (
        "rows of parts of blocks",
        |file| file.tensors[0].ne = vec![33, 5],
        "expected rows of whole Q4_0 blocks",
    ),
    (
        "a type that was removed",
        |file| file.tensors[0].dtype = 4,
        "expected a tensor type that ggml has, found type 4",
    ),
    ("a type below 0", |file| file.tensors[0].dtype = u32::MAX, "expected a tensor type that ggml has"),
    (
        "an offset that wraps",
        |file| file.tensors[3].offset = u64::MAX - 31,
        "ends at byte 18446744073709551615",
    ),
    (
        "an offset past the end",
        |file| file.tensors[3].offset = 1 << 30,
        "blk.0.attn_norm.weight ends at byte",
    ),
    ("an offset between", |file| file.tensors[3].offset += 1, "expected an offset that is a multiple of 32"),
    (
        "tensors that overlap",
        |file| file.tensors[1].offset = 64,
        "output_norm.weight: expected an offset past token_embd.weight, which ends at byte",
    ),
    (
        "a share of a model",
        |file| file.set("split.count", Value(2, vec![4, 0])),
        "one of 4 files of a split model",
    ),
    ("an id past the vocabulary", |file| file.set("tokenizer.ggml.eos_token_id", u32(5)), "eos_token_id"),
    (
        "a merge of what there isn't",
        |file| file.set("tokenizer.ggml.merges", strings(&["b c"])),
        "merge 0: expected two tokens with a space between, whose sum is a token",
    ),
    (
        "scores that are short",
        |file| file.set("tokenizer.ggml.token_type", array(I32, 1, &[1, 0, 0, 0])),
        "token_type",
    ),
];

pub(super) fn gguf() -> Vec<Case> {
    let mut cases: Vec<Case> = GGUF
        .iter()
        .map(|(name, damage, says)| {
            let mut file = File::tiny();
            damage(&mut file);
            case(name, file.bytes(), says)
        })
        .collect();
    // The last tensor is of Q4_0, 18 bytes a block, of which the first two are the scale.
    let at = cases[1].bytes.len() - 1152;
    cases[1].bytes[at..at + 2].copy_from_slice(&[0xff, 0x7f]);
    let mut cut = File::tiny().bytes();
    cut.pop();
    cases.push(case("cut by a byte", cut, "tensor data: blk.0.ffn_down.weight ends at byte"));
    cases.push(case("nothing", "", "magic ends at byte 4, but the file has only 0 bytes"));
    let mut odd = File::tiny();
    odd.set("general.name", string("\u{202e}"));
    odd.set("llama.attention.layer_norm_rms_epsilon", f32(f32::NAN));
    cases.push(case(
        "an epsilon that is no number",
        odd.bytes(),
        "rms_norm_eps: expected above 0 and below 1, found NaN",
    ));
    cases
}

fn with_size(size: u64, prefix: &[u8]) -> Vec<u8> {
    [&size.to_le_bytes(), prefix].concat()
}

pub(super) fn gguf_prefix() -> Vec<Case> {
    let file = File::tiny().bytes();
    let size = file.len() as u64;
    vec![
        case("all of it", with_size(size, &file), ""),
        case("the first bytes", with_size(size, &file[..500]), ""),
        case("the first bytes of an endless file", with_size(u64::MAX, &file[..500]), ""),
        case("all of a shorter one", with_size(size - 1, &file), "ends at byte"),
    ]
}

fn tensor(name: &str, dtype: &'static str, shape: &[usize], len: usize) -> Tensor {
    Tensor { file: 0, name: name.into(), dtype, shape: shape.into(), bytes: vec![0; len] }
}

/// A file whose header is as it is written here, and 16 bytes of tensors.
fn header(json: &str) -> Vec<u8> {
    [&(json.len() as u64).to_le_bytes(), json.as_bytes(), &[0; 16]].concat()
}

pub(super) fn safetensors() -> Vec<Case> {
    let one = |entry: &str| header(&format!("{{\"a\": {entry}}}"));
    let two = |first: &str, second: &str| header(&format!("{{\"a\": {first}, \"b\": {second}}}"));
    let healthy = [tensor("a", "F32", &[2, 2], 16), tensor("b", "BF16", &[3], 6), tensor("c", "I8", &[0], 0)];
    let f32 = |begin: u64, end: u64| {
        format!(
            "{{\"dtype\": \"F32\", \"shape\": [{}], \"data_offsets\": [{begin}, {end}]}}",
            (end - begin) / 4
        )
    };
    vec![
        case("healthy", hub_writer::safetensors(healthy.iter()), ""),
        case("nothing", "", "the length of the header ends at byte 9"),
        case("no length", [255; 8], "the length of the header ends at byte 9"),
        case(
            "a length past the end",
            [&[255; 8], b"{}".as_slice()].concat(),
            "the header ends at byte 18446744073709551615",
        ),
        case(
            "a length of 100 MB",
            [&99_000_000u64.to_le_bytes(), b"{}".as_slice()].concat(),
            "the header ends at byte 99000008",
        ),
        case("another file", b"PK\x03\x04 a zip archive, it is".as_slice(), "not a safetensors file"),
        case("not JSON", header("{\"a\""), "safetensors header can't be read"),
        case(
            "a key twice",
            two(&f32(0, 8), &f32(8, 16))
                .iter()
                .map(|b| if *b == b'b' { b'a' } else { *b })
                .collect::<Vec<_>>(),
            "a",
        ),
        case(
            "a hole",
            two(&f32(0, 4), &f32(8, 16)),
            "b: expected data that begins at byte 4, where a ends, found byte 8",
        ),
        case(
            "an overlap",
            two(&f32(0, 8), &f32(4, 16)),
            "b: expected data that begins at byte 8, where a ends, found byte 4",
        ),
        case("a rest", one(&f32(0, 8)), "expected"),
        case("past the end", one(&f32(0, 32)), "ends at byte"),
        case(
            "backwards",
            one("{\"dtype\": \"F32\", \"shape\": [1], \"data_offsets\": [16, 0]}"),
            "data_offsets",
        ),
        case(
            "a shape that does not fit",
            one("{\"dtype\": \"F32\", \"shape\": [5], \"data_offsets\": [0, 16]}"),
            "a",
        ),
        case(
            "a shape past 2^64",
            one("{\"dtype\": \"F32\", \"shape\": [4294967296, 4294967296], \"data_offsets\": [0, 16]}"),
            "a",
        ),
        case(
            "a shape of floats",
            one("{\"dtype\": \"F32\", \"shape\": [4.0], \"data_offsets\": [0, 16]}"),
            "a",
        ),
        case(
            "an offset below 0",
            one("{\"dtype\": \"F32\", \"shape\": [4], \"data_offsets\": [-16, 0]}"),
            "a",
        ),
        case(
            "an unknown type",
            one("{\"dtype\": \"F31\", \"shape\": [4], \"data_offsets\": [0, 16]}"),
            "F31",
        ),
        case("a missing field", one("{\"dtype\": \"F32\", \"shape\": [4]}"), "data_offsets"),
        case("a name that turns text", header(&format!("{{\"\\u202e\": {}}}", f32(0, 8))), "expected"),
        case("depth", header(&format!("{{\"a\": {}", "[".repeat(1000))), "safetensors header can't be read"),
    ]
}

pub(super) fn safetensors_prefix() -> Vec<Case> {
    let file = &safetensors()[0].bytes;
    let size = file.len() as u64;
    vec![
        case("all of it", with_size(size, file), ""),
        case("the first bytes", with_size(size, &file[..20]), ""),
        case("a length that the file may have", with_size(u64::MAX, &header(&"{".repeat(1000))[..9]), ""),
        case("a longer file", with_size(size + 1, file), "expected"),
    ]
}

/// A healthy archive of two tensors.
fn archive(pickle: Vec<u8>) -> Archive {
    let entries = vec![
        entry("a/data.pkl", pickle),
        entry("a/byteorder", b"little".into()),
        entry("a/data/0", vec![7; 16]),
        entry("a/data/1", vec![9; 32]),
    ];
    Archive { entries, ..Archive::default() }
}

fn tensors() -> [crate::pth_writer::Tensor; 2] {
    let tensor = crate::pth_writer::Tensor::new;
    [tensor("first", "BFloat16Storage", 0, &[4, 2]), tensor("second", "FloatStorage", 1, &[8])]
}

pub(super) fn pth() -> Vec<Case> {
    let damaged = |damage: fn(&mut Archive)| {
        let mut archive = archive(pickle(&tensors()));
        damage(&mut archive);
        archive.bytes()
    };
    let code = |code: &[u8]| archive(code.into()).bytes();
    vec![
        case("healthy", damaged(|_| ()), ""),
        case("healthy, ZIP64", damaged(|archive| archive.zip64 = true), ""),
        case("nothing", "", "directory at the end of the file"),
        case(
            "os.system",
            code(b"cos\nsystem\n(X\x02\0\0\0lstR."),
            "The Python object \"os.system\" in this .pth file",
        ),
        case(
            "builtins.eval",
            code(b"c__builtin__\neval\n(X\x01\0\0\x001tR."),
            "\"__builtin__.eval\" in this .pth file",
        ),
        case(
            "a global from the stack",
            code(b"X\x02\0\0\0osX\x06\0\0\0system\x93."),
            "expected an instruction",
        ),
        case("an instance by name", code(b"(ios\nsystem\n."), "expected an instruction"),
        case("an endless stack", code(&b"N".repeat(300_000)), "expected a stack and a memo of bearable size"),
        case(
            "tuples of tuples",
            code(&[b")".as_slice(), &b"q\0h\0\x86".repeat(60)].concat()),
            "expected tuples at most 8 deep",
        ),
        case("a cut string", code(b"X\xff\xff\xff\xffa."), "expected"),
        case(
            "deflated: a bomb, maybe",
            damaged(|archive| archive.entry("data/0").method = 8),
            "stored as it is",
        ),
        case(
            "a bomb in the headers",
            damaged(|archive| {
                archive.entry("data/0").stored_len = Some(16);
                archive.entry("data/0").len = Some(4_000_000_000);
            }),
            "expected 4000000000 bytes, since it is not compressed, found 16",
        ),
        case(
            "an entry past the end",
            damaged(|archive| archive.entry("data/0").len = Some(4_000_000_000)),
            "bytes and a header before byte",
        ),
        case(
            "ZIP64 that lies",
            damaged(|archive| {
                archive.entry("data/0").zip64 = true;
                archive.entry("data/0").len = Some(u64::MAX);
            }),
            "bytes and a header before byte",
        ),
        case("entries at one place", damaged(|archive| archive.entry("data/1").offset = Some(0)), "expected"),
        case(
            "an entry twice",
            damaged(|archive| archive.entry("data/1").name = "a/data/0".into()),
            "one entry of that name",
        ),
        case(
            "as many entries as fit",
            damaged(|archive| {
                archive.zip64 = true;
                archive.count = Some(u64::MAX);
            }),
            "directory: expected at most 65536 entries",
        ),
        case(
            "a pickle too long",
            damaged(|archive| archive.entry("data.pkl").len = Some(9 << 20)),
            "expected",
        ),
    ]
}
