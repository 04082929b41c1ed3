//! An object of JSON as it comes: its keys, the string under `name`, and its end.
//!
//! It only looks; whether the object is JSON at all is found when it is whole.

/// What a character has completed.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Seen {
    Nothing,
    /// Something else than an opening brace comes first.
    NotAnObject,
    /// The object's first key.
    FirstKey(String),
    /// The string that the object has under `name`.
    Name(String),
}

/// How far an object has come.
#[derive(Debug, Default)]
pub(super) struct Scanner {
    depth: usize,
    /// The string that is open, with its escapes; only kept for the object's own keys and values.
    string: Option<String>,
    is_escaped: bool,
    /// Whether a colon has come since the last comma.
    is_value: bool,
    keys: usize,
    key: String,
    end: Option<usize>,
}

impl Scanner {
    /// Takes the next character; `end` is where the text ends that has it.
    pub(super) fn take(&mut self, character: char, end: usize) -> Seen {
        if self.end.is_some() {
            return Seen::Nothing;
        }
        if self.string.is_some() {
            return self.in_string(character);
        }
        match character {
            '{' | '[' if self.depth > 0 || character == '{' => self.depth += 1,
            _ if character.is_whitespace() => {}
            _ if self.depth == 0 => return Seen::NotAnObject,
            '}' | ']' => {
                self.depth -= 1;
                if self.depth == 0 {
                    self.end = Some(end);
                }
            }
            '"' => self.string = Some(String::new()),
            ':' if self.depth == 1 => self.is_value = true,
            ',' if self.depth == 1 => self.is_value = false,
            _ => {}
        }
        Seen::Nothing
    }

    fn in_string(&mut self, character: char) -> Seen {
        if character == '"' && !self.is_escaped {
            let string = self.string.take().unwrap_or_default();
            return if self.depth == 1 { self.own_string(&string) } else { Seen::Nothing };
        }
        self.is_escaped = character == '\\' && !self.is_escaped;
        if let (1, Some(string)) = (self.depth, &mut self.string) {
            string.push(character);
        }
        Seen::Nothing
    }

    fn own_string(&mut self, escaped: &str) -> Seen {
        let Ok(string) = serde_json::from_str::<String>(&format!("\"{escaped}\"")) else {
            return Seen::Nothing;
        };
        if self.is_value {
            return if self.key == "name" && !string.is_empty() { Seen::Name(string) } else { Seen::Nothing };
        }
        self.keys += 1;
        self.key = string;
        if self.keys == 1 { Seen::FirstKey(self.key.clone()) } else { Seen::Nothing }
    }

    pub(super) fn has_ended(&self) -> bool {
        self.end.is_some()
    }

    /// Where the object ends; 0 before it has.
    pub(super) fn end(&self) -> usize {
        self.end.unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: &[Seen], end: Option<usize>) {
        let mut scanner = Scanner::default();
        let seen = text.char_indices().map(|(at, c)| scanner.take(c, at + c.len_utf8()));
        let seen: Vec<Seen> = seen.filter(|seen| *seen != Seen::Nothing).collect();
        assert_eq!((seen.as_slice(), scanner.end), (expected, end), "{text}");
    }

    #[test]
    fn keys_names_and_ends_are_seen() {
        let key = |key: &str| Seen::FirstKey(key.into());
        let name = |name: &str| Seen::Name(name.into());
        check("", &[], None);
        check(" {} ", &[], Some(3));
        check("{\"a\": {\"name\": \"x\"}, \"name\": \"f\"}é", &[key("a"), name("f")], Some(33));
        check("{\"name\":[\"x\"],\"b\":\"y\"", &[key("name")], None);
        check("{\"n\\u0061me\":\"\\\"\\\\\"}", &[key("name"), name("\"\\")], Some(20));
        check("{\"a}\\\"\":\"{[\"}", &[key("a}\"")], Some(13));
        check("{\"name\":\"\"}", &[key("name")], Some(11));
        check("{\"a\":\"name\",\"name\":1,\"c\":\"x\"}", &[key("a")], Some(29));
        check("[1]", &[Seen::NotAnObject, Seen::NotAnObject, Seen::NotAnObject], None);
        check("{\"日\":\"本\"}", &[key("日")], Some(13));
    }
}
