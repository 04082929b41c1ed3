//! `pronk inspect`: what a model file holds, said from its header alone.

mod memory;

use std::collections::BTreeMap;
use std::fmt::Write;

use anyhow::Result;
use engine::Container;
use format::{
    Array, Checkpoint, GenerationConfig, GgmlType, Metadata, TensorInfo, TensorName, TokenizerFile, Value,
    shortest,
};
use indicatif::{DecimalBytes, HumanCount};
use serde::Serialize;
use serde_json::json;

use memory::MemoryTable;

use crate::args::InspectArgs;
use crate::output::{print, print_json};
use crate::source::{Header, read_header};

/// What `--json` prints.
#[derive(Serialize)]
struct Report<'a> {
    name: Option<&'a str>,
    file: &'a str,
    bytes: u64,
    /// None for other kinds of files.
    gguf_version: Option<u32>,
    licence: Option<&'a str>,
    built_with_llama: bool,
    parameters: u64,
    quantization: &'static str,
    config: serde_json::Value,
    memory: MemoryTable,
    tokenizer: serde_json::Value,
    /// How its makers want tokens drawn.
    sampling: serde_json::Value,
    chat_template: Option<&'a str>,
    metadata: serde_json::Map<String, serde_json::Value>,
    tensors: Vec<Tensor>,
}

#[derive(Serialize)]
struct Tensor {
    name: String,
    dtype: &'static str,
    shape: [usize; 2],
    offset: u64,
    bytes: u64,
}

pub(crate) fn inspect(args: &InspectArgs) -> Result<()> {
    let Header { file, header } = read_header(&args.model)?;
    let memory = MemoryTable::new(&header.checkpoint, args)?;
    match args.json {
        true => print_json(&report(&file, &header, memory)),
        false => Ok(print(&text(&file, &header, &memory))?),
    }
}

fn report<'a>(file: &'a str, header: &'a engine::Header, memory: MemoryTable) -> Report<'a> {
    let checkpoint = &header.checkpoint;
    let (gguf_version, metadata) = match &header.container {
        Container::Gguf { version, metadata } => (Some(*version), metadata.clone()),
        Container::Pronk | Container::Hub | Container::Mlc | Container::Meta => (None, Metadata::default()),
    };
    Report {
        name: checkpoint.name.as_deref(),
        file,
        bytes: checkpoint.size(),
        gguf_version,
        licence: checkpoint.licence.as_deref(),
        built_with_llama: checkpoint.built_with_llama(),
        parameters: checkpoint.parameters(),
        quantization: checkpoint.quantization().name(),
        config: checkpoint.config.dimensions(),
        memory,
        tokenizer: tokenizer(checkpoint),
        sampling: sampling(checkpoint),
        chat_template: checkpoint.chat_template.as_deref(),
        metadata: metadata.iter().map(|(key, value)| (key.to_owned(), plain(value))).collect(),
        tensors: checkpoint.tensors.iter().map(Tensor::new).collect(),
    }
}

fn tokenizer(checkpoint: &Checkpoint) -> serde_json::Value {
    let TokenizerFile::Gguf(tokenizer) = &checkpoint.tokenizer else {
        let Ok(tokenizer) = engine::tokenizer(checkpoint) else { return serde_json::Value::Null };
        return json!({ "tokens": tokenizer.vocab_size(), "stop_ids": tokenizer.stop_ids() });
    };
    json!({
        "model": tokenizer.model,
        "pre": tokenizer.pre,
        "tokens": tokenizer.tokens.len(),
        "merges": tokenizer.merges.len(),
        "bos_token_id": tokenizer.bos_token_id,
        "eos_token_id": tokenizer.eos_token_id,
        "eot_token_id": tokenizer.eot_token_id,
        "eom_token_id": tokenizer.eom_token_id,
        "add_bos_token": tokenizer.add_bos_token,
    })
}

fn sampling(checkpoint: &Checkpoint) -> serde_json::Value {
    let GenerationConfig { do_sample, temperature, top_k, top_p, repetition_penalty, .. } =
        &checkpoint.generation;
    json!({
        "do_sample": do_sample,
        "temperature": temperature.map(shortest),
        "top_k": top_k,
        "top_p": top_p.map(shortest),
        "repetition_penalty": repetition_penalty.map(shortest),
    })
}

/// A value as JSON has it; arrays, which are the tokenizer's thousands, by what they are.
fn plain(value: &Value) -> serde_json::Value {
    match value {
        Value::U8(value) => json!(value),
        Value::I8(value) => json!(value),
        Value::U16(value) => json!(value),
        Value::I16(value) => json!(value),
        Value::U32(value) => json!(value),
        Value::I32(value) => json!(value),
        Value::U64(value) => json!(value),
        Value::I64(value) => json!(value),
        Value::F32(value) => json!(shortest(*value)),
        Value::F64(value) => json!(value),
        Value::Bool(value) => json!(value),
        Value::String(value) => json!(value),
        Value::Array(Array::Strings(_) | Array::Numbers { .. }) => json!(value.to_string()),
    }
}

