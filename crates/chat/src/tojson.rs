//! `tojson` as Hugging Face has it: Python's `json.dumps` with `ensure_ascii=False`.
//!
//! Jinja's own escapes `<`, `>`, `&` and `'` for web pages, which would change the prompt.

use std::fmt::Write as _;

use minijinja::value::{Kwargs, ValueKind};
use minijinja::{Error, ErrorKind, State, Value};

use crate::json::BigInteger;

/// Lists in lists. WASM has a stack of 1 MiB.
const MAX_DEPTH: usize = 100;

/// The filter. Takes `indent`, `ensure_ascii`, `sort_keys` and `separators` by name.
pub(crate) fn tojson(state: &State, value: &Value, options: Kwargs) -> Result<String, Error> {
    let indent: Option<usize> = options.get("indent")?;
    let separators: Option<Vec<String>> = options.get("separators")?;
    let ensure_ascii: Option<bool> = options.get("ensure_ascii")?;
    let sort_keys: Option<bool> = options.get("sort_keys")?;
    options.assert_all_used()?;
    let (between, after_key) = match separators.as_deref() {
        None => (if indent.is_some() { "," } else { ", " }, ": "),
        Some([between, after_key]) => (between.as_str(), after_key.as_str()),
        Some(_) => return Err(failed("it takes two separators")),
    };
    let characters = if ensure_ascii == Some(true) { Characters::Ascii } else { Characters::All };
    let keys = if sort_keys == Some(true) { Keys::Sorted } else { Keys::InOrder };
    let mut dump = Dump { state, between, after_key, indent, characters, keys, text: String::new() };
    dump.value(value, 0)?;
    Ok(dump.text)
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Characters {
    All,
    Ascii,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Keys {
    InOrder,
    Sorted,
}

/// JSON in the making, in Python's layout.
struct Dump<'a> {
    state: &'a State<'a, 'a>,
    between: &'a str,
    after_key: &'a str,
    indent: Option<usize>,
    characters: Characters,
    keys: Keys,
    text: String,
}

impl Dump<'_> {
    fn value(&mut self, value: &Value, depth: usize) -> Result<(), Error> {
        self.state.consume_fuel(1)?;
        if depth > MAX_DEPTH {
            return Err(failed("the value is beyond the recursion limit"));
        }
        match value.kind() {
            ValueKind::None => self.text.push_str("null"),
            ValueKind::Bool => self.text.push_str(if value.is_true() { "true" } else { "false" }),
            ValueKind::Number => self.text.push_str(&number(value)),
            ValueKind::String => self.string(value.as_str().unwrap_or_default())?,
            ValueKind::Seq | ValueKind::Iterable => self.list(value, depth)?,
            ValueKind::Map => self.map(value, depth)?,
            kind => match value.downcast_object_ref::<BigInteger>() {
                Some(BigInteger(digits)) => self.text.push_str(digits),
                None => return Err(failed(&format!("{kind} has no JSON"))),
            },
        }
        Ok(())
    }

    fn list(&mut self, list: &Value, depth: usize) -> Result<(), Error> {
        self.text.push('[');
        let mut is_empty = true;
        for item in list.try_iter()? {
            self.item(is_empty, depth)?;
            is_empty = false;
            self.value(&item, depth + 1)?;
        }
        self.end(is_empty, depth, ']')
    }

    fn map(&mut self, map: &Value, depth: usize) -> Result<(), Error> {
        let mut keys: Vec<(String, Value)> = Vec::new();
        for key in map.try_iter()? {
            self.state.consume_fuel(1)?;
            keys.push((key_text(&key)?, key));
        }
        if self.keys == Keys::Sorted {
            keys.sort_by(|(left, _), (right, _)| left.cmp(right));
        }
        self.text.push('{');
        for (index, (text, key)) in keys.iter().enumerate() {
            self.item(index == 0, depth)?;
            self.string(text)?;
            self.text.push_str(self.after_key);
            self.value(&map.get_item(key)?, depth + 1)?;
        }
        self.end(keys.is_empty(), depth, '}')
    }

    fn item(&mut self, is_first: bool, depth: usize) -> Result<(), Error> {
        if !is_first {
            self.text.push_str(self.between);
        }
        self.new_line(depth + 1)
    }

    /// An empty list or object stays on its line.
    fn end(&mut self, is_empty: bool, depth: usize, bracket: char) -> Result<(), Error> {
        if !is_empty {
            self.new_line(depth)?;
        }
        self.text.push(bracket);
        Ok(())
    }

    fn new_line(&mut self, depth: usize) -> Result<(), Error> {
        if let Some(indent) = self.indent {
            let spaces = indent.saturating_mul(depth);
            self.state.consume_fuel(spaces as u64 / 64)?;
            self.text.push('\n');
            self.text.extend(std::iter::repeat_n(' ', spaces));
        }
        Ok(())
    }

    fn string(&mut self, text: &str) -> Result<(), Error> {
        self.state.consume_fuel(text.len() as u64 / 64)?;
        self.text.push('"');
        for character in text.chars() {
            match character {
                '"' => self.text.push_str("\\\""),
                '\\' => self.text.push_str("\\\\"),
                '\n' => self.text.push_str("\\n"),
                '\r' => self.text.push_str("\\r"),
                '\t' => self.text.push_str("\\t"),
                '\u{8}' => self.text.push_str("\\b"),
                '\u{c}' => self.text.push_str("\\f"),
                '\0'..='\u{1f}' => self.escape(character),
                // Python leaves U+007F; the noncharacters are what protects contents (see `defuse`).
                ' '..='\u{7f}' | '\u{fdd0}'..='\u{fdef}' => self.text.push(character),
                _ if self.characters == Characters::Ascii => self.escape(character),
                _ => self.text.push(character),
            }
        }
        self.text.push('"');
        Ok(())
    }

    fn escape(&mut self, character: char) {
        for unit in character.encode_utf16(&mut [0; 2]) {
            // Writing to a string does not fail.
            let _ = write!(self.text, "\\u{unit:04x}");
        }
    }
}

