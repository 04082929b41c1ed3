use super::*;
use crate::{Vocabulary, byte_level};

const CONTROL: [&str; 9] = [
    "<|begin_of_text|>",
    "<|start_header_id|>",
    "<|end_header_id|>",
    "<|eot_id|>",
    "<|eom_id|>",
    "<|im_start|>",
    "<|im_end|>",
    "<tool>",
    "<|end|>",
];

/// Ids 0 to 255 are the bytes, 256 to 260 come from merging, then control tokens, and a user-defined one.
pub(crate) fn vocabulary(pre: &str) -> Vocabulary {
    let mut tokens: Vec<String> = byte_level::tests::alphabet().map(String::from).into();
    // The last but one is a word that merging would cut: `hel` needs `he l`, which is no merge.
    tokens.extend(["he", "Ġt", "Ġthe", "hel", "12"].map(String::from));
    let mut token_types = vec![1; tokens.len()];
    tokens.extend(CONTROL.map(String::from));
    token_types.extend([3; CONTROL.len()]);
    tokens.push("    ".into());
    token_types.push(4);
    let merges = ["h e", "Ġ t", "Ġt he", "1 2"].map(String::from).into();
    Vocabulary {
        pre: pre.into(),
        tokens,
        token_types,
        merges,
        bos_token_id: Some(261),
        eos_token_id: Some(264),
        ..Vocabulary::default()
    }
}

pub(crate) fn tokenizer(pre: &str) -> Tokenizer {
    Tokenizer::from_vocabulary(vocabulary(pre)).unwrap()
}

fn bytes(text: &str) -> Vec<u32> {
    text.bytes().map(u32::from).collect()
}

#[test]
fn merges_are_applied_best_first() {
    let gpt_2 = tokenizer("gpt-2");
    for (text, expected) in [
        ("", vec![]),
        ("he the", vec![256, 258]),
        ("hhe", vec![b'h'.into(), 256]),
        (" t", vec![257]),
        ("the", vec![b't'.into(), 256]),
        ("1212", vec![260, 260]),
        ("é\n", vec![0xc3, 0xa9, 10]),
    ] {
        assert_eq!(gpt_2.encode(text), Ok(expected), "{text:?}");
    }
    // A digit alone can't merge; a word that is a token does not need to.
    assert_eq!(tokenizer("smollm").encode("12 hel"), Ok([bytes("12 "), vec![256, b'l'.into()]].concat()));
    assert_eq!(tokenizer("llama-bpe").encode("12hel"), Ok(vec![260, 259]));
}

#[test]
fn ordinary_text_never_becomes_a_control_token() {
    for pre in ["llama-bpe", "smollm", "gpt-2"] {
        let tokenizer = tokenizer(pre);
        for control in CONTROL {
            for text in [control.to_owned(), format!("{control}{control}"), format!("a {control}\n")] {
                let ids = tokenizer.encode(&text).unwrap();
                assert!(ids.iter().all(|id| !tokenizer.is_control(*id)), "{pre}: {text}: {ids:?}");
                assert_eq!(tokenizer.decode(&ids), text);
            }
        }
    }
    // Not even if a merge or the whole word spells one.
    let mut hostile = vocabulary("llama-bpe");
    hostile.token_types[259] = 3;
    let hostile = Tokenizer::from_vocabulary(hostile).unwrap();
    assert_eq!(hostile.encode("hel"), Ok(vec![256, b'l'.into()]));
}

#[test]
fn control_tokens_are_found_where_they_are_meant() {
    let tokenizer = tokenizer("llama-bpe");
    let ids = tokenizer.encode_with_special("<|im_start|>he<|im_end|><|im_end|>the<|im_en").unwrap();
    let expected = [vec![266, 256, 267, 267, b't'.into(), 256], bytes("<|im_en")].concat();
    assert_eq!(ids, expected);
    assert_eq!(tokenizer.decode(&ids), "<|im_start|>he<|im_end|><|im_end|>the<|im_en");
}

#[test]
fn user_defined_tokens_are_found_in_all_text() {
    let tokenizer = tokenizer("llama-bpe");
    let expected = [vec![270], bytes(" "), vec![256]].concat();
    assert_eq!(tokenizer.encode("     he"), Ok(expected.clone()));
    assert_eq!(tokenizer.encode_with_special("     he"), Ok(expected));
    assert_eq!(tokenizer.decode(&[270, 256]), "    he");
    assert!(!tokenizer.is_control(270));
}

