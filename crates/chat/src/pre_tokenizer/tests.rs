use std::collections::BTreeSet;

use tokenizers::pre_tokenizers::PreTokenizerWrapper;
use tokenizers::pre_tokenizers::byte_level::ByteLevel;
use tokenizers::pre_tokenizers::digits::Digits;
use tokenizers::pre_tokenizers::sequence::Sequence;
use tokenizers::pre_tokenizers::split::{Split, SplitPattern};
use tokenizers::{OffsetReferential, OffsetType, PreTokenizer as _, SplitDelimiterBehavior};

use super::*;

fn cut(name: &str, text: &str) -> Vec<String> {
    let (pre_tokenizer, _) = PreTokenizer::by_name(name).unwrap();
    let mut words = Vec::new();
    pre_tokenizer
        .split(text, &mut |word| {
            words.push(word.to_owned());
            Ok(())
        })
        .unwrap();
    words
}

#[track_caller]
fn check(name: &str, rows: &[(&str, &[&str])]) {
    for (text, expected) in rows {
        assert_eq!(cut(name, text), *expected, "{name}: {text:?}");
    }
}

/// Rows where they differ, as tiktoken and transformers cut them.
#[test]
fn each_cuts_in_its_own_way() {
    check(
        "llama-bpe",
        &[
            ("", &[]),
            ("Hello world", &["Hello", " world"]),
            ("12345 6", &["123", "45", " ", "6"]),
            ("I'LL don't x'ſ", &["I", "'LL", " don", "'t", " x", "'ſ"]),
            ("a  b\n\n  c", &["a", " ", " b", "\n\n", " ", " c"]),
            ("x.\r\ny", &["x", ".\r\n", "y"]),
            ("(a)", &["(a", ")"]),
            ("日本 語", &["日本", " 語"]),
            ("  ", &["  "]),
        ],
    );
    check(
        "smollm",
        &[
            ("Hello world", &["Hello", " world"]),
            ("12345 6", &["1", "2", "3", "4", "5", " ", "6"]),
            ("I'LL don't", &["I", "'", "LL", " don", "'t"]),
            ("a  b\n\n  c", &["a", " ", " b", "\n\n ", " c"]),
            ("½x", &["½", "x"]),
        ],
    );
    check(
        "gpt-2",
        &[
            ("12345 6", &["12345", " 6"]),
            ("(a)", &["(", "a", ")"]),
            ("x.\r\ny", &["x", ".", "\r", "\n", "y"]),
        ],
    );
    check("qwen2", &[("I'LL 123\n", &["I", "'LL", " ", "1", "2", "3", "\n"])]);
    check(
        "tekken",
        &[
            ("helloWorld HTTPServer//\nx1", &["hello", "World", " HTTPServer", "//\n", "x", "1"]),
            ("I'll", &["I", "'ll"]),
        ],
    );
    check("gpt-4o", &[("I'll myFn'S 1234", &["I'll", " my", "Fn'S", " ", "123", "4"])]);
    check("seed-coder", &[("x.\ny 12", &["x", ".", "\n", "y", " ", "1", "2"])]);
    check("minicpm5", &[("a1234 b", &["a", "123", "4", " b"])]);
    check(
        "deepseek-coder",
        &[("def f(x):\n  12 日本語", &["def", " f", "(", "x", "):", "\n", "  ", "1", "2", " ", "日本語"])],
    );
    check(
        "deepseek-llm",
        &[
            ("Hi, you! 12  ", &["Hi", ",", " you", "!", " ", "12", "  "]),
            ("x 日本語。é\nК", &["x", " ", "日本語", "。", "é", "\n", "К"]),
            ("1   2", &["1", "   ", "2"]),
        ],
    );
    check("deepseek-v3", &[("1234日本 don't _x", &["123", "4", "日本", " don", "'t", " _", "x"])]);
    check("falcon", &[("a+b 12345.", &["a", "+", "b", " ", "123", "45", "."])]);
    check("bloom", &[("a b, c(12)", &["a", " b", ",", " c", "(", "12", ")"])]);
    check("viking", &[("a b, c(12)", &["a", " b", ",", " c", "(", "1", "2", ")"])]);
    check("default", &[("a+b 12345", &["a", "+", "b", " ", "123", "45"])]);
}

/// Text of everything that the expressions tell apart, in no order.
fn anything(seed: u32, pieces: usize) -> String {
    const PIECES: [&str; 32] = [
        " ", " ", "  ", "\n", "\r", "\r\n", "\t", "he", "'ll", "'S", "1", "234", "½", "é", "日", "!", "<",
        "/", "\u{300}", "\u{3000}", " the", "ſ", "ǅ", "К", "ー", "🦙", "'", "_", "“", "।", "ʰ", "٣",
    ];
    let mut state = seed;
    let next = |_| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        PIECES[(state >> 27) as usize]
    };
    (0..pieces).map(next).collect()
}

