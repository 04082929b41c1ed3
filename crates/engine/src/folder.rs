//! A model in a folder: which of its files to ask for, one after the other, and what they make together.
//!
//! Hosts can't be asked for a list, so a file that a folder may lack is asked for and may be absent.
//! What is there tells the kind:
//!
//! | file | folder of |
//! |---|---|
//! | `manifest.json` of ours | Pronk: `docs/model-folder.md` |
//! | `config.json` | Hugging Face: safetensors |
//! | `mlc-chat-config.json` | MLC: shards for WebLLM |
//! | `params.json` | Meta: `consolidated.NN.pth` |

use format::{
    ChatTemplateFile, Checkpoint, HubFiles, HubIndex, Manifest, ManifestFiles, MetaFiles, MlcCache, MlcFiles,
    SafetensorsHeader, TokenizerConfig, TokenizerFile,
};
use store::{Hash, StoreError};

use crate::EngineError;
use crate::open::{Container, Found, Heads};

const MANIFEST: &str = "manifest.json";
const INDEX: &str = "model.safetensors.index.json";
const SINGLE: &str = "model.safetensors";
const MLC: &str = "mlc-chat-config.json";
const PARAMS: &str = "params.json";

/// Whether a file that was asked for by name stands for the folder that it is in.
pub(crate) fn stands_for_its_folder(name: &str) -> bool {
    let path = name.split(['?', '#']).next().unwrap_or(name);
    [MANIFEST, "config.json", INDEX, MLC, PARAMS].contains(&path)
        || [".safetensors", ".pth"].iter().any(|ending| path.ends_with(ending))
}

/// Reads the folder; `None` if it is of no kind that is known.
pub(crate) async fn find(name: &str, heads: &mut impl Heads) -> Result<Option<Found>, EngineError> {
    let name = folder_name(name);
    if let Some(manifest) = heads.whole(MANIFEST).await?.filter(|bytes| Manifest::is_ours(bytes)) {
        heads.found(&|| Container::Pronk);
        return Ok(Some(find_ours(&manifest, heads).await?));
    }
    if let Some(config) = heads.whole("config.json").await? {
        heads.found(&|| Container::Hub);
        return Ok(Some(find_hub(name, config, heads).await?));
    }
    if let Some(config) = heads.whole(MLC).await? {
        heads.found(&|| Container::Mlc);
        return Ok(Some(find_mlc(name, config, heads).await?));
    }
    let Some(params) = heads.whole(PARAMS).await? else { return Ok(None) };
    heads.found(&|| Container::Meta);
    Ok(Some(find_meta(name, params, heads).await?))
}

async fn find_ours(manifest: &[u8], heads: &mut impl Heads) -> Result<Found, EngineError> {
    let manifest = Manifest::parse(manifest, |bytes| Hash::of(bytes).0)?;
    heads.publish(&manifest);
    let config = "config.json";
    let absent = || StoreError::Absent { name: config.to_owned() };
    let files = ManifestFiles {
        config: listed(&manifest, config, heads).await?.ok_or_else(absent)?,
        generation_config: listed(&manifest, "generation_config.json", heads).await?,
        tokenizer: listed_tokenizer(&manifest, heads).await?,
        tokenizer_config: listed(&manifest, "tokenizer_config.json", heads).await?,
        chat_template: listed(&manifest, "chat_template.jinja", heads).await?,
        manifest,
    };
    let names = files.manifest.weights().map(|file| file.name.clone()).collect();
    Ok(Found { checkpoint: Checkpoint::from_manifest(files)?, files: names })
}

/// All of a small file, if the manifest has it; it must be there then, and be the one that was hashed.
async fn listed(
    manifest: &Manifest,
    name: &str,
    heads: &mut impl Heads,
) -> Result<Option<Vec<u8>>, EngineError> {
    let Some(file) = manifest.file(name) else { return Ok(None) };
    let bytes = heads.needed(name).await?;
    let (expected, found) = (Hash(file.sha256), Hash::of(&bytes));
    if found != expected {
        return Err(StoreError::HashMismatch { name: name.to_owned(), piece: 0, expected, found }.into());
    }
    Ok(Some(bytes))
}

async fn listed_tokenizer(manifest: &Manifest, heads: &mut impl Heads) -> Result<TokenizerFile, EngineError> {
    let config = TokenizerConfig::default();
    if let Some(json) = listed(manifest, "tokenizer.json", heads).await? {
        return Ok(TokenizerFile::HuggingFace { json, config });
    }
    if let Some(model) = listed(manifest, "tokenizer.model", heads).await? {
        return Ok(TokenizerFile::Tiktoken { model, config });
    }
    Ok(match listed(manifest, "tokenizer.gguf", heads).await? {
        Some(gguf) => TokenizerFile::Gguf(format::Tokenizer::from_gguf(&gguf)?),
        None => TokenizerFile::Absent,
    })
}

