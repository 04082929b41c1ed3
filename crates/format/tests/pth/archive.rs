//! The archive around the pickle: what may vary, and what lies.

use format::{GgmlType, PthReader, PthTensor};

use crate::writer::*;
use crate::{archive, check_error, read, read_counting};

type Change = fn(&mut Archive);

#[test]
fn what_may_vary() {
    let variants: [(&str, Change); 6] = [
        ("as it is", |_| ()),
        ("a ZIP64 end", |archive| archive.zip64 = true),
        ("ZIP64 entries", |archive| archive.entries.iter_mut().for_each(|entry| entry.zip64 = true)),
        ("a comment with end records in it", |archive| {
            archive.comment = b"PK\x05\x06 PK\x05\x06\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0".into()
        }),
        ("no byteorder", |archive| archive.entries.retain(|entry| entry.name != "model/byteorder")),
        ("the pickle last", |archive| archive.entries.rotate_left(1)),
    ];
    for (what, change) in variants {
        let mut archive = archive();
        change(&mut archive);
        let file = archive.bytes();
        let pth = read(&file).unwrap_or_else(|error| panic!("{what}: {error}"));
        let find = |byte: u8, len: usize| {
            file.windows(len).position(|bytes| bytes == vec![byte; len]).unwrap() as u64
        };
        let expected = [
            PthTensor {
                name: "first".into(),
                dtype: GgmlType::BF16,
                shape: vec![4, 300],
                offset: find(7, 2400),
                len: 2400,
            },
            PthTensor {
                name: "second".into(),
                dtype: GgmlType::F32,
                shape: vec![5],
                offset: find(9, 32) + 12,
                len: 20,
            },
        ];
        assert_eq!(
            (pth.tensors.as_slice(), pth.file_size),
            (expected.as_slice(), file.len() as u64),
            "{what}"
        );
    }
}

/// The end, the directory, the pickle, and headers near to each other at once.
#[test]
fn few_ranges_are_asked_for() {
    let tensors: Vec<Tensor> =
        (0..200).map(|key| Tensor::new(&key.to_string(), "HalfStorage", key, &[500])).collect();
    let mut entries = vec![entry("a/data.pkl", pickle(&tensors))];
    entries.extend((0..200).map(|key| entry(&format!("a/data/{key}"), vec![0; 1000])));
    let (pth, ranges) = read_counting(&Archive { entries, ..Archive::default() }.bytes());
    assert_eq!(pth.unwrap().tensors.len(), 200);
    assert!(ranges <= 8, "{ranges}"); // 220 KB of data, 64 KiB at a time.
}

#[test]
fn a_range_that_comes_short() {
    let mut reader = PthReader::new(1000);
    assert_eq!(reader.wants(), Some(0..1000));
    let error = reader.put(&[0; 999]).unwrap_err().to_string();
    assert!(
        error.starts_with(
            "ZIP archive: a range that was asked for ends at byte 1000, but the file has only 999"
        )
    );
    let error = PthReader::new(1000).finish().unwrap_err().to_string();
    assert_eq!(error, "The file's header goes on: it needs at least 1000 bytes, and 0 have been read.");
}

#[test]
fn ends_that_lie() {
    let rows: [(&str, Change); 12] = [
        ("directory: expected entry 5, found its end, or something else.", |archive| archive.count = Some(6)),
        ("directory: expected 4 entries, found 59 bytes more.", |archive| archive.count = Some(4)),
        ("directory: expected a directory that ends at byte", |archive| archive.directory_len = Some(1)),
        ("directory: expected a directory that ends at byte", |archive| archive.directory_offset = Some(5)),
        ("directory: expected a directory that ends at byte", |archive| {
            (archive.zip64, archive.directory_offset) = (true, Some(u64::MAX));
        }),
        ("directory: expected at most 65536 entries, found 18446744073709551615 in", |archive| {
            (archive.zip64, archive.count) = (true, Some(u64::MAX));
        }),
        ("the end record: expected 5 entries,", |archive| {
            (archive.zip64, archive.short_count) = (true, Some(4))
        }),
        ("ZIP64 locator: expected a ZIP64 record that ends at byte", |archive| {
            (archive.zip64, archive.end64_offset) = (true, Some(0));
        }),
        ("ZIP64 locator: expected a ZIP64 record that ends at byte", |archive| {
            (archive.zip64, archive.end64_offset) = (true, Some(u64::MAX));
        }),
        ("data.pkl, in which PyTorch lists the tensors, is missing.", |archive| archive.entries.clear()),
        ("data.pkl: expected one, found several.", |archive| {
            archive.entries.push(entry("b/data.pkl", vec![]))
        }),
        ("\"model/data/0\": expected one entry of that name, found two.", |archive| {
            archive.entries.push(entry("model/data/0", vec![]))
        }),
    ];
    for (expected, change) in rows {
        let mut archive = archive();
        change(&mut archive);
        check_error(&archive.bytes(), &format!("ZIP archive: {expected}"));
    }
}

