use serde_json::{Value, json};

use super::*;
use crate::tokenizer::tests::vocabulary;

/// The test vocabulary of GGUF files, as `tokenizer.json` has it.
fn file(pre_tokenizer: Value, ignore_merges: bool) -> Value {
    let vocabulary = vocabulary("gpt-2");
    let rows = || (0u32..).zip(vocabulary.tokens.iter().zip(&vocabulary.token_types));
    let vocab: serde_json::Map<String, Value> = rows()
        .filter(|(_, (_, kind))| **kind == 1)
        .map(|(id, (token, _))| (token.clone(), id.into()))
        .collect();
    let added: Vec<Value> = rows()
        .filter(|(_, (_, kind))| **kind != 1)
        .map(|(id, (token, kind))| {
            json!({ "id": id, "content": token, "single_word": false, "lstrip": false, "rstrip": false,
                    "normalized": false, "special": *kind == 3 })
        })
        .collect();
    json!({
        "version": "1.0",
        "truncation": null,
        "padding": null,
        "added_tokens": added,
        "normalizer": null,
        "pre_tokenizer": pre_tokenizer,
        "post_processor": { "type": "ByteLevel", "add_prefix_space": true, "trim_offsets": false, "use_regex": true },
        "decoder": { "type": "ByteLevel", "add_prefix_space": true, "trim_offsets": true, "use_regex": true },
        "model": {
            "type": "BPE", "dropout": null, "unk_token": null, "continuing_subword_prefix": null,
            "end_of_word_suffix": null, "fuse_unk": false, "byte_fallback": false,
            "ignore_merges": ignore_merges, "vocab": vocab, "merges": vocabulary.merges,
        },
    })
}

fn byte_level(use_regex: bool) -> Value {
    json!({ "type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": use_regex })
}

fn sequence(steps: &[Value]) -> Value {
    json!({ "type": "Sequence", "pretokenizers": steps })
}

fn split(pattern: Value) -> Value {
    json!({ "type": "Split", "pattern": pattern, "behavior": "Isolated", "invert": false })
}

fn read(file: &Value) -> Result<Tokenizer, ChatError> {
    Tokenizer::from_tokenizer_json(file.to_string().as_bytes())
}

const TEXTS: [&str; 10] = [
    "",
    "he the 12 hel",
    "12hel hehe\n\n  x",
    "the     he",
    "I'll don't 12345",
    "<|im_start|>he<|im_end|>",
    "日本 é 🙂",
    "    ",
    "a.the,he",
    "hello world",
];

/// The same ids as from a GGUF file, and as Hugging Face's implementation gives them.
#[test]
fn ids_are_those_of_the_other_routes_and_of_the_reference() {
    let llama_3 = json!({ "Regex": crate::pre_tokenizer::LLAMA_3 });
    for (name, pre_tokenizer, ignore_merges) in [
        ("gpt-2", byte_level(true), false),
        (
            "smollm",
            sequence(&[json!({ "type": "Digits", "individual_digits": true }), byte_level(true)]),
            false,
        ),
        ("llama-bpe", sequence(&[split(llama_3.clone()), byte_level(false)]), true),
        ("dbrx", sequence(&[sequence(&[split(llama_3)]), byte_level(false)]), false),
    ] {
        let mut file = file(pre_tokenizer, ignore_merges);
        let from_gguf = Tokenizer::from_vocabulary(vocabulary(name)).unwrap();
        let reference: tokenizers::Tokenizer = serde_json::from_value(file.clone()).unwrap();
        let mut ordinary = reference.clone();
        ordinary.set_encode_special_tokens(true);
        for spelling in 0..2 {
            if spelling == 1 {
                let pairs = vocabulary(name)
                    .merges
                    .iter()
                    .map(|merge| merge.split_once(' '))
                    .collect::<Vec<_>>()
                    .into_iter()
                    .flatten()
                    .map(|(left, right)| json!([left, right]))
                    .collect();
                file["model"]["merges"] = Value::Array(pairs);
            }
            let from_json = read(&file).unwrap();
            assert_eq!(from_json.vocab_size(), from_gguf.vocab_size());
            for text in TEXTS {
                let ids = from_json.encode(text);
                assert_eq!(ids, from_gguf.encode(text), "{name}: {text:?}");
                assert_eq!(
                    ids.as_deref(),
                    Ok(ordinary.encode(text, false).unwrap().get_ids()),
                    "{name}: {text:?}"
                );
                let ids = from_json.encode_with_special(text);
                assert_eq!(ids, from_gguf.encode_with_special(text), "{name}: {text:?}");
                assert_eq!(
                    ids.as_deref(),
                    Ok(reference.encode(text, false).unwrap().get_ids()),
                    "{name}: {text:?}"
                );
            }
        }
    }
}

