use super::*;

/// A file with that JSON as its header, and so many bytes of data.
fn file(json: &str, data_len: usize) -> Vec<u8> {
    let mut file = (json.len() as u64).to_le_bytes().to_vec();
    file.extend(json.bytes());
    file.extend(std::iter::repeat_n(0xAB, data_len));
    file
}

const TWO: &str = r#"{"b":{"dtype":"F16","shape":[2,3],"data_offsets":[4,16]},"__metadata__":{"format":"pt","a":""},"a":{"dtype":"F32","shape":[],"data_offsets":[0,4]},"e":{"dtype":"I64","shape":[0,7],"data_offsets":[4,4]}}  "#;

#[test]
fn tensors_come_in_the_order_of_their_bytes() {
    let bytes = file(TWO, 16);
    let header = SafetensorsHeader::parse(&bytes, bytes.len() as u64).unwrap();
    let data_offset = 8 + TWO.len() as u64;
    let tensor = |name: &str, dtype, shape: &[u64], offset, len| SafetensorsTensor {
        name: name.into(),
        dtype,
        shape: shape.into(),
        offset: data_offset + offset,
        len,
    };
    let expected = SafetensorsHeader {
        metadata: vec![("format".into(), "pt".into()), ("a".into(), "".into())],
        tensors: vec![
            tensor("a", SafetensorsType::F32, &[], 0, 4),
            tensor("e", SafetensorsType::I64, &[0, 7], 4, 0),
            tensor("b", SafetensorsType::F16, &[2, 3], 4, 12),
        ],
        data_offset,
        file_size: bytes.len() as u64,
    };
    assert_eq!(header, expected);
    for have in 0..=bytes.len() {
        let result = SafetensorsHeader::parse(&bytes[..have], bytes.len() as u64);
        match result {
            Ok(header) => assert_eq!((header, have as u64 >= data_offset), (expected.clone(), true)),
            Err(FormatError::NeedMore { have: reported, need }) => {
                assert_eq!((reported, (have as u64) < data_offset), (have as u64, true));
                assert!(need > reported && need <= data_offset, "{need} of {have}");
            }
            Err(error) => panic!("{have} bytes: {error}"),
        }
    }
}

/// 16 GB in one file: the figures of a real model's, past all that 32 bits hold.
#[test]
fn offsets_past_four_gigabytes() {
    let json = r#"{"lm_head.weight":{"dtype":"BF16","shape":[128256,4096],"data_offsets":[0,1050673152]},"all":{"dtype":"BF16","shape":[32,32,7340032],"data_offsets":[1050673152,16083058688]}}"#;
    let header = SafetensorsHeader::parse(&file(json, 0), 8 + json.len() as u64 + 16_083_058_688).unwrap();
    assert_eq!(header.tensors[1].offset + header.tensors[1].len, header.file_size);
}

#[track_caller]
fn check(json: &str, data_len: usize, expected: &str) {
    let bytes = file(json, data_len);
    let error = SafetensorsHeader::parse(&bytes, bytes.len() as u64).unwrap_err().to_string();
    assert!(error.contains(expected), "\n     got: {error}\nexpected: {expected}");
}

