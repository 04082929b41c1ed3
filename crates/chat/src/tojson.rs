//! `tojson` as Hugging Face has it: Python's `json.dumps` with `ensure_ascii=False`.
//!
//! Jinja's own escapes `<`, `>`, `&` and `'` for web pages, which would change the prompt.

use std::io::{self, Write};

use minijinja::value::Kwargs;
use minijinja::{Error, ErrorKind, Value};
use serde_json::ser::{Formatter, Serializer};

/// The filter. Takes `indent`, `ensure_ascii`, `sort_keys` and `separators` by name.
pub(crate) fn tojson(value: &Value, options: Kwargs) -> Result<String, Error> {
    let indent: Option<usize> = options.get("indent")?;
    let separators: Option<Vec<String>> = options.get("separators")?;
    let ensure_ascii: Option<bool> = options.get("ensure_ascii")?;
    let sort_keys: Option<bool> = options.get("sort_keys")?;
    options.assert_all_used()?;
    let (between, after_key) = match separators.as_deref() {
        None => (if indent.is_some() { "," } else { ", " }, ": "),
        Some([between, after_key]) => (between.as_str(), after_key.as_str()),
        Some(_) => return Err(Error::new(ErrorKind::InvalidOperation, "tojson takes two separators")),
    };
    let style = Python {
        between,
        after_key,
        indent,
        ensure_ascii: ensure_ascii.unwrap_or(false),
        depth: 0,
        is_empty: true,
    };
    let fails = |error| Error::new(ErrorKind::BadSerialization, "tojson failed").with_source(error);
    let mut json = Vec::new();
    let mut serializer = Serializer::with_formatter(&mut json, style);
    if sort_keys.unwrap_or(false) {
        let mut value = serde_json::to_value(value).map_err(fails)?;
        value.sort_all_objects();
        serde::Serialize::serialize(&value, &mut serializer).map_err(fails)?;
    } else {
        serde::Serialize::serialize(value, &mut serializer).map_err(fails)?;
    }
    String::from_utf8(json).map_err(|error| Error::new(ErrorKind::BadSerialization, error.to_string()))
}

/// Python's layout.
struct Python<'a> {
    between: &'a str,
    after_key: &'a str,
    indent: Option<usize>,
    ensure_ascii: bool,
    depth: usize,
    /// Whether the list or object that has just begun has nothing in it yet: an empty one stays on its line.
    is_empty: bool,
}

impl Python<'_> {
    fn begin<W: ?Sized + Write>(&mut self, writer: &mut W, bracket: &[u8]) -> io::Result<()> {
        self.depth += 1;
        self.is_empty = true;
        writer.write_all(bracket)
    }

    fn end<W: ?Sized + Write>(&mut self, writer: &mut W, bracket: &[u8]) -> io::Result<()> {
        self.depth -= 1;
        if !self.is_empty {
            self.new_line(writer)?;
        }
        self.is_empty = false;
        writer.write_all(bracket)
    }

    fn item<W: ?Sized + Write>(&mut self, writer: &mut W, is_first: bool) -> io::Result<()> {
        self.is_empty = false;
        if !is_first {
            writer.write_all(self.between.as_bytes())?;
        }
        self.new_line(writer)
    }

    fn new_line<W: ?Sized + Write>(&self, writer: &mut W) -> io::Result<()> {
        match self.indent {
            Some(indent) => write!(writer, "\n{:1$}", "", indent * self.depth),
            None => Ok(()),
        }
    }
}

impl Formatter for Python<'_> {
    fn begin_array<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.begin(writer, b"[")
    }

    fn end_array<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.end(writer, b"]")
    }

    fn begin_array_value<W: ?Sized + Write>(&mut self, writer: &mut W, first: bool) -> io::Result<()> {
        self.item(writer, first)
    }

    fn begin_object<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.begin(writer, b"{")
    }

    fn end_object<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.end(writer, b"}")
    }

    fn begin_object_key<W: ?Sized + Write>(&mut self, writer: &mut W, first: bool) -> io::Result<()> {
        self.item(writer, first)
    }

    fn begin_object_value<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        writer.write_all(self.after_key.as_bytes())
    }

    fn write_string_fragment<W: ?Sized + Write>(&mut self, writer: &mut W, fragment: &str) -> io::Result<()> {
        if !self.ensure_ascii {
            return writer.write_all(fragment.as_bytes());
        }
        for character in fragment.chars() {
            let mut units = [0; 2];
            match character {
                '\0'..='\u{7f}' => write!(writer, "{character}")?,
                _ => character
                    .encode_utf16(&mut units)
                    .iter()
                    .try_for_each(|unit| write!(writer, "\\u{unit:04x}"))?,
            }
        }
        Ok(())
    }

    fn write_f64<W: ?Sized + Write>(&mut self, writer: &mut W, value: f64) -> io::Result<()> {
        writer.write_all(python_float(value).as_bytes())
    }
}

/// `repr` of a finite float: the shortest digits that read back, as a power of ten below 1e-4 and from 1e16.
fn python_float(value: f64) -> String {
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
    use minijinja::value::Serde;

    /// Expected as `json.dumps(json.loads(json_text), ensure_ascii=False, …)` gives it.
    #[track_caller]
    fn check(json: &str, options: &str, expected: &str) {
        let mut environment = minijinja::Environment::new();
        environment.add_filter("tojson", tojson);
        let value: serde_json::Value = serde_json::from_str(json).unwrap();
        let context = minijinja::context! { value => Value::from(Serde(value)) };
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
        check("[1,2]", "(indent=0)", "[\n1,\n2\n]");
        check("[1]", "(indent=none)", "[1]");
    }

    #[test]
    fn takes_pythons_options() {
        check(r#"{"b":1,"a":{"d":1,"c":2}}"#, "(sort_keys=true)", r#"{"a": {"c": 2, "d": 1}, "b": 1}"#);
        check(r#"{"b":[1,2]}"#, "(separators=(',', ':'))", r#"{"b":[1,2]}"#);
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
