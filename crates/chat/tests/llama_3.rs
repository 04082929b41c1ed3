//! Llama 3's own vocabulary, by all three routes.
//!
//! The vocabulary is under Meta's licence and never part of this project: `PRONK_LLAMA_TOKENIZER` names the
//! `tokenizer.model` to test with, as the PyPI package `llama-models` has it. Goldens are tiktoken's.

#![allow(clippy::unwrap_used, reason = "A test that cannot go on says so by panicking.")]

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;
use std::time::Instant;

use chat::{Tokenizer, Vocabulary};
use serde_json::{Value, json};

/// Every route to the same tokenizer; empty where there is no vocabulary, and then says what is left out.
static ROUTES: LazyLock<Vec<(&str, Tokenizer)>> = LazyLock::new(|| {
    let Some(path) = std::env::var_os("PRONK_LLAMA_TOKENIZER") else {
        eprintln!("left out: PRONK_LLAMA_TOKENIZER does not name Llama 3's tokenizer.model");
        return Vec::new();
    };
    let file = std::fs::read(PathBuf::from(path)).unwrap();
    let ranks = Ranks::read(&file);
    let timed = |name: &'static str, load: &dyn Fn() -> Tokenizer| {
        let started = Instant::now();
        let tokenizer = load();
        eprintln!("{name}: loaded in {:.0} ms", started.elapsed().as_secs_f64() * 1e3);
        (name, tokenizer)
    };
    let json = ranks.tokenizer_json().to_string();
    eprintln!("tokenizer.json of {} bytes", json.len());
    vec![
        timed("tokenizer.model", &|| Tokenizer::from_tiktoken(&file).unwrap()),
        timed("tokenizer.json", &|| Tokenizer::from_tokenizer_json(json.as_bytes()).unwrap()),
        timed("GGUF", &|| Tokenizer::from_vocabulary(ranks.vocabulary()).unwrap()),
    ]
});

/// The file, read in the test's own way.
struct Ranks {
    /// In GPT-2's alphabet, by rank.
    tokens: Vec<String>,
    /// Pairs of tokens whose sum is a token, as Hugging Face's conversion orders them.
    merges: Vec<(usize, usize)>,
}

impl Ranks {
    fn read(file: &[u8]) -> Ranks {
        let alphabet = alphabet();
        let bytes: Vec<Vec<u8>> = file
            .split(|byte| *byte == b'\n')
            .filter(|line| !line.is_empty())
            .map(|line| base64(line.split(|byte| *byte == b' ').next().unwrap()))
            .collect();
        let ranks: HashMap<&[u8], usize> =
            bytes.iter().enumerate().map(|(rank, token)| (&token[..], rank)).collect();
        let mut merges = Vec::new();
        for token in &bytes {
            let splits = (1..token.len()).map(|at| token.split_at(at));
            let mut pairs: Vec<(usize, usize)> =
                splits.filter_map(|(left, right)| Some((*ranks.get(left)?, *ranks.get(right)?))).collect();
            pairs.sort_unstable();
            merges.extend(pairs);
        }
        let text = |token: &Vec<u8>| token.iter().map(|byte| alphabet[usize::from(*byte)]).collect();
        Ranks { tokens: bytes.iter().map(text).collect(), merges }
    }

    fn merges(&self) -> impl Iterator<Item = String> {
        self.merges.iter().map(|(left, right)| format!("{} {}", self.tokens[*left], self.tokens[*right]))
    }

    fn vocabulary(&self) -> Vocabulary {
        let mut tokens = self.tokens.clone();
        let mut token_types = vec![1; tokens.len()];
        let special = special_tokens();
        token_types.extend(vec![3; special.len()]);
        tokens.extend(special);
        Vocabulary {
            pre: "llama-bpe".into(),
            tokens,
            token_types,
            merges: self.merges().collect(),
            bos_token_id: Some(128_000),
            eos_token_id: Some(128_009),
            eom_token_id: Some(128_008),
            add_bos_token: true,
            ..Vocabulary::default()
        }
    }

    fn tokenizer_json(&self) -> Value {
        let vocab: serde_json::Map<String, Value> =
            self.tokens.iter().enumerate().map(|(rank, token)| (token.clone(), rank.into())).collect();
        let added: Vec<Value> = (128_000..)
            .zip(special_tokens())
            .map(
                |(id, content)| json!({ "id": id, "content": content, "special": true, "normalized": false }),
            )
            .collect();
        let golden = golden("tokenizer/llama-3-encode.json");
        json!({
            "added_tokens": added,
            "normalizer": null,
            "pre_tokenizer": { "type": "Sequence", "pretokenizers": [
                { "type": "Split", "pattern": { "Regex": golden["pattern"] }, "behavior": "Isolated", "invert": false },
                { "type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": false },
            ] },
            "post_processor": { "type": "TemplateProcessing", "single": [
                { "SpecialToken": { "id": "<|begin_of_text|>", "type_id": 0 } },
                { "Sequence": { "id": "A", "type_id": 0 } },
            ] },
            "decoder": { "type": "ByteLevel" },
            "model": { "type": "BPE", "ignore_merges": true, "vocab": vocab, "merges": self.merges().collect::<Vec<_>>() },
        })
    }
}