/// As Hugging Face's implementation cuts with the same expressions.
#[test]
fn words_are_those_of_the_reference() {
    let mut checked: BTreeSet<&str> = BTreeSet::new();
    for known in &KNOWN {
        let steps = known.expressions.iter().map(|pattern| {
            let pattern = SplitPattern::Regex((*pattern).into());
            Split::new(pattern, SplitDelimiterBehavior::Isolated, false).unwrap().into()
        });
        let reference = PreTokenizerWrapper::from(Sequence::new(steps.collect()));
        for seed in 0..40 {
            let text = anything(seed, 200);
            let mut words = tokenizers::PreTokenizedString::from(text.as_str());
            reference.pre_tokenize(&mut words).unwrap();
            let words = words.get_splits(OffsetReferential::Original, OffsetType::Byte);
            let expected: Vec<&str> = words.iter().map(|(_, range, _)| &text[range.0..range.1]).collect();
            assert_eq!(cut(known.names[0], &text), expected, "{}: {text:?}", known.names[0]);
        }
        checked.extend(known.names);
    }
    assert!(checked.len() > 40);
    // The steps that have a name of their own in Hugging Face's files.
    let no_prefix_space = ByteLevel::default().add_prefix_space(false);
    for (name, reference) in [
        ("gpt-2", PreTokenizerWrapper::from(no_prefix_space)),
        ("smollm", Sequence::new(vec![Digits::new(true).into(), no_prefix_space.into()]).into()),
    ] {
        for seed in 0..40 {
            let text = anything(seed, 200);
            let mut words = tokenizers::PreTokenizedString::from(text.as_str());
            reference.pre_tokenize(&mut words).unwrap();
            let words = words.get_splits(OffsetReferential::Original, OffsetType::Byte);
            let expected: Vec<&str> = words.iter().map(|(_, range, _)| &text[range.0..range.1]).collect();
            assert_eq!(cut(name, &text), expected, "{name}: {text:?}");
        }
    }
}

#[test]
fn no_name_is_there_twice() {
    let names: Vec<&str> = KNOWN.iter().flat_map(|known| known.names).copied().collect();
    let once: BTreeSet<&str> = names.iter().copied().collect();
    assert_eq!(once.len(), names.len());
}

#[test]
fn unknown_names_are_refused_by_name() {
    for name in ["", "kimi-k2", "LLAMA-BPE"] {
        match PreTokenizer::by_name(name).map(|_| ()) {
            Err(ChatError::PreTokenizer { found, supported }) => {
                assert_eq!(found, name);
                assert!(supported.starts_with("llama-bpe, llama3, ") && supported.ends_with(", default"));
            }
            other => panic!("{name}: {other:?}"),
        }
    }
}

#[test]
fn too_many_expressions_are_refused() {
    for (expressions, reason) in [
        (
            vec!["a"; 17],
            "the pre-tokenizer has 17 expressions of 17 bytes in all, and at most 16 of 8192 bytes can be run",
        ),
        (vec!["a|b"; 1], ""),
        (vec!["(", "a"], "unclosed group"),
    ] {
        match PreTokenizer::new(&expressions) {
            Ok(_) => assert_eq!(reason, ""),
            Err(error) => {
                let pattern = if expressions.len() == 2 { "(" } else { "" };
                assert_eq!(error, ChatError::Expression { pattern: pattern.into(), reason: reason.into() });
            }
        }
    }
    let long = "a".repeat(5000);
    assert!(PreTokenizer::new(&[&long, &long]).is_err());
}

/// A word that white space runs through, and runs of everything, take no more steps than there are.
#[test]
fn long_runs_are_cut_in_time() {
    for known in &KNOWN {
        for (what, text) in [
            ("spaces", " ".repeat(20_000) + "x"),
            ("line feeds", "\n".repeat(20_000) + "x"),
            ("mixed white space", " \n\t".repeat(6000)),
            ("letters", "aB".repeat(10_000)),
            ("capitals", "A".repeat(20_000)),
            ("digits", "1".repeat(20_000)),
            ("digits apart", "1 ".repeat(10_000)),
            ("marks", "\u{300}".repeat(10_000)),
            ("punctuation", "<'/".repeat(7000)),
        ] {
            let words = cut(known.names[0], &text);
            assert!(words.concat() == text, "{}: {what}", known.names[0]);
        }
    }
}
