//! Which files a model's folder has to give, one after the other.
//!
//! Folders lie on hosts that do not list them, so a file is there or it is not, and what to ask for next depends on
//! what has come. [`ModelFolder::needs`] says it; nothing is fetched here.
//!
//! ```text
//! config.json             Hugging Face: generation_config.json, tokenizer.json (else tokenizer.model),
//!                         tokenizer_config.json, chat_template.jinja (else .json, if no template has come),
//!                         model.safetensors.index.json; then the weights that it lists, or model.safetensors
//! mlc-chat-config.json    MLC: tensor-cache.json (else ndarray-cache.json), tokenizer.json, tokenizer_config.json;
//!                         then the shards that are listed
//! params.json             Meta: tokenizer.model; then consolidated.00.pth, which says how many there are
//! ```
//!
//! The first of the three that is there says what kind of folder it is.

use std::collections::HashMap;

use crate::error::{FormatError, Part};
use crate::hub::{ChatTemplateFile, HubFiles, HubIndex, read_tokenizer_config};
use crate::meta::MetaFiles;
use crate::mlc::{MlcCache, MlcFiles};
use crate::{Checkpoint, Pth, SafetensorsHeader, TokenizerConfig, TokenizerFile};

/// The small files of a folder, as far as they have come.
#[derive(Debug, Clone, Default)]
pub struct ModelFolder {
    /// None for those that the folder does not have.
    files: HashMap<&'static str, Option<Vec<u8>>>,
}

/// What a folder has to give next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Needs {
    /// A small file, which may be absent. Answer with [`ModelFolder::put`].
    File {
        /// Its name.
        name: &'static str,
        /// More bytes than any such file has: what is longer need not be fetched.
        max_bytes: u64,
    },
    /// The headers of safetensors files, by [`SafetensorsHeader::parse`]; then [`ModelFolder::hub`].
    Safetensors {
        /// Their names in the order in which [`Span::file`](crate::Span::file) counts them.
        files: Vec<String>,
    },
    /// Nothing more than that these files are there; then [`ModelFolder::mlc`].
    Shards {
        /// Their names in the order in which [`Span::file`](crate::Span::file) counts them, and their lengths in bytes.
        files: Vec<(String, u64)>,
    },
    /// `.pth` files by [`PthReader`](crate::PthReader): the first, which [`ModelFolder::meta_files`] has to see to
    /// name them all; then [`ModelFolder::meta`].
    Pth {
        /// The first one's name.
        first: &'static str,
    },
}

const CONFIG: &str = "config.json";
const GENERATION_CONFIG: &str = "generation_config.json";
const TOKENIZER_JSON: &str = "tokenizer.json";
const TOKENIZER_MODEL: &str = "tokenizer.model";
const TOKENIZER_CONFIG: &str = "tokenizer_config.json";
const TEMPLATE_JINJA: &str = "chat_template.jinja";
const TEMPLATE_JSON: &str = "chat_template.json";
const INDEX: &str = "model.safetensors.index.json";
const MLC_CONFIG: &str = "mlc-chat-config.json";
const TENSOR_CACHE: &str = "tensor-cache.json";
const NDARRAY_CACHE: &str = "ndarray-cache.json";
const PARAMS: &str = "params.json";

/// Llama 3's `tokenizer.json` has 9 MB, written with an indent 17.
const MAX_TOKENIZER_BYTES: u64 = 64 << 20;
const MAX_JSON_BYTES: u64 = 16 << 20;

/// Which kind of folder it is.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Kind {
    HuggingFace,
    Mlc,
    Meta,
}

impl ModelFolder {
    /// A folder of which nothing is known.
    pub fn new() -> ModelFolder {
        ModelFolder::default()
    }

    /// Takes a file that was needed; none if the folder does not have it. Other files are of no use and dropped.
    pub fn put(&mut self, name: &str, bytes: Option<Vec<u8>>) {
        const KNOWN: [&str; 12] = [
            CONFIG,
            GENERATION_CONFIG,
            TOKENIZER_JSON,
            TOKENIZER_MODEL,
            TOKENIZER_CONFIG,
            TEMPLATE_JINJA,
            TEMPLATE_JSON,
            INDEX,
            MLC_CONFIG,
            TENSOR_CACHE,
            NDARRAY_CACHE,
            PARAMS,
        ];
        if let Some(known) = KNOWN.into_iter().find(|known| *known == name) {
            self.files.insert(known, bytes);
        }
    }

    /// What to ask for next.
    ///
    /// # Errors
    /// If a file that can't be done without is absent, or one that says which the others are can't be read.
    pub fn needs(&self) -> Result<Needs, FormatError> {
        for (name, kind) in [(CONFIG, Kind::HuggingFace), (MLC_CONFIG, Kind::Mlc), (PARAMS, Kind::Meta)] {
            match self.files.get(name) {
                None => return Ok(file(name)),
                Some(None) => {}
                Some(Some(_)) => return self.needs_of(kind),
            }
        }
        Err(Part::Folder
            .missing("config.json, by which a model is known (or mlc-chat-config.json, or params.json),"))
    }

