//! `tojson` as Hugging Face defines it for chat templates: Python's `json.dumps(..., ensure_ascii=False)`.
//!
//! Jinja's own escapes `<`, `>`, `&` and `'` for HTML, which would put other text before the model.
//! Python writes `", "` and `": "` between things, or with `indent` one thing a line.

use minijinja::value::{Kwargs, Value};
use minijinja::{Error, ErrorKind};
use serde_json::Value as Json;

/// Deepest nesting that is written, so that no template can exhaust the stack.
const MAX_DEPTH: usize = 64;

/// How to write: `json.dumps`' arguments.
struct Style {
    ascii: bool,
    indent: Option<String>,
    item_separator: String,
    key_separator: String,
    sort_keys: bool,
}

/// The filter.
pub(crate) fn tojson(value: &Value, arguments: Kwargs) -> Result<Value, Error> {
    let style = Style::from_arguments(&arguments)?;
    arguments.assert_all_used()?;
    let unwritable = |error: serde_json::Error| {
        Error::new(ErrorKind::BadSerialization, "value can't be written as JSON").with_source(error)
    };
    let json = serde_json::to_value(value).map_err(unwritable)?;
    let mut out = String::new();
    style.write(&json, 0, &mut out)?;
    // Without this mark a template's `escape` would still change it.
    Ok(Value::from_safe_string(out))
}

impl Style {
    fn from_arguments(arguments: &Kwargs) -> Result<Style, Error> {
        let indent: Option<usize> = arguments.get::<Option<usize>>("indent")?;
        let separators: Option<(String, String)> = match arguments.get::<Option<Vec<String>>>("separators")? {
            None => None,
            Some(given) => match <[String; 2]>::try_from(given) {
                Ok([item, key]) => Some((item, key)),
                Err(_) => return Err(Error::new(ErrorKind::InvalidOperation, "separators must be two strings")),
            },
        };
        let between_items = if indent.is_some() { "," } else { ", " };
        let (item_separator, key_separator) =
            separators.unwrap_or_else(|| (between_items.to_string(), ": ".to_string()));
        Ok(Style {
            ascii: arguments.get::<Option<bool>>("ensure_ascii")?.unwrap_or(false),
            indent: indent.map(|spaces| " ".repeat(spaces.min(16))),
            item_separator,
            key_separator,
            sort_keys: arguments.get::<Option<bool>>("sort_keys")?.unwrap_or(false),
        })
    }

    fn write(&self, json: &Json, depth: usize, out: &mut String) -> Result<(), Error> {
        if depth > MAX_DEPTH {
            return Err(Error::new(ErrorKind::BadSerialization, "value is nested too deeply for JSON"));
        }
        match json {
            Json::String(text) => self.write_string(text, out),
            Json::Array(items) => {
                self.write_all(('[', ']'), items.iter().map(|item| (None, item)), depth, out)?;
            }
            Json::Object(members) => {
                let mut members: Vec<_> = members.iter().map(|(key, value)| (Some(key.as_str()), value)).collect();
                if self.sort_keys {
                    members.sort_by_key(|(key, _)| *key);
                }
                self.write_all(('{', '}'), members.into_iter(), depth, out)?;
            }
            _ => out.push_str(&json.to_string()),
        }
        Ok(())
    }

    fn write_all<'a>(
        &self,
        (open, close): (char, char),
        members: impl Iterator<Item = (Option<&'a str>, &'a Json)>,
        depth: usize,
        out: &mut String,
    ) -> Result<(), Error> {
        out.push(open);
        let mut is_empty = true;
        for (key, value) in members {
            if !std::mem::take(&mut is_empty) {
                out.push_str(&self.item_separator);
            }
            self.break_line(depth + 1, out);
            if let Some(key) = key {
                self.write_string(key, out);
                out.push_str(&self.key_separator);
            }
            self.write(value, depth + 1, out)?;
        }
        if !is_empty {
            self.break_line(depth, out);
        }
        out.push(close);
        Ok(())
    }

    fn break_line(&self, depth: usize, out: &mut String) {
        if let Some(indent) = &self.indent {
            out.push('\n');
            out.push_str(&indent.repeat(depth));
        }
    }

    fn write_string(&self, text: &str, out: &mut String) {
        out.push('"');
        for character in text.chars() {
            match character {
                '"' => out.push_str("\\\""),
                '\\' => out.push_str("\\\\"),
                '\n' => out.push_str("\\n"),
                '\r' => out.push_str("\\r"),
                '\t' => out.push_str("\\t"),
                '\u{8}' => out.push_str("\\b"),
                '\u{c}' => out.push_str("\\f"),
                '\0'..='\u{1f}' => push_escape(character, out),
                '\u{7f}'.. if self.ascii && character != '\u{7f}' => push_escape(character, out),
                _ => out.push(character),
            }
        }
        out.push('"');
    }
}

/// The character's UTF-16, four hexadecimal digits a unit.
fn push_escape(character: char, out: &mut String) {
    for unit in character.encode_utf16(&mut [0; 2]) {
        out.push_str(&format!("\\u{unit:04x}"));
    }
}

#[cfg(test)]
mod tests {
    use minijinja::Environment;

    use super::*;

    #[track_caller]
    fn check(expression: &str, expected: &str) {
        let mut environment = Environment::new();
        environment.add_filter("tojson", tojson);
        let source = format!("{{{{ {expression} }}}}");
        assert_eq!(environment.render_str(&source, ()).unwrap(), expected, "{expression}");
    }

    #[test]
    fn json_is_python_s() {
        check(r#"{"b": [1, 2.5, true], "a": none} | tojson"#, r#"{"b": [1, 2.5, true], "a": null}"#);
        check(r#""<a href='x'>&é€😀</a>" | tojson"#, r#""<a href='x'>&é€😀</a>""#);
        check(r#""\"\\\n\r\t" | tojson"#, r#""\"\\\n\r\t""#);
        check("[] | tojson", "[]");
        check("{} | tojson(indent=2)", "{}");
        check(r#"{"a": [1, {"b": 2}]} | tojson(indent=4)"#, "{\n    \"a\": [\n        1,\n        {\n            \"b\": 2\n        }\n    ]\n}");
        check("[1, 2] | tojson(indent=0)", "[\n1,\n2\n]");
        check(r#"{"b": 1, "a": 2} | tojson(sort_keys=true)"#, r#"{"a": 2, "b": 1}"#);
        check(r#"{"b": [1, 2]} | tojson(separators=[",", ":"])"#, r#"{"b":[1,2]}"#);
        check(r#""é😀" | tojson(ensure_ascii=true)"#, r#""\u00e9\ud83d\ude00""#);
    }

    #[test]
    fn control_characters_are_escaped() {
        let mut out = String::new();
        let style = Style::from_arguments(&Kwargs::from_iter(Vec::<(String, Value)>::new())).unwrap();
        style.write_string("\u{1}\u{8}\u{c}\u{1f}\u{7f}\u{2028}", &mut out);
        assert_eq!(out, "\"\\u0001\\b\\f\\u001f\u{7f}\u{2028}\"");
    }

    #[test]
    fn wrong_arguments_are_refused() {
        let mut environment = Environment::new();
        environment.add_filter("tojson", tojson);
        for arguments in ["separators=[',']", "separators=3", "indent='x'", "nonsense=1"] {
            let source = format!("{{{{ [1] | tojson({arguments}) }}}}");
            assert!(environment.render_str(&source, ()).is_err(), "{arguments}");
        }
    }
}
