//! The small files of a Hub folder.

use format::{ChatTemplateFile, Checkpoint, HubFiles, HubIndex};

use crate::Refusal;
use crate::model::{config_json, folder};

fn read(files: HubFiles) -> Result<Checkpoint, Refusal> {
    Ok(Checkpoint::from_hub(files)?)
}

/// `config.json`
pub fn config(bytes: &[u8]) -> Result<(), Refusal> {
    read(HubFiles { config: bytes.to_vec(), ..folder() })?;
    Ok(())
}

/// `quantization_config` within `config.json`.
pub fn quantization_config(bytes: &[u8]) -> Result<(), Refusal> {
    let field = format!(", \"quantization_config\": {}", String::from_utf8_lossy(bytes));
    read(HubFiles { config: config_json(&field).into_bytes(), ..folder() })?;
    Ok(())
}

/// `model.safetensors.index.json`
///
/// # Panics
/// If a file's name is let through that leads out of the folder.
pub fn hub_index(bytes: &[u8]) -> Result<(), Refusal> {
    let index = HubIndex::parse(bytes)?;
    index.files.iter().for_each(|name| check_plain(name));
    read(HubFiles { index: Some(index), ..folder() })?;
    Ok(())
}

/// `generation_config.json`
pub fn generation_config(bytes: &[u8]) -> Result<(), Refusal> {
    read(HubFiles { generation_config: Some(bytes.to_vec()), ..folder() })?;
    Ok(())
}

/// `tokenizer_config.json`, as the model's files are read, and as a tokenizer alone is.
pub fn tokenizer_config(bytes: &[u8]) -> Result<(), Refusal> {
    chat::TokenizerConfig::parse(bytes)?;
    read(HubFiles { tokenizer_config: Some(bytes.to_vec()), ..folder() })?;
    Ok(())
}

/// `chat_template.json`
pub fn chat_template_json(bytes: &[u8]) -> Result<(), Refusal> {
    read(HubFiles { chat_template: Some(ChatTemplateFile::Json(bytes.to_vec())), ..folder() })?;
    Ok(())
}

/// That a name is one of a file beside the file that names it.
pub(crate) fn check_plain(name: &str) {
    let is_plain = !name.is_empty() && name != "." && name != ".." && !name.contains(['/', '\\', ':', '\0']);
    assert!(is_plain, "{name:?}");
}