    fn needs_of(&self, kind: Kind) -> Result<Needs, FormatError> {
        let asked: &[&'static str] = match kind {
            Kind::HuggingFace => &[
                GENERATION_CONFIG,
                TOKENIZER_JSON,
                TOKENIZER_MODEL,
                TOKENIZER_CONFIG,
                TEMPLATE_JINJA,
                TEMPLATE_JSON,
                INDEX,
            ],
            Kind::Mlc => &[TENSOR_CACHE, NDARRAY_CACHE, TOKENIZER_JSON, TOKENIZER_CONFIG],
            Kind::Meta => &[TOKENIZER_MODEL],
        };
        for name in asked {
            if !self.files.contains_key(name) && self.is_of_use(kind, name)? {
                return Ok(file(name));
            }
        }
        Ok(match kind {
            Kind::HuggingFace => Needs::Safetensors {
                files: match self.index()? {
                    Some(index) => index.files,
                    None => vec!["model.safetensors".into()],
                },
            },
            Kind::Mlc => Needs::Shards { files: self.cache()?.files },
            Kind::Meta => Needs::Pth { first: "consolidated.00.pth" },
        })
    }

    /// Whether a file says anything that those which have come do not say.
    fn is_of_use(&self, kind: Kind, name: &str) -> Result<bool, FormatError> {
        Ok(match name {
            TOKENIZER_MODEL => kind == Kind::Meta || self.file(TOKENIZER_JSON).is_none(),
            NDARRAY_CACHE => self.file(TENSOR_CACHE).is_none(),
            TEMPLATE_JSON => {
                let config = self.file(TOKENIZER_CONFIG).map(read_tokenizer_config).transpose()?;
                self.file(TEMPLATE_JINJA).is_none() && config.is_none_or(|(_, template)| template.is_none())
            }
            _ => true,
        })
    }

    /// The model of a Hugging Face folder. `weights` are in the order of [`Needs::Safetensors`]; `name` is what the
    /// model is called by whoever fetched it.
    ///
    /// # Errors
    /// As [`Checkpoint::from_hub`].
    pub fn hub(
        mut self,
        weights: Vec<SafetensorsHeader>,
        name: Option<String>,
    ) -> Result<Checkpoint, FormatError> {
        let jinja = self.take(TEMPLATE_JINJA).map(ChatTemplateFile::Jinja);
        let json = self.take(TEMPLATE_JSON).map(ChatTemplateFile::Json);
        Checkpoint::from_hub(HubFiles {
            index: self.index()?,
            config: self.take(CONFIG).ok_or_else(|| Part::Folder.missing(CONFIG))?,
            generation_config: self.take(GENERATION_CONFIG),
            tokenizer: self.tokenizer(),
            tokenizer_config: self.take(TOKENIZER_CONFIG),
            chat_template: jinja.or(json),
            weights,
            name,
        })
    }

    /// The model of an MLC folder.
    ///
    /// # Errors
    /// As [`Checkpoint::from_mlc`].
    pub fn mlc(mut self, name: Option<String>) -> Result<Checkpoint, FormatError> {
        Checkpoint::from_mlc(MlcFiles {
            cache: self.cache()?,
            config: self.take(MLC_CONFIG).ok_or_else(|| Part::Folder.missing(MLC_CONFIG))?,
            tokenizer: self.tokenizer(),
            tokenizer_config: self.take(TOKENIZER_CONFIG),
            name,
        })
    }

    /// The names of all `.pth` files of a folder of Meta's, from the first of them.
    ///
    /// # Errors
    /// As [`MetaFiles::parts_of`].
    pub fn meta_files(&self, first: &Pth) -> Result<Vec<String>, FormatError> {
        let params = self.file(PARAMS).ok_or_else(|| Part::Folder.missing(PARAMS))?;
        let parts = MetaFiles::parts_of(params, first)?;
        Ok((0..parts).map(|part| format!("consolidated.{part:02}.pth")).collect())
    }

    /// The model of a folder of Meta's. `parts` are in the order of [`ModelFolder::meta_files`].
    ///
    /// # Errors
    /// As [`Checkpoint::from_meta`].
    pub fn meta(mut self, parts: Vec<Pth>, name: Option<String>) -> Result<Checkpoint, FormatError> {
        let params = self.take(PARAMS).ok_or_else(|| Part::Folder.missing(PARAMS))?;
        Checkpoint::from_meta(MetaFiles { params, parts, tokenizer: self.tokenizer(), name })
    }

    fn file(&self, name: &str) -> Option<&[u8]> {
        self.files.get(name)?.as_deref()
    }

    fn take(&mut self, name: &str) -> Option<Vec<u8>> {
        self.files.remove(name)?
    }

    fn index(&self) -> Result<Option<HubIndex>, FormatError> {
        self.file(INDEX).map(HubIndex::parse).transpose()
    }

    fn cache(&self) -> Result<MlcCache, FormatError> {
        let list = self.file(TENSOR_CACHE).or_else(|| self.file(NDARRAY_CACHE));
        MlcCache::parse(
            list.ok_or_else(|| Part::Folder.missing("tensor-cache.json (or ndarray-cache.json)"))?,
        )
    }

