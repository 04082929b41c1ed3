//! `a ~ b` as `(a)|pronk_text ~ (b)|pronk_text`: the operator turns both sides into text, whatever they are, so both are
//! paid for first (`paid`).
//!
//! An operand reaches as far as stronger operators do: `*`, `/`, `%`, filters, tests, calls and the like. Where it is cut
//! shorter than that nothing changes but the charge: the filter gives back what it is given.

use super::paid::TEXT;

/// Words that no operand reaches over.
const WORDS: [&str; 13] =
    ["if", "elif", "else", "and", "or", "not", "in", "for", "set", "do", "call", "with", "recursive"];

/// Between two brackets: where the last operand begins in what has been written, and what stands before it.
#[derive(Clone, Copy)]
struct Operand {
    start: usize,
    before: Before,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Before {
    Tilde,
    SomethingElse,
}

/// The inside of a tag, its `~` with filters on both sides.
pub(super) fn concat(inside: &str) -> String {
    if !inside.contains('~') {
        return inside.to_owned();
    }
    let mut writer =
        Writer { out: String::new(), open: vec![Operand { start: 0, before: Before::SomethingElse }] };
    let (mut rest, mut last_word) = (inside, "");
    while let Some(character) = rest.chars().next() {
        let taken = match character {
            '"' | '\'' => string_len(rest),
            _ if is_of_a_word(character) => rest.find(|c| !is_of_a_word(c)).unwrap_or(rest.len()),
            _ => character.len_utf8(),
        };
        let (token, after) = rest.split_at(taken);
        // `is not none` and `is in` are tests, and `a.call` has a name like any other.
        let is_boundary = WORDS.contains(&token) && !["is", "."].contains(&last_word);
        match character {
            '(' | '[' | '{' => writer.open(token),
            ')' | ']' | '}' => writer.close(token),
            '~' => writer.tilde(),
            '-' if writer.is_blank() => writer.out.push('-'),
            ',' | ':' | '=' | '<' | '>' | '!' | '+' | '-' => writer.boundary(token),
            _ if is_boundary => writer.boundary(token),
            _ => writer.out.push_str(token),
        }
        if !character.is_whitespace() {
            last_word = token;
        }
        rest = after;
    }
    writer.end_operand();
    writer.out
}

struct Writer {
    out: String,
    /// Innermost last; never empty.
    open: Vec<Operand>,
}

impl Writer {
    fn operand(&self) -> Operand {
        self.open.last().copied().unwrap_or(Operand { start: self.out.len(), before: Before::SomethingElse })
    }

    fn is_blank(&self) -> bool {
        self.out.get(self.operand().start..).is_none_or(|operand| operand.trim().is_empty())
    }

    fn begin(&mut self, before: Before) {
        let start = self.out.len();
        if let Some(last) = self.open.last_mut() {
            *last = Operand { start, before };
        }
    }

    fn open(&mut self, token: &str) {
        self.out.push_str(token);
        self.open.push(Operand { start: self.out.len(), before: Before::SomethingElse });
    }

    fn close(&mut self, token: &str) {
        self.end_operand();
        self.out.push_str(token);
        match self.open.len() {
            // What opened it is missing, as the compiler will say.
            1 => self.begin(Before::SomethingElse),
            _ => drop(self.open.pop()),
        }
    }

    fn boundary(&mut self, token: &str) {
        self.end_operand();
        self.out.push_str(token);
        self.begin(Before::SomethingElse);
    }

    fn tilde(&mut self) {
        self.wrap();
        self.out.push('~');
        self.begin(Before::Tilde);
    }

    fn end_operand(&mut self) {
        if self.operand().before == Before::Tilde {
            self.wrap();
        }
    }

    fn wrap(&mut self) {
        if self.is_blank() {
            return; // The compiler will say what is missing.
        }
        let operand = self.out.split_off(self.operand().start);
        self.out.push_str(&format!(" ({})|{TEXT} ", operand.trim()));
    }
}

fn is_of_a_word(character: char) -> bool {
    character.is_alphanumeric() || character == '_'
}

/// Bytes of the string that `text` begins with.
fn string_len(text: &str) -> usize {
    let quote = text.chars().next();
    let mut is_escaped = false;
    for (at, character) in text.char_indices().skip(1) {
        if Some(character) == quote && !is_escaped {
            return at + 1;
        }
        is_escaped = character == '\\' && !is_escaped;
    }
    text.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_sides_are_paid_for() {
        for (inside, expected) in [
            ("a + b", "a + b"),
            (" a ~ b ", " (a)|T ~ (b)|T "),
            ("a~b~c", " (a)|T ~ (b)|T ~ (c)|T "),
            ("a * 2 ~ b|trim ~ c.d[0]", " (a * 2)|T ~ (b|trim)|T ~ (c.d[0])|T "),
            ("a + b ~ c == d ~ e", "a + (b)|T ~ (c)|T == (d)|T ~ (e)|T "),
            ("a ~ -b - c", " (a)|T ~ (-b)|T - c"),
            ("f(a ~ b, c='x~' ~ d)", "f( (a)|T ~ (b)|T , c= ('x~')|T ~ (d)|T )"),
            ("[a ~ (b ~ c)]", "[ (a)|T ~ (( (b)|T ~ (c)|T ))|T ]"),
            ("a ~ b if c else d ~ e", " (a)|T ~ (b)|T if c else (d)|T ~ (e)|T "),
            (" if a ~ b is not none and c", " if (a)|T ~ (b is not none)|T and c"),
            (" set x = a ~ '\\'' -", " set x = (a)|T ~ ('\\'')|T -"),
            ("- for x in a ~ b -", "- for x in (a)|T ~ (b)|T -"),
            ("{'a': x ~ y}", "{'a': (x)|T ~ (y)|T }"),
            ("a.call ~ b.in", " (a.call)|T ~ (b.in)|T "),
            ("a ~", " (a)|T ~"),
            ("a ~ 'b", " (a)|T ~ ('b)|T "),
            (")~(", ")~("),
        ] {
            assert_eq!(concat(inside).replace(TEXT, "T"), expected, "{inside}");
        }
    }
}