fn alphabet() -> Vec<char> {
    let mut stand_ins = '\u{100}'..;
    let is_printed = |byte: &u8| matches!(byte, b'!'..=b'~' | 0xa1..=0xac | 0xae..=0xff);
    (0..=255u8)
        .map(|byte| if is_printed(&byte) { char::from(byte) } else { stand_ins.next().unwrap() })
        .collect()
}

fn base64(text: &[u8]) -> Vec<u8> {
    const DIGITS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut bits = Vec::new();
    for digit in text.iter().filter(|digit| **digit != b'=') {
        let value = DIGITS.iter().position(|other| other == digit).unwrap();
        bits.extend((0..6).rev().map(|bit| value >> bit & 1));
    }
    bits.chunks_exact(8).map(|byte| byte.iter().fold(0, |all, bit| all << 1 | bit) as u8).collect()
}

fn golden(name: &str) -> Value {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/golden").join(name);
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

/// In order of their ids.
fn special_tokens() -> Vec<String> {
    let golden = golden("tokenizer/special_tokens.json");
    let names = golden["hf_3_1"].as_object().unwrap();
    let mut names: Vec<(u64, &String)> =
        names.iter().map(|(name, id)| (id.as_u64().unwrap(), name)).collect();
    names.sort_unstable();
    names.into_iter().map(|(_, name)| name.clone()).collect()
}

fn ids(value: &Value) -> Vec<u32> {
    serde_json::from_value(value.clone()).unwrap()
}

#[test]
fn ordinary_text_has_tiktokens_ids() {
    for (route, tokenizer) in &*ROUTES {
        for case in golden("tokenizer/llama-3-encode.json")["cases"].as_array().unwrap() {
            let text = case["text"].as_str().unwrap();
            let expected = ids(&case["ids"]);
            assert_eq!(tokenizer.encode(text).as_ref(), Ok(&expected), "{route}: {text:?}");
            assert_eq!(tokenizer.decode(&expected), text, "{route}");
        }
    }
}

#[test]
fn control_tokens_are_parsed_only_where_they_are_meant() {
    for (route, tokenizer) in &*ROUTES {
        for case in golden("tokenizer/special_vs_ordinary.json").as_array().unwrap() {
            let text = case["text"].as_str().unwrap();
            assert_eq!(tokenizer.encode(text), Ok(ids(&case["ids_ordinary"])), "{route}: {text:?}");
            assert_eq!(
                tokenizer.encode_with_special(text),
                Ok(ids(&case["ids_special_parsed"])),
                "{route}: {text:?}"
            );
        }
        for (id, name) in (128_000..).zip(special_tokens()) {
            assert_eq!(
                (tokenizer.control_id(&name), tokenizer.decode(&[id])),
                (Some(id), name.clone()),
                "{route}"
            );
            assert!(tokenizer.is_control(id), "{route}: {name}");
        }
        let facts = (tokenizer.vocab_size(), tokenizer.stop_ids(), tokenizer.bos_before_text());
        assert_eq!(facts, (128_256, &[128_001, 128_008, 128_009][..], Some(128_000)), "{route}");
    }
}

/// A long text of many scripts, and runs that no reference splits well.
#[test]
fn the_three_routes_agree() {
    let [(_, first), others @ ..] = &ROUTES[..] else { return };
    let golden = golden("tokenizer/llama-3-encode.json");
    let texts: Vec<&str> =
        golden["cases"].as_array().unwrap().iter().filter_map(|case| case["text"].as_str()).collect();
    let mut state = 1u32;
    let mut mixed = String::new();
    while mixed.len() < 200_000 {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        let text = texts[state as usize % texts.len()];
        let cut = text.chars().skip(state as usize >> 28).take(12);
        mixed.extend(cut);
    }
    // Letters that merge in many ways, in words that are no tokens.
    let mut letters = String::new();
    for _ in 0..200_000 {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        letters.push(char::from(b"aaaabbnseti "[(state >> 16) as usize % 12]));
    }
    for (what, text) in [
        ("mixed", &mixed),
        ("letters", &letters),
        ("a", &"a".repeat(20_001)),
        ("spaces", &(" ".repeat(60_001) + "x")),
    ] {
        let started = Instant::now();
        let expected = first.encode(text).unwrap();
        eprintln!(
            "{what}: {} bytes, {} ids in {:.0} ms",
            text.len(),
            expected.len(),
            started.elapsed().as_secs_f64() * 1e3
        );
        assert!(first.decode(&expected) == *text, "{what}");
        for (route, tokenizer) in others {
            let got = tokenizer.encode(text).unwrap();
            let differs = got.iter().zip(&expected).position(|(got, expected)| got != expected);
            assert_eq!((differs, got.len()), (None, expected.len()), "{route}: {what}");
        }
    }
}