/// A file may call a token special that its own merges make.
#[test]
fn no_text_merges_into_a_special_token() {
    for ignore_merges in [true, false] {
        let mut file = file(byte_level(true), ignore_merges);
        let added = file["added_tokens"].as_array_mut().unwrap();
        added.push(json!({ "id": 256, "content": "he", "special": true }));
        let tokenizer = read(&file).unwrap();
        // `Ġ t` still merges, `Ġt he` has lost its right half; a whole word needs no merge.
        let the = if ignore_merges { vec![258] } else { vec![257, b'h'.into(), b'e'.into()] };
        assert_eq!(tokenizer.encode("he"), Ok(vec![b'h'.into(), b'e'.into()]));
        assert_eq!(tokenizer.encode(" the"), Ok(the));
        assert_eq!(tokenizer.encode_with_special("he the"), Ok(vec![256, 257, 256]));
        assert!(tokenizer.is_control(256));
    }
}

#[test]
fn other_pre_tokenizers_cut_as_they_say() {
    let digits = |individual| json!({ "type": "Digits", "individual_digits": individual });
    for (pre_tokenizer, text, expected) in [
        (sequence(&[digits(false), byte_level(true)]), "a12", vec![97, 260]),
        (sequence(&[digits(true), byte_level(true)]), "a12", vec![97, 49, 50]),
        (sequence(&[split(json!({ "String": "h" })), byte_level(false)]), "he", vec![104, 101]),
        (sequence(&[split(json!({ "String": ".*" })), byte_level(false)]), "he.*12", vec![256, 46, 42, 260]),
        (sequence(&[split(json!({ "String": "<" })), byte_level(false)]), "he<", vec![256, 60]),
        (byte_level(false), "12", vec![260]),
        // What a file that does not say means.
        (json!({ "type": "ByteLevel", "add_prefix_space": false }), "12he", vec![260, 256]),
    ] {
        let file = file(pre_tokenizer.clone(), false);
        assert_eq!(read(&file).unwrap().encode(text), Ok(expected), "{pre_tokenizer}");
    }
}

#[test]
fn the_token_before_plain_text_is_bos() {
    let template = |single: Value| json!({ "type": "TemplateProcessing", "single": single, "pair": [], "special_tokens": {} });
    let (token, text) = (
        |id: &str| json!({ "SpecialToken": { "id": id, "type_id": 0 } }),
        json!({ "Sequence": { "id": "A", "type_id": 0 } }),
    );
    let bos = token("<|begin_of_text|>");
    let mut file = file(byte_level(true), false);
    for (processor, expected) in [
        (json!(null), Ok(None)),
        (template(json!([text])), Ok(None)),
        (template(json!([bos, text])), Ok(Some(261))),
        (
            json!({ "type": "Sequence", "processors": [{ "type": "ByteLevel", "trim_offsets": false }, template(json!([bos, text]))] }),
            Ok(Some(261)),
        ),
        (
            template(json!([text, bos])),
            Err(
                "The model's tokenizer asks for the post-processor TemplateProcessing with tokens elsewhere, which Pronk does not have; it has Sequence, ByteLevel and TemplateProcessing with at most a token before the text.",
            ),
        ),
        (
            json!({ "type": "RobertaProcessing", "sep": ["</s>", 2] }),
            Err(
                "The model's tokenizer asks for the post-processor \"RobertaProcessing\", which Pronk does not have; it has Sequence, ByteLevel and TemplateProcessing with at most a token before the text.",
            ),
        ),
        (
            template(json!([token("he"), text])),
            Err(
                "The model's vocabulary is damaged: post_processor: expected the name of a special token, found \"he\".",
            ),
        ),
    ] {
        file["post_processor"] = processor;
        let got = read(&file).map(|tokenizer| tokenizer.bos_before_text()).map_err(|error| error.to_string());
        assert_eq!(got, expected.map_err(String::from));
    }
}