#[test]
fn entries_that_lie() {
    let rows: [(&str, Change); 16] = [
        ("\"model/data/0\": expected stored as it is, as PyTorch does, found deflated.", |a| {
            a.entry("data/0").method = 8
        }),
        (
            "\"model/data/0\": expected stored as it is, as PyTorch does, found compressed by method 93.",
            |a| a.entry("data/0").method = 93,
        ),
        ("\"model/data/0\": expected stored as it is, as PyTorch does, found encrypted.", |a| {
            a.entry("data/0").flags = 1
        }),
        ("\"model/data/0\": expected stored as it is, as PyTorch does, found deflated.", |a| {
            a.entry("data/0").local_method = Some(8)
        }),
        ("\"model/data/0\": expected 2400 bytes, since it is not compressed, found 2399.", |a| {
            a.entry("data/0").stored_len = Some(2399)
        }),
        // Longer than the room before the next entry; and so long that sums wrap round.
        ("\"model/data/0\": expected 3000 bytes and a header before byte", |a| {
            a.entry("data/0").len = Some(3000)
        }),
        ("\"model/data/0\": expected 18446744073709551615 bytes and a header before byte", |a| {
            let entry = a.entry("data/0");
            (entry.zip64, entry.len) = (true, Some(u64::MAX));
        }),
        ("\"model/version\": expected 2 bytes and a header before byte", |a| {
            let entry = a.entry("version");
            (entry.zip64, entry.offset) = (true, Some(u64::MAX));
        }),
        ("\"model/version\": expected 9999 bytes and a header before byte", |a| {
            a.entry("version").len = Some(9999)
        }),
        // Two entries at one place: neither has room.
        (
            "\"model/data.pkl\": expected 393 bytes and a header before byte 0, where the next entry begins",
            |a| a.entry("data/1").offset = Some(0),
        ),
        ("\"model/data/1\": expected its header at byte", |a| {
            let offset = a.bytes().windows(12).position(|bytes| bytes == b"model/data/1").unwrap() as u64;
            a.entry("data/1").offset = Some(offset);
        }),
        ("\"model/data/0\": expected the same name before its bytes, found \"model/data/X\".", |a| {
            a.entry("data/0").local_name = Some("model/data/X".into())
        }),
        // With the header, there is only just no room for the data.
        ("\"model/data/0\": expected 2420 bytes before byte", |a| a.entry("data/0").len = Some(2420)),
        ("data.pkl: expected at most 8388608 bytes, found 8388609.", |a| {
            a.entry("data.pkl").data.resize((8 << 20) + 1, 0)
        }),
        ("byteorder: expected little, found \"big\".", |a| a.entry("byteorder").data = b"big".into()),
        ("\"\\u{202e}\": expected stored as it is", |a| {
            let entry = a.entry("version");
            (entry.name, entry.method) = ("\u{202e}".into(), 8);
        }),
    ];
    for (expected, change) in rows {
        let mut archive = archive();
        change(&mut archive);
        check_error(&archive.bytes(), &format!("ZIP archive: {expected}"));
    }
}

#[test]
fn files_of_other_kinds() {
    let missing = "ZIP archive: the directory at the end of the file: it is cut short, or no .pth file, or it is missing.";
    let whole = archive().bytes();
    for file in [b"".as_slice(), b"PK\x05\x06", b"GGUF", &[0; 100_000], &whole[..whole.len() - 1]] {
        check_error(file, missing);
    }
    let mut damaged = archive();
    damaged.zip64 = true;
    let mut file = damaged.bytes();
    let at = file.windows(4).position(|bytes| bytes == b"PK\x06\x06").unwrap();
    file[at] = b'X';
    check_error(&file, "ZIP archive: the ZIP64 end record is missing.");
    let mut file = archive().bytes();
    let at = file.windows(4).position(|bytes| bytes == b"PK\x01\x02").unwrap();
    file[at + 46] = 0xFF;
    check_error(&file, "ZIP archive: name of entry 0: expected UTF-8, found \"\u{fffd}odel/data.pkl\".");
}
