//! The end of a text that is still being written, settled so that nothing flashes.
//!
//! Half of a mark reads as something else: `**bo` is two asterisks until `ld**` comes, a lone `-` under a paragraph
//! makes it a heading, the first row of a table is a paragraph of bars.
//! So on the last line marks that are open are closed and a link without an end shows its words; and a last line
//! that may yet become anything waits for the next token.

use std::borrow::Cow;

/// `source` as it is parsed while more is to come.
pub(super) fn settle(source: &str) -> Cow<'_, str> {
    let last_line = line_start(source);
    match fence(source) {
        Fence::Itself => Cow::Borrowed(source),
        Fence::Inside if is_marks(&source[last_line..], "`~") => Cow::Borrowed(&source[..last_line]),
        Fence::Inside => Cow::Borrowed(source),
        Fence::Outside if is_undecided(&source[last_line..]) => {
            Cow::Borrowed(&source[..table_start(&source[..last_line])])
        }
        Fence::Outside if table_start(source) < source.len() => Cow::Borrowed(&source[..table_start(source)]),
        Fence::Outside => {
            Cow::Owned(format!("{}{}", &source[..last_line], close_marks(&source[last_line..])))
        }
    }
}

/// Where the last line stands.
enum Fence {
    /// In no code block.
    Outside,
    /// In one.
    Inside,
    /// It opens or closes one.
    Itself,
}

fn fence(source: &str) -> Fence {
    let mut open: Option<(char, usize)> = None;
    let mut is_fence = false;
    for line in source.split('\n') {
        let text = line.trim();
        let mark = text.chars().next().filter(|mark| matches!(mark, '`' | '~')).unwrap_or(' ');
        let run = text.chars().take_while(|c| *c == mark).count();
        let before = open;
        open = match open {
            Some((opener, length)) if mark == opener && run >= length && text.len() == run => None,
            // A fence of backticks has none in the rest of its line, or it is code within a line.
            None if run >= 3 && mark != ' ' && !(mark == '`' && text[run..].contains('`')) => {
                Some((mark, run))
            }
            unchanged => unchanged,
        };
        is_fence = open != before;
    }
    match open {
        _ if is_fence => Fence::Itself,
        Some(_) => Fence::Inside,
        None => Fence::Outside,
    }
}

fn line_start(text: &str) -> usize {
    text.rfind('\n').map_or(0, |newline| newline + 1)
}

fn is_marks(line: &str, marks: &str) -> bool {
    !line.trim().is_empty() && line.trim().chars().all(|c| marks.contains(c))
}

/// Whether the last line may become a list item, a heading, a rule, an underline, a fence.
fn is_undecided(line: &str) -> bool {
    let line = line.trim();
    let number = line.trim_end_matches(['.', ')']);
    let item_number = number.len() < line.len() && number.chars().all(|c| c.is_ascii_digit());
    is_marks(line, "-=*+_#>:~` ") || item_number
}

/// Where a table begins whose second row, which makes it one, is not whole yet; the end of the text otherwise.
fn table_start(text: &str) -> usize {
    let mut start = text.len();
    let mut whole_rows = 0;
    for line in text.split_inclusive('\n').rev() {
        if !line.trim_start().starts_with('|') {
            break;
        }
        start -= line.len();
        whole_rows += usize::from(line.ends_with('\n'));
    }
    if whole_rows < 2 { start } else { text.len() }
}

/// One line with its open marks closed.
fn close_marks(line: &str) -> String {
    let mut out = String::with_capacity(line.len() + 8);
    let mut open: Vec<&str> = Vec::new();
    let mut bracket: Option<usize> = None;
    let mut rest = line;
    while let Some(mark) = rest.chars().next() {
        let (piece, after) = rest.split_at(piece_length(rest, mark));
        rest = after;
        match mark {
            '`' => match code_end(piece, after) {
                Some(end) => {
                    out.push_str(piece);
                    out.push_str(&after[..end]);
                    rest = &after[end..];
                }
                None if after.trim().is_empty() => break,
                None => {
                    out.push_str(piece);
                    out.push_str(after);
                    open.push(piece);
                    break;
                }
            },
            '*' | '_' | '~' => match delimiter(&out, piece, after, open.last().copied()) {
                Delimiter::Opens => {
                    open.push(piece);
                    out.push_str(piece);
                }
                Delimiter::Closes => {
                    open.pop();
                    out.push_str(piece);
                }
                Delimiter::Text => out.push_str(piece),
                Delimiter::Undecided => break,
            },
            '[' => {
                bracket = Some(out.len());
                out.push('[');
            }
            ']' if after.starts_with('(') && !after.contains(')') => {
                if let Some(at) = bracket {
                    out.remove(at);
                }
                break;
            }
            _ => out.push_str(piece),
        }
    }
    if !open.is_empty() {
        out.truncate(out.trim_end().len());
        open.iter().rev().for_each(|mark| out.push_str(mark));
    }
    out
}

