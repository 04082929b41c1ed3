//! Healthy files, and the damage that readers of such files have fallen for: LLAMA.md's B7, reader by reader.

mod chats;
mod containers;
mod folders;
mod transport;
mod vocabularies;

use readers::Reader;

/// A file, and a part of what is said of it; nothing if it is fine.
pub(crate) struct Case {
    pub(crate) name: &'static str,
    pub(crate) bytes: Vec<u8>,
    pub(crate) says: &'static str,
}

fn case(name: &'static str, bytes: impl Into<Vec<u8>>, says: &'static str) -> Case {
    Case { name, bytes: bytes.into(), says }
}

/// What a reader is tried with.
pub(crate) fn of(reader: &Reader) -> Vec<Case> {
    let cases: fn() -> Vec<Case> = match reader.name {
        "gguf" => containers::gguf,
        "gguf_prefix" => containers::gguf_prefix,
        "safetensors" => containers::safetensors,
        "safetensors_prefix" => containers::safetensors_prefix,
        "pth" => containers::pth,
        "config" => folders::config,
        "quantization_config" => folders::quantization_config,
        "packed_rows" => folders::packed_rows,
        "hub_index" => folders::hub_index,
        "generation_config" => folders::generation_config,
        "tokenizer_config" => folders::tokenizer_config,
        "chat_template_json" => folders::chat_template_json,
        "mlc_config" => folders::mlc_config,
        "mlc_cache" => folders::mlc_cache,
        "meta_params" => folders::meta_params,
        "manifest" => folders::manifest,
        "tokenizer_json" => vocabularies::tokenizer_json,
        "tiktoken" => vocabularies::tiktoken,
        "chat_template" => chats::chat_template,
        "conversation" => chats::conversation,
        "tool_calls" => chats::tool_calls,
        "http_answer" => transport::http_answer,
        "record" => transport::record,
        "names" => transport::names,
        other => panic!("{other} has no corpus"),
    };
    cases()
}
