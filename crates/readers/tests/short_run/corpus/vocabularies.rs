//! Vocabularies, and the expressions that cut text before it.

use serde_json::{Value, json};

use super::{Case, case};

/// GPT-2's alphabet: a letter for each byte.
fn alphabet() -> Vec<char> {
    let is_shown = |byte: &u32| matches!(*byte, 0x21..=0x7e | 0xa1..=0xac | 0xae..=0xff);
    let shown = (0u32..256).filter(is_shown);
    let others = (0u32..256).filter(|byte| !is_shown(byte)).enumerate().map(|(at, _)| 256 + at as u32);
    shown.chain(others).map(|code| char::from_u32(code).unwrap()).collect()
}

/// A letter for each byte and `ab`, cut by an expression.
fn file(pattern: &str) -> Value {
    let mut vocab: serde_json::Map<String, Value> =
        alphabet().into_iter().zip(0u32..).map(|(letter, id)| (letter.to_string(), id.into())).collect();
    vocab.insert("ab".into(), 256.into());
    json!({
        "added_tokens": [{"id": 257, "content": "<|eot|>", "special": true}],
        "pre_tokenizer": {"type": "Sequence", "pretokenizers": [
            {"type": "Split", "pattern": {"Regex": pattern}, "behavior": "Isolated", "invert": false},
            {"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": false}]},
        "decoder": {"type": "ByteLevel"},
        "model": {"type": "BPE", "vocab": vocab, "merges": ["a b"]},
    })
}

fn with(path: &str, value: Value) -> String {
    let mut file = file("a+");
    match file.pointer_mut(path) {
        Some(place) => *place = value,
        None => panic!("no {path}"),
    }
    file.to_string()
}

pub(super) fn tokenizer_json() -> Vec<Case> {
    let regex = |pattern: &str| file(pattern).to_string();
    let cannot = "The model's tokenizer has an expression that can't be run";
    vec![
        case("healthy", regex(r"\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"), ""),
        // An engine that backtracks takes 2^n steps for these; an automaton takes n.
        case("catastrophic backtracking", regex("(a+)+b|(a|a)*c|(.*)*d"), ""),
        case("a repetition without end", regex("a{1000000000}"), cannot),
        case("repetitions of repetitions", regex("((((a{99}){99}){99}){99}){99}"), cannot),
        case("all of Unicode, again and again", regex(r"(\w{100}){100}"), cannot),
        case("back references", regex(r"(a)\1"), cannot),
        case("look-ahead", regex("a(?=b)"), cannot),
        case("parentheses without end", regex(&"(".repeat(4000)), cannot),
        case(
            "parentheses in parentheses",
            regex(&format!("{}a{}", "(".repeat(2000), ")".repeat(2000))),
            cannot,
        ),
        case("a long expression", regex(&"x".repeat(9000)), cannot),
        case("alternatives of nothing", regex("a||"), "it matches where there is nothing"),
        case("no expression", regex(""), "it matches where there is nothing"),
        case(
            "a merge of what there isn't",
            with("/model/merges/0", json!("a c")),
            "merge 0 is of \"a\" and \"c\"",
        ),
        case(
            "a merge with itself",
            with("/model/merges", json!(["a b", "a b"])),
            "merge 1: expected one that is new",
        ),
        case("an id far out", with("/model/vocab/a", json!(1_000_000)), "ids: expected less than"),
        case("an id below 0", with("/model/vocab/a", json!(-1)), "tokenizer.json is damaged: invalid value"),
        case("an id twice", with("/model/vocab/a", json!(5)), "expected one text, found"),
        case(
            "an added id far out",
            with("/added_tokens/0/id", json!(4_294_967_295u32)),
            "ids: expected less than",
        ),
        case("an empty added token", with("/added_tokens/0/content", json!("")), ""),
        case(
            "a normalizer",
            regex("a").replacen('{', "{\"normalizer\": {\"type\": \"\\u202e\"}, ", 1),
            "asks for the normalizer",
        ),
        case(
            "a field that turns text",
            regex("a").replacen("\"type\":\"BPE\"", "\"\\u202e\": 1", 1),
            "tokenizer.json is damaged",
        ),
        case("nothing", "", "tokenizer.json is damaged: EOF"),
        case("depth", format!("{{\"x\":{}", "[".repeat(10_000)), "tokenizer.json is damaged"),
    ]
}

pub(super) fn tiktoken() -> Vec<Case> {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let digit = |at: usize| char::from(DIGITS[at % 64]);
    let line = |byte: usize| format!("{}{}== {byte}\n", digit(byte >> 2), digit((byte & 3) << 4));
    let bytes: String = (0..256).map(line).collect();
    let damaged = "tokenizer.model is damaged: ";
    vec![
        case("healthy", format!("{bytes}YWI= 256\nYWJj 257\n"), ""),
        case("nothing", "", "there is no token for the byte 0x00"),
        case("a rank past 32 bits", format!("{bytes}YWI= 4294967296\n"), "expected a rank below 2^32"),
        case("a rank that is missing", format!("{bytes}YWI= 300\n"), "the rank 256 is missing"),
        case("a rank twice", format!("{bytes}YWI= 5\n"), "the rank 5 is there twice"),
        case("a token twice", format!("{bytes}AA== 256\n"), "are of the same token"),
        case("no base64", format!("{bytes}Y*I= 256\n"), "expected a token in base64"),
        case("Llama 2's", "\u{e}\n", "Llama 2's file of that name is of another kind"),
        case("text that turns", "\u{202e} 1\n", damaged),
        case(
            "a token without end",
            format!("{bytes}{} 256\n", "YWFh".repeat(300)),
            "expected a token of 1 to 256 bytes",
        ),
    ]
}