/// Bytes of the next piece: a run of one mark, an escaped character, or one character.
fn piece_length(rest: &str, mark: char) -> usize {
    match mark {
        '`' | '*' | '_' | '~' => rest.len() - rest.trim_start_matches(mark).len(),
        '\\' => rest.chars().take(2).map(char::len_utf8).sum(),
        _ => mark.len_utf8(),
    }
}

/// Where in `after` the code that the backticks `run` begin has ended, if it has.
fn code_end(run: &str, after: &str) -> Option<usize> {
    let mut at = 0;
    loop {
        let begin = at + after[at..].find('`')?;
        let length = piece_length(&after[begin..], '`');
        at = begin + length;
        if length == run.len() {
            return Some(at);
        }
    }
}

enum Delimiter {
    Opens,
    Closes,
    Text,
    /// At the very end: half of something.
    Undecided,
}

/// What a run of `*`, `_` or `~` does between `before` and `after`, by CommonMark's rules as far as they matter here.
fn delimiter(before: &str, run: &str, after: &str, open: Option<&str>) -> Delimiter {
    let previous = before.chars().next_back().filter(|c| !c.is_whitespace());
    let next = after.chars().next().filter(|c| !c.is_whitespace());
    let within_word = run.starts_with('_')
        && previous.is_some_and(char::is_alphanumeric)
        && next.is_some_and(char::is_alphanumeric);
    match (previous, next) {
        _ if within_word => Delimiter::Text,
        (Some(_), _) if open == Some(run) => Delimiter::Closes,
        _ if after.is_empty() => Delimiter::Undecided,
        (_, Some(_)) => Delimiter::Opens,
        _ => Delimiter::Text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ends_are_settled() {
        for (source, expected) in [
            ("", ""),
            ("plain", "plain"),
            // Open marks are closed.
            ("a **bol", "a **bol**"),
            ("a **bold ", "a **bold**"),
            ("a **bold*", "a **bold**"),
            ("a **bold**", "a **bold**"),
            ("a *", "a "),
            ("an *it", "an *it*"),
            ("**a *b", "**a *b***"),
            ("~~gone", "~~gone~~"),
            ("2 * 3 * 4", "2 * 3 * 4"),
            ("snake_case_na", "snake_case_na"),
            ("_emph", "_emph_"),
            (r"\*not", r"\*not"),
            ("call `fo", "call `fo`"),
            ("call `", "call "),
            ("`a` and ``b ` c", "`a` and ``b ` c``"),
            ("`**` is", "`**` is"),
            // Links show their words.
            ("see [the docs](https://exa", "see the docs"),
            ("see [the docs](https://example.com)", "see [the docs](https://example.com)"),
            ("a[0", "a[0"),
            // Only the last line is open.
            ("**left\nright", "**left\nright"),
            ("one\n**two", "one\n**two**"),
            // Lines that may become anything wait.
            ("text\n-", "text\n"),
            ("text\n- ", "text\n"),
            ("text\n- **", "text\n"),
            ("text\n===", "text\n"),
            ("text\n12.", "text\n"),
            ("text\n12", "text\n12"),
            ("text\n##", "text\n"),
            ("text\n``", "text\n"),
            // Tables appear with their second row.
            ("x\n\n| a |", "x\n\n"),
            ("x\n\n| a |\n", "x\n\n"),
            ("x\n\n| a |\n|--", "x\n\n"),
            ("x\n\n| a |\n|---|\n", "x\n\n| a |\n|---|\n"),
            ("x\n\n| a |\n|---|\n| **b", "x\n\n| a |\n|---|\n| **b**"),
            ("x\n\n| a |\n-", "x\n\n"),
            // Code is left alone, but for half of its closing fence.
            ("```rust", "```rust"),
            ("```rust\nlet a = **b", "```rust\nlet a = **b"),
            ("```\ncode\n``", "```\ncode\n"),
            ("```\ncode\n```", "```\ncode\n```"),
            ("```\ncode\n```\n**a", "```\ncode\n```\n**a**"),
            ("~~~\n```\n**a", "~~~\n```\n**a"),
            ("```a`b``` **c", "```a`b``` **c**"),
            ("日本 **語", "日本 **語**"),
        ] {
            assert_eq!(settle(source), expected, "{source:?}");
        }
    }
}
