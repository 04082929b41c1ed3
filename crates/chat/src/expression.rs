//! One regular expression of a pre-tokenizer, run in time that grows with the text alone.
//!
//! A tokenizer's expressions are a stranger's program. An engine that backtracks can be kept busy for ever, and one
//! that gives up after so many steps goes on with a text that is cut differently. The crate `tokenizers`, which
//! merges, has such a one: it cuts with `fancy-regex`, and where that reaches its limit of backtracking, the crate
//! ends the cut without a word, and all the text that is left becomes one. So expressions do not run there but as a
//! lazily built automaton, which reads each byte once per word, and what it can't run is refused by name.
//!
//! The one look-ahead that the field's expressions have is their last alternatives:
//!
//! ```text
//! \s+(?!\S)|\s+    white space, but its last character is left to the word behind it
//! ```
//!
//! It is taken off, `\s+` runs in its place as a second pattern, and a match of that one gives its last character back.

use std::sync::{Mutex, PoisonError};

use regex_automata::hybrid::LazyStateID;
use regex_automata::hybrid::dfa::{Cache, DFA};
use regex_automata::nfa::thompson;
use regex_automata::util::syntax;
use regex_automata::{Anchored, Input};

use crate::ChatError;
use crate::budget::Budget;

/// Longer ones are no expression but an attack; the longest in use has some 1,600 bytes of letter ranges.
pub(crate) const MAX_BYTES: usize = 8 * 1024;

/// Of the automaton before it is made deterministic. Llama 3's takes 0.2 MiB.
const MAX_NFA_BYTES: usize = 4 * 1024 * 1024;

/// The white space at the end of an expression, and what becomes of a single character before a word:
/// the last alternative takes it, or else no match does.
const WHITE_SPACE: [(&str, Single); 2] =
    [(r"\s+(?!\S)|\s+", Single::IsAWord), (r"\s+(?!\S)", Single::IsNoMatch)];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Single {
    IsAWord,
    IsNoMatch,
}

/// A regular expression whose matches are words, as is what lies between them.
#[derive(Debug)]
pub(crate) struct Expression {
    dfa: DFA,
    /// States that have been met so far.
    cache: Mutex<Cache>,
    white_space: Option<Single>,
}

impl Expression {
    /// Fails with the reason if the expression can't be run.
    pub(crate) fn new(pattern: &str) -> Result<Expression, String> {
        check(pattern)?;
        let found = WHITE_SPACE.iter().find_map(|(tail, single)| {
            let head = pattern.strip_suffix(tail)?;
            let head = if head.is_empty() { None } else { Some(head.strip_suffix('|')?) };
            Some((head, *single))
        });
        let patterns = match found {
            Some((head, _)) => head.into_iter().chain([r"\s+"]).collect(),
            None => vec![pattern],
        };
        let dfa = DFA::builder()
            // Oniguruma's `^` and `$` stand at every line's ends.
            .syntax(syntax::Config::new().multi_line(true))
            .thompson(thompson::Config::new().nfa_size_limit(Some(MAX_NFA_BYTES)))
            .build_many(&patterns)
            .map_err(|error| innermost(&error))?;
        if dfa.get_nfa().has_empty() {
            return Err("it matches where there is nothing".into());
        }
        let cache = Mutex::new(dfa.create_cache());
        Ok(Expression { dfa, cache, white_space: found.map(|(_, single)| single) })
    }

    /// Hands on the words of `text` in order: they are the whole text, and none is empty.
    pub(crate) fn split(
        &self,
        text: &str,
        budget: &Budget,
        each: &mut dyn FnMut(&str) -> Result<(), ChatError>,
    ) -> Result<(), ChatError> {
        let (mut start, mut at) = (0, 0);
        while at < text.len() {
            match self.end_of_match(text, at, budget)? {
                Some(end) => {
                    if start < at {
                        each(&text[start..at])?;
                    }
                    each(&text[at..end])?;
                    (start, at) = (end, end);
                }
                None => at += text[at..].chars().next().map_or(1, char::len_utf8),
            }
        }
        if start < at { each(&text[start..at]) } else { Ok(()) }
    }

