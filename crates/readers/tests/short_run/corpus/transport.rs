//! What hosts and the store send.

use super::{Case, case};

pub(super) fn http_answer() -> Vec<Case> {
    let partial = |range: &str| format!("206\napplication/octet-stream\n\n{range}\n100\n");
    let wrong = "sent other bytes than asked: expected bytes 100-199, found";
    vec![
        case("healthy", partial("bytes 100-199/1000"), ""),
        case("a length that is not known", partial("bytes 100-199/*"), ""),
        case("whole", "200\n\n\n\n1000\n", ""),
        case("backwards", partial("bytes 199-100/1000"), wrong),
        case("past the end", partial("bytes 100-199/150"), wrong),
        case("numbers past 64 bits", partial("bytes 100-99999999999999999999/100"), wrong),
        case("as many as fit", partial("bytes 0-18446744073709551615/18446744073709551615"), wrong),
        case("several ranges", partial("bytes 0-1,5-6/1000"), wrong),
        case("text that turns", partial("\u{202e}\u{7}"), "found \\u{202e}\\u{7}."),
        case("a web page", "200\ntext/html; charset=utf-8\n", "a web page"),
        case("compressed", "200\n\n\u{202e}gzip\n", "gzip"),
        case("busy", "429\n\n\n\n\n120\n", "120"),
        case("busy until the end of time", "503\n\n\n\n\n18446744073709551615\n", "busy"),
        case("no HTTP at all", "GET", ""),
    ]
}

pub(super) fn record() -> Vec<Case> {
    let record = |count: u32, pieces: &[u8]| {
        [
            b"PRONKREC".as_slice(),
            &1u32.to_le_bytes(),
            &9u64.to_le_bytes(),
            &[2, 0, 0, 0],
            b"v1",
            &count.to_le_bytes(),
            pieces,
        ]
        .concat()
    };
    let damaged = "record";
    vec![
        case("healthy", record(3, &[&[0, 1], [7; 32].as_slice(), &[0]].concat()), ""),
        case("as many pieces as fit", record(u32::MAX, &[0; 40]), damaged),
        case("a piece that is neither", record(1, &[2]), damaged),
        case("cut", record(2, &[0]), damaged),
        case("nothing", "", damaged),
        case(
            "a version without end",
            record(0, &[]).iter().map(|b| if *b == 2 { 255 } else { *b }).collect::<Vec<u8>>(),
            damaged,
        ),
    ]
}

pub(super) fn names() -> Vec<Case> {
    [
        "https://huggingface.co/a/b/blob/main/c.gguf",
        "https://huggingface.co/a/b",
        "https://hf.co/a/b/tree/v1?x#y",
        "https://huggingface.co/////",
        "model-00001-of-00003.gguf",
        "a/b-00002-of-00002.gguf?x",
        "-00000-of-00000",
        "é-of-00003",
        "\u{202e}",
    ]
    .into_iter()
    .map(|text| case("a name", text, ""))
    .collect()
}