#[test]
fn holes_and_unknown_tokens() {
    let mut with = file(byte_level(true), false);
    // A hole, and a token behind it.
    with["added_tokens"]
        .as_array_mut()
        .unwrap()
        .push(json!({ "id": 280, "content": "<new>", "special": true }));
    let tokenizer = read(&with).unwrap();
    assert_eq!((tokenizer.vocab_size(), tokenizer.control_id("<new>")), (281, Some(280)));
    assert_eq!((tokenizer.decode(&[275]), tokenizer.is_control(275)), (String::new(), false));
    // A special token that is in the vocabulary too, as many files have it.
    with["model"]["vocab"]["<|im_end|>"] = 267.into();
    let tokenizer = read(&with).unwrap();
    assert!(tokenizer.encode("<|im_end|>").unwrap().iter().all(|id| *id < 256));
    // A byte without a token is left out; a control token never stands for it.
    with["model"]["vocab"].as_object_mut().unwrap().remove("q");
    with["model"]["unk_token"] = "<|im_end|>".into();
    assert_eq!(read(&with).unwrap().encode("aqb"), Ok(vec![97, 98]));
    with["model"]["unk_token"] = "a".into();
    assert_eq!(
        read(&with).map(|_| ()).unwrap_err().to_string(),
        "The model's tokenizer asks for the unknown token \"a\", which Pronk does not have; it has a token for each byte instead."
    );
}

/// Sets what a path of keys leads to.
fn change(path: &str, value: Value) -> Value {
    let mut file = file(sequence(&[split(json!({ "Regex": "a" })), byte_level(true)]), false);
    match file.pointer_mut(path) {
        Some(place) => *place = value,
        None => {
            let (parent, key) = path.rsplit_once('/').unwrap();
            file.pointer_mut(parent).unwrap()[key] = value;
        }
    }
    file
}

#[test]
fn what_we_do_not_run_is_refused_by_name() {
    let first = "/pre_tokenizer/pretokenizers/0";
    for (path, value, asked) in [
        ("/normalizer", json!({ "type": "NFKC" }), "normalizer \"NFKC\""),
        ("/normalizer", json!({ "type": "NFC" }), "normalizer \"NFC\""),
        (
            "/normalizer",
            json!({ "type": "Sequence", "normalizers": [{ "type": "Lowercase" }] }),
            "normalizer \"Sequence\"",
        ),
        ("/decoder", json!(null), "decoder null"),
        ("/decoder", json!({ "type": "WordPiece" }), "decoder \"WordPiece\""),
        ("/model/type", json!("Unigram"), "model \"Unigram\""),
        ("/model/dropout", json!(0.1), "model's dropout"),
        ("/model/continuing_subword_prefix", json!("##"), "model's continuing_subword_prefix"),
        ("/model/end_of_word_suffix", json!("</w>"), "model's end_of_word_suffix"),
        ("/model/byte_fallback", json!(true), "model's byte_fallback"),
        ("/added_tokens/0/lstrip", json!(true), "flag lstrip of \"<|begin_of_text|>\""),
        ("/added_tokens/0/rstrip", json!(true), "flag rstrip of \"<|begin_of_text|>\""),
        ("/added_tokens/0/single_word", json!(true), "flag single_word of \"<|begin_of_text|>\""),
        ("/pre_tokenizer", json!(null), "pre-tokenizer null"),
        ("/pre_tokenizer", json!({ "type": "Metaspace", "replacement": "▁" }), "pre-tokenizer \"Metaspace\""),
        ("/pre_tokenizer", json!({ "type": "Digits" }), "pre-tokenizer that ends without ByteLevel"),
        ("/pre_tokenizer", sequence(&[]), "pre-tokenizer that ends without ByteLevel"),
        (
            "/pre_tokenizer",
            sequence(&[sequence(&[sequence(&[sequence(&[sequence(&[sequence(&[])])])])])]),
            "pre-tokenizer of lists in lists in lists",
        ),
        (first, json!({ "type": "Punctuation", "behavior": "Isolated" }), "pre-tokenizer \"Punctuation\""),
        (first, byte_level(true), "pre-tokenizer ByteLevel before the end"),
        ("/pre_tokenizer/pretokenizers/0/behavior", json!("Removed"), "behavior \"Removed\""),
        ("/pre_tokenizer/pretokenizers/0/invert", json!(true), "flag invert of Split"),
        (
            "/pre_tokenizer/pretokenizers/1/add_prefix_space",
            json!(true),
            "flag add_prefix_space of ByteLevel",
        ),
    ] {
        let error = read(&change(path, value.clone())).map(|_| ()).unwrap_err();
        let begins =
            format!("The model's tokenizer asks for the {asked}, which Pronk does not have; it has ");
        assert!(error.to_string().starts_with(&begins), "{path} {value}: {error}");
    }
    for allowed in [json!({ "type": "Sequence", "normalizers": [] }), json!(null)] {
        assert!(read(&change("/normalizer", allowed)).is_ok());
    }
}