    /// Where the match that begins at `at` ends.
    fn end_of_match(&self, text: &str, at: usize, budget: &Budget) -> Result<Option<usize>, ChatError> {
        let Some((pattern, end)) = self.longest(text, at, budget)? else { return Ok(None) };
        let single = match self.white_space {
            Some(single) if pattern + 1 == self.dfa.pattern_len() => single,
            _ => return Ok(Some(end)),
        };
        if end == text.len() {
            return Ok(Some(end));
        }
        let last = text[at..end].chars().next_back().map_or(0, char::len_utf8);
        Ok(match single {
            _ if at < end - last => Some(end - last),
            Single::IsAWord => Some(end),
            Single::IsNoMatch => None,
        })
    }

    /// Runs the automaton from `at` until nothing can match any more: which pattern has matched, and up to where.
    fn longest(&self, text: &str, at: usize, budget: &Budget) -> Result<Option<(usize, usize)>, ChatError> {
        let mut cache = self.cache.lock().unwrap_or_else(PoisonError::into_inner);
        let cache = &mut *cache;
        let input = Input::new(text).range(at..).anchored(Anchored::Yes);
        let mut state = self.dfa.start_state_forward(cache, &input).map_err(ChatError::expression)?;
        let mut found = None;
        for (index, byte) in text.as_bytes().iter().enumerate().skip(at) {
            budget.spend()?;
            state = self.dfa.next_state(cache, state, *byte).map_err(ChatError::expression)?;
            // A match is seen one byte late.
            found = self.matched(cache, state, index)?.or(found);
            if state.is_dead() {
                return Ok(found);
            }
        }
        state = self.dfa.next_eoi_state(cache, state).map_err(ChatError::expression)?;
        Ok(self.matched(cache, state, text.len())?.or(found))
    }

    fn matched(
        &self,
        cache: &Cache,
        state: LazyStateID,
        end: usize,
    ) -> Result<Option<(usize, usize)>, ChatError> {
        if state.is_quit() {
            return Err(ChatError::expression("the automaton gave up"));
        }
        Ok(state.is_match().then(|| (self.dfa.match_pattern(cache, state, 0).as_usize(), end)))
    }
}

/// Refuses what would run here, but not as the field's engine (Oniguruma) does.
fn check(pattern: &str) -> Result<(), String> {
    if pattern.len() > MAX_BYTES {
        return Err(format!("it has {} bytes, and at most {MAX_BYTES} can be run", pattern.len()));
    }
    let (mut class_depth, mut at) = (0u32, 0);
    let bytes = pattern.as_bytes();
    while let Some(byte) = bytes.get(at) {
        let rest = &bytes[at..];
        let refused = match (class_depth, byte) {
            (_, b'\\') if rest.starts_with(br"\w") || rest.starts_with(br"\W") => Some("the class \\w"),
            (0, b'?' | b'*' | b'+') if rest.get(1) == Some(&b'+') => Some("a possessive quantifier"),
            (0, b'(') if sets_flags(rest) => Some("flags for what follows, or the flag x"),
            (_, b'[') if rest.starts_with(b"[:") => Some("a POSIX class"),
            (1.., b'-') if rest.starts_with(b"--") => Some("a double hyphen in a class"),
            (1.., b'~') if rest.starts_with(b"~~") => Some("a double tilde in a class"),
            _ => None,
        };
        if let Some(what) = refused {
            return Err(format!("it has {what}"));
        }
        at += match (class_depth, byte) {
            // What is escaped is itself.
            (_, b'\\') => 2,
            (_, b'[') => {
                class_depth += 1;
                // A bracket that closes nothing is itself.
                if rest.starts_with(b"[]") {
                    2
                } else if rest.starts_with(b"[^]") {
                    3
                } else {
                    1
                }
            }
            (1.., b']') => {
                class_depth -= 1;
                1
            }
            _ => 1,
        };
    }
    Ok(())
}