/// As Python turns keys into text; others it refuses.
fn key_text(key: &Value) -> Result<String, Error> {
    Ok(match key.kind() {
        ValueKind::String => key.as_str().unwrap_or_default().to_owned(),
        ValueKind::Number => number(key),
        ValueKind::Bool => if key.is_true() { "true" } else { "false" }.into(),
        ValueKind::None => "null".into(),
        kind => return Err(failed(&format!("{kind} is no key of an object"))),
    })
}

fn number(value: &Value) -> String {
    if value.is_integer() {
        return value.to_string();
    }
    f64::try_from(value.clone()).map_or_else(|_| value.to_string(), python_float)
}

fn failed(detail: &str) -> Error {
    Error::new(ErrorKind::BadSerialization, format!("tojson failed: {detail}"))
}

/// As `json.dumps` has it: the shortest digits that read back, as a power of ten below 1e-4 and from 1e16.
pub(crate) fn python_float(value: f64) -> String {
    if value.is_nan() {
        return "NaN".into();
    }
    if value.is_infinite() {
        return if value > 0.0 { "Infinity" } else { "-Infinity" }.into();
    }
    let magnitude = value.abs();
    if value == 0.0 || (1e-4..1e16).contains(&magnitude) {
        return format!("{value:?}");
    }
    let text = format!("{value:e}");
    match text.split_once('e') {
        Some((digits, power)) => match power.strip_prefix('-') {
            Some(power) => format!("{digits}e-{power:0>2}"),
            None => format!("{digits}e+{power:0>2}"),
        },
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json::Json;

    /// Expected as `json.dumps(json.loads(json_text), ensure_ascii=False, …)` gives it.
    #[track_caller]
    fn check(json: &str, options: &str, expected: &str) {
        let mut environment = minijinja::Environment::new();
        environment.add_filter("tojson", tojson);
        let value = Json::parse("the value", json).unwrap().to_value(&str::to_owned);
        let context = minijinja::context! { value };
        let got = environment.render_str(&format!("{{{{ value | tojson{options} }}}}"), context);
        assert_eq!(got.unwrap(), expected, "{json} {options}");
    }

    #[test]
    fn prints_what_python_prints() {
        check(r#"{"b":[1,2.0,"<é'&>"],"a":null}"#, "", r#"{"b": [1, 2.0, "<é'&>"], "a": null}"#);
        check(r#"[true,false,[],{},""]"#, "", r#"[true, false, [], {}, ""]"#);
        check(
            r#""\"\\\/\b\f\n\r\t\u0001\u007f\u2028""#,
            "",
            "\"\\\"\\\\/\\b\\f\\n\\r\\t\\u0001\u{7f}\u{2028}\"",
        );
        check(
            r#"{"b":[1,{"c":2}],"a":{},"d":[]}"#,
            "(indent=4)",
            "{\n    \"b\": [\n        1,\n        {\n            \"c\": 2\n        }\n    ],\n    \"a\": {},\n    \"d\": []\n}",
        );
        check(
            r#"[-0,-0.0,1E2,1e400,-1e400,12345678901234567890123456789012345678901234567890,-170141183460469231731687303715884105728,18446744073709551616]"#,
            "",
            "[0, -0.0, 100.0, Infinity, -Infinity, 12345678901234567890123456789012345678901234567890, -170141183460469231731687303715884105728, 18446744073709551616]",
        );
        check(r#"{"a":1,"b":2,"a":3}"#, "", r#"{"a": 3, "b": 2}"#);
        check(r#"{"z":{"é":"日"},"a":[]}"#, "", r#"{"z": {"é": "日"}, "a": []}"#);
        check("[1,2]", "(indent=0)", "[\n1,\n2\n]");
        check("[1]", "(indent=none)", "[1]");
    }

    #[test]
    fn takes_pythons_options() {
        check(r#"{"b":1,"a":{"d":1,"c":2}}"#, "(sort_keys=true)", r#"{"a": {"c": 2, "d": 1}, "b": 1}"#);
        check(r#"{"b":[1,2]}"#, "(separators=(',', ':'))", r#"{"b":[1,2]}"#);
        check(
            r#"{"b":{"d":1,"c":2},"a":1}"#,
            "(sort_keys=true, indent=1)",
            "{\n \"a\": 1,\n \"b\": {\n  \"c\": 2,\n  \"d\": 1\n }\n}",
        );
        check(r#""é🙂""#, "(ensure_ascii=true)", r#""\u00e9\ud83d\ude42""#);
    }

    #[test]
    fn floats_are_pythons() {
        for (value, expected) in [
            (0.0, "0.0"),
            (-0.0, "-0.0"),
            (1.0, "1.0"),
            (22.5, "22.5"),
            (0.1 + 0.2, "0.30000000000000004"),
            (1e-4, "0.0001"),
            (1e-5, "1e-05"),
            (-1.5e-7, "-1.5e-07"),
            (1e15, "1000000000000000.0"),
            (1e16, "1e+16"),
            (1.25e123, "1.25e+123"),
        ] {
            assert_eq!(python_float(value), expected);
        }
    }
}