impl Tensor {
    fn new(info: &TensorInfo) -> Tensor {
        Tensor {
            name: info.name.to_string(),
            dtype: info.dtype.name(),
            shape: [info.rows, info.columns],
            offset: first_byte(info),
            bytes: info.stored_bytes(),
        }
    }
}

fn first_byte(info: &TensorInfo) -> u64 {
    info.stored.spans().first().map_or(0, |span| span.offset)
}

/// What a person is told.
fn text(file: &str, header: &engine::Header, memory: &MemoryTable) -> String {
    let checkpoint = &header.checkpoint;
    let (kind, pairs) = match &header.container {
        Container::Gguf { version, metadata: pairs } => (format!("GGUF version {version}"), metadata(pairs)),
        Container::Pronk => ("a folder of Pronk’s".to_owned(), String::new()),
        Container::Hub => ("a Hugging Face folder".to_owned(), String::new()),
        Container::Mlc => ("an MLC folder".to_owned(), String::new()),
        Container::Meta => ("a folder of Meta’s".to_owned(), String::new()),
    };
    let files = match header.files.len() {
        1 => String::new(),
        count => format!(" in {count} files"),
    };
    let name = checkpoint.name.as_deref().unwrap_or(file);
    let licence = checkpoint.licence.as_deref().unwrap_or("not stated in the file");
    let most = checkpoint.config.max_position_embeddings;
    let parameters = HumanCount(checkpoint.parameters());
    let bytes = DecimalBytes(checkpoint.size());
    let mut text = format!("{}\n", name.escape_debug());
    let mut line = |name: &str, value: String| {
        // Writing to a `String` cannot fail.
        let _ = writeln!(text, "  {name:12} {value}");
    };
    line("file", format!("{}, {bytes}{files}, {kind}", file.escape_debug()));
    line("licence", licence.escape_debug().to_string());
    if checkpoint.built_with_llama() {
        line("", "Built with Llama".to_owned());
    }
    line("parameters", format!("{parameters}, most of them as {}", checkpoint.quantization()));
    line("context", format!("{} tokens", HumanCount(most as u64)));
    for (title, row) in std::iter::once("memory").chain(std::iter::repeat("")).zip(memory.lines()) {
        line(title, row);
    }
    for (title, object) in [
        ("config", checkpoint.config.dimensions()),
        ("tokenizer", tokenizer(checkpoint)),
        ("sampling", sampling(checkpoint)),
    ] {
        // Of a folder that brings no tokenizer, say, there is nothing to tell.
        Some(fields(&object)).filter(|said| !said.is_empty()).into_iter().for_each(|said| line(title, said));
    }
    for warning in &checkpoint.warnings {
        line("warning", warning.clone());
    }
    text + &pairs + &tensors(checkpoint)
}

/// `a 1, b 2`, without what is not there.
fn fields(object: &serde_json::Value) -> String {
    let fields = object.as_object().into_iter().flatten().filter(|(_, value)| !value.is_null());
    fields.map(|(name, value)| format!("{name} {value}")).collect::<Vec<_>>().join(", ")
}

fn metadata(pairs: &Metadata) -> String {
    let mut text = format!("\nMetadata ({})\n", pairs.iter().len());
    for (key, value) in pairs.iter() {
        let _ = writeln!(text, "  {} = {value}", key.escape_debug());
    }
    text
}

/// Tensors that differ only by their layer share a line.
fn tensors(checkpoint: &Checkpoint) -> String {
    let mut groups: BTreeMap<(TensorName, GgmlType), (u64, u64, &TensorInfo)> = BTreeMap::new();
    for tensor in &checkpoint.tensors {
        let name = match tensor.name {
            TensorName::Layer { part, .. } => TensorName::Layer { index: 0, part },
            name => name,
        };
        let (count, bytes, _) = groups.entry((name, tensor.dtype)).or_insert((0, 0, tensor));
        *count += 1;
        *bytes += tensor.stored_bytes();
    }
    let mut text = format!("\nTensors ({}; --json lists each)\n", checkpoint.tensors.len());
    for ((name, dtype), (count, bytes, first)) in groups {
        let name = match name {
            TensorName::Layer { .. } => name.to_string().replace(".0.", ".*."),
            name => name.to_string(),
        };
        let shape = format!("[{}, {}]", first.rows, first.columns);
        let (bytes, offset) = (DecimalBytes(bytes).to_string(), first_byte(first));
        let _ = writeln!(text, "  {name:48} {count:4} x {dtype:5} {shape:16} {bytes:>10} from byte {offset}");
    }
    text
}