#[test]
fn a_damaged_file_is_refused_with_a_sentence() {
    let regex = "/pre_tokenizer/pretokenizers/0/pattern/Regex";
    for (path, value, detail) in [
        (
            "/model/merges/1",
            json!("Ġt"),
            "tokenizer.json is damaged: invalid value: string \"Ġt\", expected a merge: \"left right\" or [\"left\", \"right\"] at line 1",
        ),
        ("/model/merges/1", json!(["Ġ"]), "tokenizer.json is damaged: a merge is of two tokens at line 1"),
        (
            "/model/merges/1",
            json!(["Ġ", "t", "x"]),
            "tokenizer.json is damaged: a merge is of two tokens at line 1",
        ),
        (
            "/model/merges/1",
            json!("x zz"),
            "tokenizer.json is damaged: merge 1 is of \"x\" and \"zz\", expected two tokens whose sum is a token at line 1",
        ),
        (
            "/model/merges/1",
            json!("e h"),
            "tokenizer.json is damaged: merge 1 is of \"e\" and \"h\", expected",
        ),
        (
            "/model/merges/1",
            json!("<|im_start|> h"),
            "tokenizer.json is damaged: merge 1 is of \"<|im_start|>\" and \"h\", expected",
        ),
        (
            "/model/merges/1",
            json!("h e"),
            "vocabulary is damaged: merge 1: expected one that is new, found merge 0 again.",
        ),
        (
            "/model/merges/1",
            json!(7),
            "tokenizer.json is damaged: invalid type: integer `7`, expected a merge",
        ),
        (
            "/model/merges",
            json!({}),
            "tokenizer.json is damaged: invalid type: map, expected a list of merges",
        ),
        (
            "/model/vocab",
            json!([]),
            "tokenizer.json is damaged: invalid type: sequence, expected an object of tokens and their ids",
        ),
        ("/model/vocab/a", json!(-1), "tokenizer.json is damaged: invalid value: integer `-1`, expected u32"),
        (
            "/model/vocab/a",
            json!(1.5),
            "tokenizer.json is damaged: invalid type: floating point `1.5`, expected u32",
        ),
        ("/model/vocab/a", json!("1"), "tokenizer.json is damaged: invalid type: string \"1\", expected u32"),
        (
            "/model/vocab/a",
            json!(98),
            "vocabulary is damaged: token 98: expected one text, found \"a\" and \"b\".",
        ),
        (
            "/model/vocab/a",
            json!(1_048_576),
            "tokenizer.json is damaged: the token \"a\" has the id 1048576, expected one below 1048576",
        ),
        ("/model/vocab/a", json!(600), "vocabulary is damaged: ids: expected less than 542, found 600."),
        ("/model/other", json!(1), "tokenizer.json is damaged: unknown field `other`"),
        (
            "/model",
            json!("BPE"),
            "tokenizer.json is damaged: invalid type: string \"BPE\", expected struct ModelType",
        ),
        (
            "/added_tokens/0/id",
            json!(4_294_967_295u32),
            "vocabulary is damaged: ids: expected less than 542, found 4294967295.",
        ),
        (
            "/added_tokens/0/id",
            json!(262),
            "vocabulary is damaged: token 262: expected one text, once, found \"<|begin_of_text|>\" and \"<|start_header_id|>\".",
        ),
        (
            "/added_tokens/0/id",
            json!(97),
            "vocabulary is damaged: token 97: expected one text, once, found \"a\" and \"<|begin_of_text|>\".",
        ),
        (
            "/added_tokens/0/content",
            json!(null),
            "tokenizer.json is damaged: invalid type: null, expected a string",
        ),
        (regex, json!("(a"), "tokenizer has an expression that can't be run: unclosed group: (a."),
        (
            regex,
            json!("a(?=b)"),
            "tokenizer has an expression that can't be run: look-around, including look-ahead and look-behind, is not supported: a(?=b).",
        ),
        (regex, json!("x".repeat(70_000)), "tokenizer.json is damaged: its pre_tokenizer has 70"),
        (
            "/pre_tokenizer/pretokenizers/0/pattern",
            json!({ "Glob": "a" }),
            "tokenizer.json is damaged: its pre_tokenizer: unknown variant `Glob`",
        ),
        ("/decoder", json!("ByteLevel"), "tokenizer.json is damaged: its decoder: invalid type: string"),
    ] {
        let error = read(&change(path, value.clone())).map(|_| ()).unwrap_err();
        let begins = format!("The model's {detail}");
        assert!(error.to_string().starts_with(&begins), "{path} {value}: {error}");
    }
}