/// Whether a group sets flags that would not reach the white space that is taken off, or lets white space and
/// comments into the expression.
fn sets_flags(group: &[u8]) -> bool {
    let Some(flags) = group.strip_prefix(b"(?") else { return false };
    let count = flags.iter().take_while(|byte| byte.is_ascii_alphabetic() || **byte == b'-').count();
    match flags.get(count) {
        Some(b')') => true,
        Some(b':') => flags[..count].contains(&b'x'),
        _ => false,
    }
}

/// The error at the end of the chain, which says what is wrong rather than where it came up, on one line.
fn innermost(error: &dyn std::error::Error) -> String {
    let mut error = error;
    while let Some(source) = error.source() {
        error = source;
    }
    let text = error.to_string();
    let last = text.lines().next_back().unwrap_or_default();
    last.trim_start_matches("error: ").chars().take(200).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(pattern: &str, text: &str) -> Result<Vec<String>, ChatError> {
        let expression = Expression::new(pattern).unwrap();
        let mut words = Vec::new();
        expression.split(text, &Budget::for_text(text), &mut |word| {
            words.push(word.to_owned());
            Ok(())
        })?;
        assert_eq!(words.concat(), text);
        assert!(words.iter().all(|word| !word.is_empty()));
        Ok(words)
    }

    #[track_caller]
    fn check_words(pattern: &str, rows: &[(&str, &[&str])]) {
        for (text, expected) in rows {
            assert_eq!(words(pattern, text).unwrap(), *expected, "{pattern} on {text:?}");
        }
    }

    /// Expected as Python's `regex.findall` gives them, with what lies between.
    #[test]
    fn matches_and_what_lies_between_are_words() {
        check_words(r"\p{N}", &[("", &[]), ("a12b", &["a", "1", "2", "b"]), ("ab", &["ab"])]);
        check_words(r"ab|a|abc", &[("abcaab", &["ab", "c", "a", "ab"])]);
        check_words(r"a{1,3}?|b{1,2}", &[("aabbb", &["a", "a", "bb", "b"])]);
        check_words(r"x$|^y", &[("x\nyx", &["x", "\n", "y", "x"]), ("xyx", &["xy", "x"])]);
        check_words(r"\s+$", &[("a  b  ", &["a  b", "  "])]);
        check_words(r"(?i:'s)", &[("x'ſ'S's", &["x", "'ſ", "'S", "'s"])]);
        check_words(r"日+", &[("a日日b", &["a", "日日", "b"])]);
    }

    #[test]
    fn white_space_leaves_its_last_character_to_the_word_behind() {
        let with_single = r" ?\p{L}+|\s+(?!\S)|\s+";
        check_words(
            with_single,
            &[
                ("a b", &["a", " b"]),
                ("a   b", &["a", "  ", " b"]),
                ("a\t\tb", &["a", "\t", "\t", "b"]),
                ("a\u{3000}\u{3000}b", &["a", "\u{3000}", "\u{3000}", "b"]),
                ("a   ", &["a", "   "]),
                (" \u{a0} ", &[" \u{a0} "]),
                ("a\t!", &["a", "\t", "!"]),
            ],
        );
        // A single one that nothing takes lies between matches.
        check_words(
            r" ?\p{L}+|\s+(?!\S)",
            &[("a\t!", &["a", "\t!"]), ("a\t\t!", &["a", "\t", "\t!"]), ("\t", &["\t"])],
        );
        // An earlier alternative wins, also where it takes only white space.
        check_words(
            r"\s*\n+|\s+(?!\S)|\s+",
            &[("  \n  \n  a", &["  \n  \n", " ", " ", "a"]), ("\n\n", &["\n\n"])],
        );
        check_words(r"\s+(?!\S)|\s+", &[("  a ", &[" ", " ", "a", " "])]);
    }

    /// Each would keep an engine that backtracks busy until the sun burns out.
    #[test]
    fn no_expression_takes_for_ever() {
        let text = "a".repeat(5000) + "!";
        for pattern in [r"(a+)+$", r"(a|a)*b|a", r"(a|aa)+$", r"(.*a){12}b|!", r"(?:a?){40}a{40}b|!"] {
            let words = words(pattern, &text).unwrap();
            assert!(words.len() <= 5001, "{pattern}");
        }
        // The text over again at each of its characters: 4 million times 2 million bytes.
        let text = "a".repeat(4 << 20);
        let error = words(r".*b|a", &text).unwrap_err();
        assert!(matches!(error, ChatError::PreTokenizerLimit), "{error}");
    }

    #[test]
    fn what_can_not_be_run_is_refused_with_the_reason() {
        for (pattern, reason) in [
            (r"a(?=b)", "look-around, including look-ahead and look-behind, is not supported"),
            (r"(?<!a)b", "look-around, including look-ahead and look-behind, is not supported"),
            (r"a|(?!\S)|\s+", "look-around, including look-ahead and look-behind, is not supported"),
            (r"(a)\1", "backreferences are not supported"),
            (r"[a", "unclosed character class"),
            (r"\p{Nonsense}", "Unicode property not found"),
            (r"a?", "it matches where there is nothing"),
            (r"\s+(?!\S)|\s+|", "look-around, including look-ahead and look-behind, is not supported"),
            (r"|\s+(?!\S)|\s+", "it matches where there is nothing"),
            ("", "it matches where there is nothing"),
            (r"\p{L}++", "it has a possessive quantifier"),
            (r"[^x]?+a", "it has a possessive quantifier"),
            (r"[[:alpha:]]", "it has a POSIX class"),
            (r"[+--]", "it has a double hyphen in a class"),
            (r"[a~~b]", "it has a double tilde in a class"),
            (r"[]?]a++", "it has a possessive quantifier"),
            (r"[^]?]a++", "it has a possessive quantifier"),
            (r"\w+", r"it has the class \w"),
            (r"(?x)a # |\s+(?!\S)|\s+", "it has flags for what follows, or the flag x"),
            (r"(?i)a|\s+(?!\S)|\s+", "it has flags for what follows, or the flag x"),
            (r"(?ix:a #)", "it has flags for what follows, or the flag x"),
        ] {
            assert_eq!(Expression::new(pattern).map(|_| ()), Err(reason.into()), "{pattern}");
        }
        // Escaped or in a class, they are themselves.
        for pattern in [
            r"[*+?+]",
            r"[[?+]*+,]",
            r"--~~",
            r"(?<name>a)",
            r"(?i-s:a)",
            r"a{1,2}+",
            r"a\++",
            r"\?+",
            r"\\+",
            r"\[:",
            r"\--",
            r"\(?x",
        ] {
            assert_eq!(Expression::new(pattern).map(|_| ()), Ok(()), "{pattern}");
        }
        let long = "a".repeat(MAX_BYTES + 1);
        let error = Expression::new(&long).map(|_| ()).unwrap_err();
        assert_eq!(error, "it has 8193 bytes, and at most 8192 can be run");
        for large in [r"((\p{L}{900}){900}){900}", r"(\p{L}{500}\p{N}{500}){200}"] {
            let error = Expression::new(large).map(|_| ()).unwrap_err();
            assert!(error.contains("limit"), "{error}");
        }
        assert!(Expression::new(&("(".repeat(4000) + &")".repeat(4000))).is_err());
    }

    #[test]
    fn word_boundaries_are_refused() {
        for pattern in [r"\bа", r"\<a", r"a\B"] {
            assert!(Expression::new(pattern).is_err(), "{pattern}");
        }
    }
}