async fn find_hub(name: String, config: Vec<u8>, heads: &mut impl Heads) -> Result<Found, EngineError> {
    let index = heads.whole(INDEX).await?.map(|bytes| HubIndex::parse(&bytes)).transpose()?;
    let files = index.as_ref().map_or_else(|| vec![SINGLE.to_owned()], |index| index.files.clone());
    let mut weights = Vec::with_capacity(files.len());
    for file in &files {
        weights.push(heads.head(file, SafetensorsHeader::parse).await?);
    }
    let checkpoint = Checkpoint::from_hub(HubFiles {
        config,
        generation_config: heads.whole("generation_config.json").await?,
        tokenizer: tokenizer(heads).await?,
        tokenizer_config: heads.whole("tokenizer_config.json").await?,
        chat_template: chat_template(heads).await?,
        index,
        weights,
        name: Some(name),
    })?;
    Ok(Found { checkpoint, files })
}

async fn find_mlc(name: String, config: Vec<u8>, heads: &mut impl Heads) -> Result<Found, EngineError> {
    // The name that TVM gave it in September 2025, and the one before.
    let cache = match heads.whole("tensor-cache.json").await? {
        Some(cache) => cache,
        None => heads.needed("ndarray-cache.json").await?,
    };
    let cache = MlcCache::parse(&cache)?;
    let files = cache.files.iter().map(|(name, _)| name.clone()).collect();
    let checkpoint = Checkpoint::from_mlc(MlcFiles {
        config,
        cache,
        tokenizer: tokenizer(heads).await?,
        tokenizer_config: heads.whole("tokenizer_config.json").await?,
        name: Some(name),
    })?;
    Ok(Found { checkpoint, files })
}

async fn find_meta(name: String, params: Vec<u8>, heads: &mut impl Heads) -> Result<Found, EngineError> {
    let file = |part: usize| format!("consolidated.{part:02}.pth");
    let first = heads.pth(&file(0)).await?;
    let count = MetaFiles::parts_of(&params, &first)?;
    let files: Vec<String> = (0..count).map(file).collect();
    let mut parts = vec![first];
    for file in files.iter().skip(1) {
        parts.push(heads.pth(file).await?);
    }
    let tokenizer = tokenizer(heads).await?;
    let checkpoint = Checkpoint::from_meta(MetaFiles { params, parts, tokenizer, name: Some(name) })?;
    Ok(Found { checkpoint, files })
}

async fn tokenizer(heads: &mut impl Heads) -> Result<TokenizerFile, EngineError> {
    // What `tokenizer_config.json` says is added with the rest.
    let config = TokenizerConfig::default();
    if let Some(json) = heads.whole("tokenizer.json").await? {
        return Ok(TokenizerFile::HuggingFace { json, config });
    }
    Ok(match heads.whole("tokenizer.model").await? {
        Some(model) => TokenizerFile::Tiktoken { model, config },
        None => TokenizerFile::Absent,
    })
}

async fn chat_template(heads: &mut impl Heads) -> Result<Option<ChatTemplateFile>, EngineError> {
    if let Some(template) = heads.whole("chat_template.jinja").await? {
        return Ok(Some(ChatTemplateFile::Jinja(template)));
    }
    Ok(heads.whole("chat_template.json").await?.map(ChatTemplateFile::Json))
}

/// What a person calls the folder: the last part of its path, or the repository of an address on the Hub.
fn folder_name(name: &str) -> String {
    let path = name.split(['?', '#']).next().unwrap_or(name);
    let path = path.split_once("/resolve/").map_or(path, |(repository, _)| repository);
    let mut parts = path.rsplit(['/', '\\']).filter(|part| !part.is_empty() && !stands_for_its_folder(part));
    parts.next().unwrap_or(name).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_by_their_names() {
        for (name, expected) in [
            ("models/Llama-3.2-1B/", "Llama-3.2-1B"),
            ("models/Llama-3.2-1B", "Llama-3.2-1B"),
            ("models/Llama-3.2-1B/config.json", "Llama-3.2-1B"),
            ("https://huggingface.co/a/SmolLM2-135M/resolve/main/", "SmolLM2-135M"),
            ("https://host/m/model.safetensors?download=true", "m"),
            ("/", "/"),
        ] {
            assert_eq!(folder_name(name), expected, "{name}");
        }
    }

    #[test]
    fn names_that_stand_for_a_folder() {
        for (name, expected) in [
            ("config.json", true),
            ("model.safetensors", true),
            ("model-00001-of-00002.safetensors?x", true),
            ("model.safetensors.index.json", true),
            ("model.gguf", false),
            ("tokenizer.json", false),
            ("manifest.json", true),
            ("params.json", true),
            ("consolidated.00.pth", true),
            ("mlc-chat-config.json", true),
        ] {
            assert_eq!(stands_for_its_folder(name), expected, "{name}");
        }
    }
}