#[test]
fn broken_json_is_refused_with_a_sentence() {
    let whole = file(byte_level(true), false).to_string();
    for (text, detail) in [
        ("", "EOF while parsing a value at line 1 column 0"),
        ("[]", "expected struct File"),
        ("7", "invalid type: integer `7`, expected struct File"),
        ("{}", "missing field `model`"),
        (&whole[..whole.len() / 2], "EOF while parsing"),
        (&whole.replacen("\"a\":97", "\"b\":97", 1), "each token once"),
        (&whole.replacen("\"version\"", "\"model\":null,\"version\"", 1), "duplicate field `model`"),
        (&"[".repeat(100_000), "invalid type: sequence"),
        (&format!("{{\"model\":{}", "[".repeat(100_000)), "EOF while parsing"),
        (&format!("{{\"x\":{}", "[".repeat(100_000)), "EOF while parsing"),
    ] {
        let error = Tokenizer::from_tokenizer_json(text.as_bytes()).map(|_| ()).unwrap_err();
        assert!(error.to_string().contains(detail), "{text:.60}: {error}");
    }
    assert!(Tokenizer::from_tokenizer_json(b"\xff{}").is_err());
    let long = vec![b' '; MAX_FILE_BYTES + 1];
    let error = Tokenizer::from_tokenizer_json(&long).map(|_| ()).unwrap_err();
    assert_eq!(
        error.to_string(),
        "The model's tokenizer.json is damaged: it has 67108865 bytes, and at most 67108864 are read."
    );
}

/// Every prefix, and every byte turned into another: no input may make it panic.
#[test]
fn no_bytes_make_it_panic() {
    let mut small = file(byte_level(true), false);
    small["model"]["vocab"] = json!({ "a": 0, "b": 1, "ab": 2 });
    small["model"]["merges"] = json!(["a b"]);
    small["added_tokens"] = json!([{ "id": 3, "content": "<x>", "special": true }]);
    let bytes = small.to_string().into_bytes();
    assert!(Tokenizer::from_tokenizer_json(&bytes).is_ok());
    for at in 0..bytes.len() {
        let _ = Tokenizer::from_tokenizer_json(&bytes[..at]).map(|tokenizer| tokenizer.encode("ab <x>"));
        for other in [b'0', b'9', b'"', b'{', b']', 0xff] {
            let mut changed = bytes.clone();
            changed[at] = other;
            let _ = Tokenizer::from_tokenizer_json(&changed).map(|tokenizer| tokenizer.encode("ab <x>"));
        }
    }
}