    /// A model without a tokenizer still turns ids into ids.
    fn tokenizer(&mut self) -> TokenizerFile {
        let config = TokenizerConfig::default();
        match (self.take(TOKENIZER_JSON), self.take(TOKENIZER_MODEL)) {
            (Some(json), _) => TokenizerFile::HuggingFace { json, config },
            (None, Some(model)) => TokenizerFile::Tiktoken { model, config },
            (None, None) => TokenizerFile::Absent,
        }
    }
}

fn file(name: &'static str) -> Needs {
    let is_tokenizer = matches!(name, TOKENIZER_JSON | TOKENIZER_MODEL);
    let max_bytes = if is_tokenizer { MAX_TOKENIZER_BYTES } else { MAX_JSON_BYTES };
    Needs::File { name, max_bytes }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Asks a folder with these files for all that it needs, and gives the order of asking and what comes last.
    fn asked(folder: &[(&str, &str)]) -> (Vec<&'static str>, Result<Needs, FormatError>) {
        let mut model = ModelFolder::new();
        let mut names = Vec::new();
        loop {
            match model.needs() {
                Ok(Needs::File { name, .. }) => {
                    let found = folder.iter().find(|(known, _)| *known == name);
                    model.put(name, found.map(|(_, text)| text.as_bytes().into()));
                    names.push(name);
                }
                end => return (names, end),
            }
        }
    }

    #[test]
    fn hugging_face() {
        let index =
            r#"{"weight_map": {"b": "m-2.safetensors", "a": "m-1.safetensors", "c": "m-2.safetensors"}}"#;
        let template = r#"{"chat_template": "x"}"#;
        let all = [
            CONFIG,
            GENERATION_CONFIG,
            TOKENIZER_JSON,
            TOKENIZER_MODEL,
            TOKENIZER_CONFIG,
            TEMPLATE_JINJA,
            TEMPLATE_JSON,
            INDEX,
        ];
        let (names, needs) = asked(&[(CONFIG, "{}")]);
        assert_eq!(
            (names.as_slice(), needs),
            (all.as_slice(), Ok(Needs::Safetensors { files: vec!["model.safetensors".into()] }))
        );
        let (names, needs) =
            asked(&[(CONFIG, "{}"), (TOKENIZER_JSON, "{}"), (TOKENIZER_CONFIG, template), (INDEX, index)]);
        assert_eq!(
            names,
            [CONFIG, GENERATION_CONFIG, TOKENIZER_JSON, TOKENIZER_CONFIG, TEMPLATE_JINJA, INDEX]
        );
        assert_eq!(
            needs,
            Ok(Needs::Safetensors { files: vec!["m-1.safetensors".into(), "m-2.safetensors".into()] })
        );
        let (names, _) = asked(&[(CONFIG, "{}"), (TOKENIZER_JSON, "{}"), (TEMPLATE_JINJA, "x")]);
        assert!(!names.contains(&TEMPLATE_JSON) && !names.contains(&TOKENIZER_MODEL), "{names:?}");
        let (_, needs) = asked(&[(CONFIG, "{}"), (INDEX, "{}")]);
        assert_eq!(needs.unwrap_err().to_string(), "model.safetensors.index.json: weight_map is missing.");
    }

    #[test]
    fn mlc() {
        let cache = r#"{"records": [{"dataPath": "params_shard_0.bin", "format": "raw-shard", "nbytes": 7, "records": []}]}"#;
        let shards = Ok(Needs::Shards { files: vec![("params_shard_0.bin".into(), 7)] });
        let (names, needs) = asked(&[(MLC_CONFIG, "{}"), (TENSOR_CACHE, cache)]);
        assert_eq!(names, [CONFIG, MLC_CONFIG, TENSOR_CACHE, TOKENIZER_JSON, TOKENIZER_CONFIG]);
        assert_eq!(needs, shards);
        let (names, needs) = asked(&[(MLC_CONFIG, "{}"), (NDARRAY_CACHE, cache)]);
        assert_eq!(names[2..4], [TENSOR_CACHE, NDARRAY_CACHE]);
        assert_eq!(needs, shards);
        let (_, needs) = asked(&[(MLC_CONFIG, "{}")]);
        assert_eq!(
            needs.unwrap_err().to_string(),
            "folder: tensor-cache.json (or ndarray-cache.json) is missing."
        );
    }

    #[test]
    fn meta_and_none() {
        let (names, needs) = asked(&[(PARAMS, "{}")]);
        assert_eq!(names, [CONFIG, MLC_CONFIG, PARAMS, TOKENIZER_MODEL]);
        assert_eq!(needs, Ok(Needs::Pth { first: "consolidated.00.pth" }));
        let (names, needs) = asked(&[("README.md", "")]);
        assert_eq!(names, [CONFIG, MLC_CONFIG, PARAMS]);
        assert_eq!(
            needs.unwrap_err().to_string(),
            "folder: config.json, by which a model is known (or mlc-chat-config.json, or params.json), is missing."
        );
    }
}
