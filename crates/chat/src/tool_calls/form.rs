//! The forms of a whole call. Strict: what is not exactly of a form is none.

use protocol::Json;
use serde_json::value::RawValue;

use super::{CLOSE_TAG, OPEN_TAG};
use crate::json::{self, Pairs};

/// The keys of a call.
pub(super) const KEYS: [&str; 4] = ["type", "name", "parameters", "arguments"];

/// Tools that Llama 3.1 was trained to call in its own way.
const BUILTIN: [&str; 2] = ["brave_search", "wolfram_alpha"];

/// What a candidate is.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// A call, its arguments as they are written.
    Call { name: String, arguments: Json },
    /// Code for the interpreter.
    Code,
}

/// Reads `{"name": …, "parameters": {…}}`.
pub(super) fn json(text: &str) -> Result<Form, String> {
    let Pairs(pairs) = serde_json::from_str(text).map_err(|error| format!("a call in JSON: {error}"))?;
    let (mut name, mut arguments, mut kind) = (None, None, None);
    for (key, raw) in pairs {
        let place = match key.as_str() {
            "name" => &mut name,
            "parameters" | "arguments" => &mut arguments,
            "type" => &mut kind,
            other => return Err(format!("a call in JSON without the key {other:.80}")),
        };
        if place.replace(raw).is_some() {
            return Err(format!("a call in JSON with one {key}"));
        }
    }
    if kind.is_some_and(|kind| kind.get() != "\"function\"") {
        return Err("a call in JSON of the type \"function\"".into());
    }
    let name = name.and_then(|raw| serde_json::from_str::<String>(raw.get()).ok());
    let name = name.filter(|name| !name.is_empty()).ok_or("a call in JSON with a name")?;
    let arguments = arguments.ok_or("a call in JSON with parameters")?;
    // Some models write them as text.
    let text = serde_json::from_str::<String>(arguments.get()).unwrap_or_else(|_| arguments.get().to_owned());
    Ok(Form::Call { name, arguments: object(&text)? })
}

/// Reads `<function=f>{…}</function>`; the end of the answer may stand for the closing tag.
pub(super) fn tag(text: &str) -> Result<Form, String> {
    let rest = text.strip_prefix(OPEN_TAG).and_then(|rest| rest.split_once('>'));
    let (name, rest) = rest.filter(|(name, _)| !name.is_empty()).ok_or("<function=name>")?;
    let rest = rest.trim();
    let arguments = object(rest.strip_suffix(CLOSE_TAG).unwrap_or(rest).trim())?;
    Ok(Form::Call { name: name.to_owned(), arguments })
}

/// Reads what stands behind `<|python_tag|>`.
pub(super) fn python(text: &str) -> Result<Form, String> {
    match builtin_name(text) {
        _ if text.is_empty() => Err("a call or code".into()),
        _ if text.starts_with('{') => json(text),
        _ if text.starts_with(OPEN_TAG) => tag(text),
        Some(name) => builtin(name, &text[name.len()..]),
        None => Ok(Form::Code),
    }
}

/// The tool of a text that begins with `brave_search.call(`.
pub(super) fn builtin_name(text: &str) -> Option<&'static str> {
    let is_it = |name: &&&str| text.strip_prefix(**name).is_some_and(|rest| rest.starts_with(".call("));
    BUILTIN.iter().find(is_it).copied()
}

/// Reads `.call(query="…")`. There are no escapes: the template writes none.
fn builtin(name: &str, rest: &str) -> Result<Form, String> {
    let expected = || format!("{name}.call(query=\"…\") and nothing behind it");
    let mut rest =
        rest.strip_prefix(".call(").and_then(|rest| rest.strip_suffix(')')).ok_or_else(expected)?;
    let mut members: Vec<(&str, String)> = Vec::new();
    loop {
        let (key, value) = rest.split_once("=\"").ok_or_else(expected)?;
        let (value, behind) = value.split_once('"').ok_or_else(expected)?;
        let is_name = |key: &str| key.chars().all(|letter| letter.is_ascii_alphanumeric() || letter == '_');
        if key.is_empty() || !is_name(key) || members.iter().any(|(other, _)| *other == key) {
            return Err(expected());
        }
        members.push((key, serde_json::Value::from(value).to_string()));
        if behind.is_empty() {
            break;
        }
        rest = behind.strip_prefix(", ").ok_or_else(expected)?;
    }
    let members: Vec<String> = members.iter().map(|(key, value)| format!("\"{key}\": {value}")).collect();
    let arguments = Json(format!("{{{}}}", members.join(", ")));
    Ok(Form::Call { name: name.to_owned(), arguments })
}

/// An object, as it is written, that can be rendered again.
fn object(text: &str) -> Result<Json, String> {
    let raw: &RawValue =
        serde_json::from_str(text).map_err(|error| format!("an object of arguments in JSON: {error}"))?;
    match json::Json::parse("arguments", raw.get()) {
        Ok(json::Json::Map(_)) => Ok(Json(raw.get().to_owned())),
        Ok(_) => Err("an object of arguments in JSON".into()),
        Err(error) => Err(format!("an object of arguments in JSON: {error}")),
    }
}