/// An entry of two `F16`.
fn entry(name: &str, begin: u64) -> String {
    format!(r#""{name}":{{"dtype":"F16","shape":[2],"data_offsets":[{begin},{}]}}"#, begin + 4)
}

#[test]
fn json_that_is_no_header() {
    let rows = [
        ("{", "safetensors header can't be read: EOF while parsing an object"),
        ("{\"a\":1}", "invalid type: integer `1`, expected struct Entry"),
        ("{\"a\":{\"dtype\":\"F16\",\"shape\":[2]}}", "missing field `data_offsets`"),
        ("{\"a\":{\"dtype\":\"F16\",\"shape\":[2],\"shape\":[2]}}", "duplicate field `shape`"),
        ("{\"a\":{\"dtype\":\"F16\",\"shape\":[-2],\"data_offsets\":[0,4]}}", "invalid value: integer `-2`"),
        ("{\"a\":{\"dtype\":\"F16\",\"shape\":[2.0],\"data_offsets\":[0,4]}}", "floating point `2.0`"),
        ("{\"a\":{\"dtype\":\"F16\",\"shape\":[2],\"data_offsets\":[0,4,4]}}", "trailing characters"),
        ("{\"a\":{\"dtype\":\"F16\",\"shape\":[2],\"data_offsets\":[0]}}", "invalid length 1"),
        ("{\"__metadata__\":{\"a\":1}}", "invalid type: integer `1`, expected a string"),
        ("{\"__metadata__\":{\"a\":\"\",\"a\":\"\"}}", "the key \"a\" stands twice"),
        ("{\"__metadata__\":{},\"__metadata__\":{}}", "__metadata__ stands twice"),
        ("{} {}", "trailing characters"),
    ];
    for (json, expected) in rows {
        check(json, 4, expected);
    }
    check(&format!("{{\"a\":{}", "{\"a\":".repeat(100_000)), 0, "can't be read: EOF while parsing");
    let many: Vec<String> = (0..65_537).map(|i| entry(&i.to_string(), 4 * i)).collect();
    check(&format!("{{{}}}", many.join(",")), 4 * 65_537, "it has more than 65536 tensors");
}

#[test]
fn entries_that_do_not_fit() {
    let a = entry("a", 0);
    let whole = |rest: &str| format!("{{{a},{rest}}}");
    let rows: [(String, usize, &str); 13] = [
        (
            whole(&entry("a", 4)),
            8,
            "safetensors header: name of a tensor: expected a new name, found \"a\" again.",
        ),
        (whole(&entry("b", 5)), 9, "b: expected data that begins at byte 4, where a ends, found byte 5."),
        (whole(&entry("b", 3)), 8, "b: expected data that begins at byte 4, where a ends, found byte 3."),
        (whole(&entry("b", 0)), 4, "b: expected data that begins at byte 4, where a ends, found byte 0."),
        (
            format!("{{{}}}", entry("b", 4)),
            8,
            "b: expected data that begins at byte 0, where the header ends, found byte 4.",
        ),
        (whole(&entry("b", 4)), 7, "tensor data: b ends at byte"),
        (whole(&entry("b", 4)), 9, "the file: expected its end after b, at byte 123, found 1 bytes more."),
        ("{}".into(), 3, "the file: expected its end after the header, at byte 10, found 3 bytes more."),
        (a_with("\"F17\"", "[2]", "[0,4]"), 4, "a: expected a type that safetensors has, found \"F17\"."),
        (
            a_with("\"F16\"", "[2]", "[4,0]"),
            4,
            "a: expected 4 bytes, as F16 of shape [2] takes, found data_offsets [4, 0].",
        ),
        (
            a_with("\"F16\"", "[4294967296,4294967296]", "[0,0]"),
            0,
            "a: expected whole bytes of F16, fewer than 2^64, found shape [4294967296, 4294967296].",
        ),
        (
            a_with("\"F4\"", "[3]", "[0,1]"),
            1,
            "a: expected whole bytes of F4, fewer than 2^64, found shape [3].",
        ),
        (a_with("\"U8\"", "[1,1,1,1,1,1,1,1,1]", "[0,1]"), 1, "a: expected at most 8 dimensions, found 9."),
    ];
    for (json, data_len, expected) in &rows {
        check(json, *data_len, expected);
    }
    check(&format!("{{{}}}", entry("\\u202e\\u0000", 4)), 8, "\"\\u{202e}\\0\": expected data that begins");
}

fn a_with(dtype: &str, shape: &str, data_offsets: &str) -> String {
    format!(r#"{{"a":{{"dtype":{dtype},"shape":{shape},"data_offsets":{data_offsets}}}}}"#)
}

#[test]
fn files_of_other_kinds() {
    let page = b"<!DOCTYPE html><html><body>404</body></html>";
    let gguf = [b"GGUF".as_slice(), &3u32.to_le_bytes(), &[1; 64]].concat();
    let spaced = file(" {}", 0);
    let long = [&200_000_000u64.to_le_bytes()[..], b"{"].concat();
    let rows: [(&[u8], u64, &str); 7] = [
        (
            page,
            44,
            "This is not a safetensors file: it starts with \"<!DOCTYPE html><\", expected a length and \"{\".",
        ),
        (&gguf, 72, "This is not a safetensors file: it starts with \"GGUF\\u{3}"),
        (&spaced, 11, "This is not a safetensors file: it starts with"),
        (
            b"",
            0,
            "safetensors header: the length of the header ends at byte 9, but the file has only 0 bytes.",
        ),
        (
            &long,
            1 << 40,
            "safetensors header: the header reaches to byte 200000008, and a header may have at most 100000008 bytes.",
        ),
        (
            &long,
            1000,
            "safetensors header: the header ends at byte 200000008, but the file has only 1000 bytes.",
        ),
        (b"\xff\xff\xff\xff\xff\xff\xff\xff{", 1 << 40, "the header ends at byte 18446744073709551615, but"),
    ];
    for (bytes, file_size, expected) in rows {
        let error = SafetensorsHeader::parse(bytes, file_size).unwrap_err().to_string();
        assert!(error.contains(expected), "\n     got: {error}\nexpected: {expected}");
    }
}