#[test]
fn stops_are_those_the_file_names_and_those_everyone_knows() {
    assert_eq!(tokenizer("llama-bpe").stop_ids(), [264, 265, 267, 269]);
    let mut named = vocabulary("llama-bpe");
    (named.eos_token_id, named.eot_token_id, named.eom_token_id) = (Some(3), Some(264), Some(268));
    // A normal token is no stop only because of its name.
    named.token_types[269] = 1;
    assert_eq!(Tokenizer::from_vocabulary(named).unwrap().stop_ids(), [3, 264, 265, 267, 268]);
}

#[test]
fn says_whether_plain_text_begins_with_bos() {
    let mut vocabulary = vocabulary("llama-bpe");
    assert_eq!(Tokenizer::from_vocabulary(vocabulary.clone()).unwrap().bos_before_text(), None);
    vocabulary.add_bos_token = true;
    let tokenizer = Tokenizer::from_vocabulary(vocabulary).unwrap();
    assert_eq!((tokenizer.bos_before_text(), tokenizer.vocab_size()), (Some(261), 271));
}

#[test]
fn bytes_without_a_token_are_left_out() {
    let mut vocabulary = vocabulary("llama-bpe");
    vocabulary.tokens[usize::from(b'q')] = "other".into();
    let tokenizer = Tokenizer::from_vocabulary(vocabulary).unwrap();
    assert_eq!(tokenizer.encode("aqb"), Ok(bytes("ab")));
}

#[test]
fn long_runs_come_out_whole() {
    for pre in ["llama-bpe", "smollm", "gpt-2"] {
        let tokenizer = tokenizer(pre);
        for (what, text) in [
            ("spaces", " ".repeat(25_000)),
            ("more spaces, then a word", " ".repeat(60_001) + "he"),
            ("line feeds", "\n".repeat(100_000)),
            ("mixed white space", " \n\t".repeat(40_000)),
            ("a letter", "h".repeat(100_000)),
            ("two that merge", "he".repeat(50_000)),
            ("digits", "1".repeat(100_000)),
            ("punctuation", "<".repeat(100_000)),
            ("emoji", "🙂".repeat(30_000)),
            ("apostrophes", "'".repeat(100_000)),
            ("words", "the ".repeat(30_000)),
        ] {
            let ids = tokenizer.encode(&text).unwrap();
            assert!(tokenizer.decode(&ids) == text, "{pre}: {what}");
        }
    }
}

#[test]
fn text_beyond_any_context_is_refused() {
    let tokenizer = tokenizer("gpt-2");
    let bytes = MAX_BYTES + 1;
    assert_eq!(tokenizer.encode(&"a".repeat(bytes)), Err(ChatError::TooLong { bytes, limit: MAX_BYTES }));
}

#[test]
fn runs_are_bounded_by_kind() {
    let (letters, spaces) = ("é".repeat(MAX_RUN), "\u{3000}".repeat(MAX_RUN));
    for (text, expected) in [
        (String::new(), vec![String::new()]),
        (letters.clone() + &spaces + &letters, vec![letters.clone() + &spaces + &letters]),
        (letters.clone() + "é", vec![letters.clone(), "é".into()]),
        (spaces.clone() + &spaces + "a", vec![spaces.clone(), spaces.clone() + "a"]),
    ] {
        assert!(runs(&text) == expected);
    }
}

#[test]
fn further_ids_may_end_an_answer() {
    let tokenizer = tokenizer("gpt-2").with_stop_ids(&[3, 264, 3]).unwrap();
    assert_eq!(tokenizer.stop_ids(), [3, 264, 265, 267, 269]);
    let tokenizer = tokenizer.with_eos_token_id(7).unwrap().with_bos_token_id(8).unwrap();
    assert_eq!(tokenizer.stop_ids(), [3, 7, 264, 265, 267, 269]);
    assert_eq!((tokenizer.eos_token(), tokenizer.bos_token()), ("\u{7}".into(), "\u{8}".into()));
    let beyond = |field| Err(ChatError::vocabulary(field, "less than 271", 271));
    assert_eq!(tokenizer.clone().with_stop_ids(&[3, 271]).map(|_| ()), beyond("eos_token_id"));
    assert_eq!(tokenizer.clone().with_eos_token_id(271).map(|_| ()), beyond("eos_token_id"));
    assert_eq!(tokenizer.with_bos_token_id(271).map(|_| ()), beyond("bos_token_id"));
}

#[test]
fn control_tokens_are_known_by_name() {
    let tokenizer = tokenizer("gpt-2");
    for (name, expected) in [("<|eom_id|>", Some(265)), ("<|python_tag|>", None), ("he", None), ("", None)] {
        assert_eq!(tokenizer.control_id(name), expected, "{name}");
    }
}
