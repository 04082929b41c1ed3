//! The chat template of a Hub folder, in one of the three places where it may stand.
//!
//! ```text
//! chat_template.jinja      the template itself                                        since transformers 4.49
//! chat_template.json       {"chat_template": "..."}                                   for a while, for processors
//! tokenizer_config.json    "chat_template": "..." or [{"name": "default", "template": "..."}, ...]
//! ```

use crate::error::{FormatError, Part};
use crate::json::{Fields, Json};

/// Twenty times as long as the longest that Meta has made.
const MAX_BYTES: usize = 1 << 20;

/// A chat template in a file of its own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ChatTemplateFile {
    /// `chat_template.jinja`
    Jinja(Vec<u8>),
    /// `chat_template.json`
    Json(Vec<u8>),
}

impl ChatTemplateFile {
    pub(crate) fn read(&self) -> Result<Option<String>, FormatError> {
        match self {
            ChatTemplateFile::Jinja(bytes) => match str::from_utf8(bytes) {
                Ok(text) => checked(text).map(Some),
                Err(error) => {
                    let found = format!("another byte after {}", error.valid_up_to());
                    Err(Part::ChatTemplate.invalid("chat_template.jinja", "UTF-8", found))
                }
            },
            ChatTemplateFile::Json(bytes) => {
                let json = Json::parse(Part::ChatTemplate, bytes)?;
                of(&Fields::of(Part::ChatTemplate, &json)?)
            }
        }
    }
}

/// The field `chat_template`: the template, or several of which that for ordinary chats is taken.
pub(super) fn of(fields: &Fields) -> Result<Option<String>, FormatError> {
    const KEY: &str = "chat_template";
    let Some(Json::Array(named)) = fields.get(KEY) else {
        return fields.string(KEY)?.map(checked).transpose();
    };
    let named = named.iter().map(|json| {
        let entry = fields.within(fields.name(KEY), json)?;
        Ok((entry.required_string("name")?, entry.required_string("template")?))
    });
    let named: Vec<(&str, &str)> = named.collect::<Result<_, FormatError>>()?;
    match named.iter().find(|(name, _)| *name == "default").or(named.first()) {
        Some((_, template)) => checked(template).map(Some),
        None => Ok(None),
    }
}

fn checked(template: &str) -> Result<String, FormatError> {
    if template.len() > MAX_BYTES {
        let expected = format!("at most {MAX_BYTES} bytes");
        return Err(Part::ChatTemplate.invalid(
            "chat_template",
            expected,
            format_args!("{} bytes", template.len()),
        ));
    }
    Ok(template.to_owned())
}
