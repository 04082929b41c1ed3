//! A checkpoint from Meta's folder.
//!
//! Each of several parts has some rows of a matrix, or some of its columns (wo and w2), or all of a vector.

use std::collections::{HashMap, HashSet};

use super::origin::names_llama_3;
use super::{Along, Checkpoint, Merged, RowOrder, Span, Stored, TensorInfo, in_order};
use crate::error::{FormatError, Part, quote_odd};
use crate::meta::{MetaFiles, Params};
use crate::pth::{Pth, PthTensor};
use crate::{Config, GenerationConfig, TensorName};

const PART: Part = Part::Pickle;

/// Older files have what they can compute from the config.
const ROPE_FREQS: &str = "rope.freqs";

impl Checkpoint {
    /// Reads the files of Meta's folder as a Llama model.
    ///
    /// # Errors
    /// If parts are missing, or a tensor is, or one is superfluous or of another shape than `params.json` wants.
    pub fn from_meta(files: MetaFiles) -> Result<Checkpoint, FormatError> {
        let params = Params::parse(&files.params)?;
        let first = files.parts.first().ok_or_else(|| PART.missing("consolidated.00.pth"))?;
        let (needed, opened) = (params.parts(first)?, files.parts.len());
        if needed != opened {
            return Err(FormatError::Parts { needed, opened });
        }
        let config = params.config(first, opened)?;
        let parts: Vec<HashMap<&str, &PthTensor>> = files.parts.iter().map(by_name_in).collect();
        let names: Vec<TensorName> = TensorName::of_model(&config).collect();
        let infos = names.iter().map(|name| tensor(*name, &parts, &config));
        let infos: Vec<TensorInfo> = infos.collect::<Result<_, _>>()?;
        check_rest(&files.parts, &names)?;
        let (tensors, by_name) = in_order(infos);
        Ok(Checkpoint {
            config,
            tensors,
            tokenizer: files.tokenizer,
            chat_template: None,
            generation: GenerationConfig::default(),
            // Llama 3's vocabulary is its own.
            built_with_llama: config.vocab_size == 128_256
                || files.name.as_deref().is_some_and(names_llama_3),
            name: files.name,
            licence: None,
            file_sizes: files.parts.iter().map(|part| part.file_size).collect(),
            warnings: Vec::new(),
            by_name,
        })
    }
}

fn by_name_in(part: &Pth) -> HashMap<&str, &PthTensor> {
    part.tensors.iter().map(|tensor| (tensor.name.as_str(), tensor)).collect()
}

fn tensor(
    name: TensorName,
    parts: &[HashMap<&str, &PthTensor>],
    config: &Config,
) -> Result<TensorInfo, FormatError> {
    let stored_name = name.meta();
    let [rows, columns] = config.shape(name);
    let mut spans = Vec::new();
    let mut kinds = Vec::new();
    for (file, part) in parts.iter().enumerate() {
        let tensor = part
            .get(stored_name.as_str())
            .ok_or_else(|| PART.missing(format!("{stored_name} of consolidated.{file:02}.pth")))?;
        spans.push(Span { file, offset: tensor.offset, len: tensor.len });
        kinds.push((tensor.dtype, tensor.shape.as_slice()));
    }
    let (dtype, shape) = kinds.first().copied().ok_or_else(|| PART.missing(&stored_name))?;
    if let Some((other_dtype, other)) = kinds.iter().find(|kind| **kind != (dtype, shape)) {
        let expected = format!("{dtype} of shape {shape:?} in all parts");
        return Err(PART.invalid(stored_name, expected, format_args!("{other_dtype} of {other:?}")));
    }
    let stored = stored(name, shape, spans, config).ok_or_else(|| {
        let whole = if name.is_vector() { format!("[{columns}]") } else { format!("[{rows}, {columns}]") };
        let expected = match parts.len() {
            1 => format!("shape {whole}"),
            count => format!("a share of shape {whole} among {count} parts"),
        };
        PART.invalid(&stored_name, expected, format_args!("shape {shape:?}"))
    })?;
    Ok(TensorInfo { name, dtype, rows, columns, stored })
}

/// How the parts make the tensor, if they do.
fn stored(name: TensorName, shape: &[u64], spans: Vec<Span>, config: &Config) -> Option<Stored> {
    let [rows, columns] = config.shape(name).map(|n| n as u64);
    let count = spans.len() as u64;
    let share = |all: u64, part: u64| part.checked_mul(count) == Some(all);
    let along = match (name.is_vector(), shape) {
        (true, [n]) if *n == columns => None,
        (false, [r, c]) if [*r, *c] == [rows, columns] => None,
        (false, [r, c]) if share(rows, *r) && *c == columns => Some(Along::Rows),
        (false, [r, c]) if *r == rows && share(columns, *c) => Some(Along::Columns),
        _ => return None,
    };
    Some(match along {
        Some(along) => Stored::Merged(Merged { parts: spans, along }),
        // All parts have all of it.
        None => Stored::Rows { span: *spans.first()?, order: RowOrder::Neighbours },
    })
}

/// That no part has what a Llama does not.
fn check_rest(parts: &[Pth], names: &[TensorName]) -> Result<(), FormatError> {
    let known: HashSet<String> = names.iter().map(|name| name.meta()).collect();
    let is_other = |tensor: &&PthTensor| tensor.name != ROPE_FREQS && !known.contains(&tensor.name);
    match parts.iter().flat_map(|part| &part.tensors).find(is_other) {
        Some(tensor) => Err(PART.invalid(quote_odd(&tensor.name), "a tensor of this Llama's", "another")),
        None => Ok(()),
    }
}
