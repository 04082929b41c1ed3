//! A checkpoint from a folder of our own.

use std::collections::HashMap;

use super::hub::merged;
use super::origin::names_llama_3;
use super::{Checkpoint, Laid, RowOrder, Span, Stored, TensorInfo, in_order};
use crate::error::{FormatError, Part, quote};
use crate::hub::{ChatTemplateFile, HubConfig, Quantization, read_generation_config, read_with_template};
use crate::layout::{TILE, WeightType};
use crate::manifest::{LaidPart, Manifest, ManifestFiles, ManifestTensor};
use crate::{Config, GgmlType, TensorName};

const PART: Part = Part::Manifest;

impl Checkpoint {
    /// Reads the files of a folder that Pronk wrote. That they are those of the manifest, the caller has checked.
    ///
    /// # Errors
    /// If a tensor is missing or superfluous, or of another shape than `config.json` wants; if its parts do not make
    /// it up, or lie outside of their files or on each other; if the notice is gone that a Llama must carry.
    pub fn from_manifest(files: ManifestFiles) -> Result<Checkpoint, FormatError> {
        let ManifestFiles { manifest, .. } = files;
        let HubConfig { config, generation, quantization, .. } = HubConfig::parse(&files.config)?;
        if quantization != Quantization::None {
            let found = "one of another program";
            return Err(Part::ConfigJson.invalid(
                "quantization_config",
                "none: manifest.json has the types",
                found,
            ));
        }
        let (tensors, by_name) = tensors(&manifest, &config)?;
        let names = [&manifest.name, &manifest.licence];
        let built_with_llama =
            manifest.built_with_llama || names.into_iter().flatten().any(|name| names_llama_3(name));
        if built_with_llama && manifest.file("NOTICE").is_none() {
            return Err(PART.missing("NOTICE, which a Llama's licence wants beside it,"));
        }
        let mut warnings = Vec::new();
        let stated = files.generation_config.as_deref().map(read_generation_config).transpose()?;
        let generation = merged(generation, stated, config.vocab_size, &mut warnings);
        let own_template = files.chat_template.map(ChatTemplateFile::Jinja);
        let (tokenizer_config, chat_template) =
            read_with_template(files.tokenizer_config.as_deref(), own_template.as_ref())?;
        Ok(Checkpoint {
            config,
            tensors,
            tokenizer: files.tokenizer.with_config(tokenizer_config),
            chat_template,
            generation,
            file_sizes: manifest.weights().map(|file| file.size).collect(),
            name: manifest.name,
            licence: manifest.licence,
            warnings,
            by_name,
            built_with_llama,
        })
    }
}

type Tensors = (Vec<TensorInfo>, HashMap<TensorName, usize>);

/// All tensors of the model, each once, none on another.
fn tensors(manifest: &Manifest, config: &Config) -> Result<Tensors, FormatError> {
    let files = Files::of(manifest);
    let mut infos: Vec<TensorInfo> = Vec::with_capacity(manifest.tensors.len());
    for entry in &manifest.tensors {
        infos.push(files.tensor(entry, config)?);
    }
    check_overlaps(&infos)?;
    let count = infos.len();
    let (tensors, by_name) = in_order(infos);
    if by_name.len() != count {
        return Err(PART.invalid("tensors", "each tensor once", "one twice"));
    }
    let optional = |name| name == TensorName::LmHead && config.tie_word_embeddings;
    match TensorName::of_model(config).find(|name| !by_name.contains_key(name) && !optional(*name)) {
        Some(name) => Err(PART.missing(name.to_string())),
        None => Ok((tensors, by_name)),
    }
}

/// The tensor that the manifest calls so, if the model has it.
fn name_of(entry: &ManifestTensor, config: &Config) -> Result<TensorName, FormatError> {
    let rope_freqs = TensorName::RopeFreqs.to_string();
    let name = match TensorName::from_hugging_face(&entry.name) {
        None if entry.name == rope_freqs => Some(TensorName::RopeFreqs),
        Some(TensorName::Layer { index, .. }) if index >= config.num_hidden_layers => None,
        Some(TensorName::LmHead) if config.tie_word_embeddings => None,
        name => name,
    };
    name.ok_or_else(|| PART.invalid("tensors", "tensors of this model", quote(&entry.name)))
}

/// The files of the weights, as spans count them.
struct Files {
    /// Place and size, by the place among all files.
    weights: HashMap<usize, (usize, u64)>,
}

impl Files {
    fn of(manifest: &Manifest) -> Files {
        let is_weights = |name: &str| name.ends_with(".safetensors");
        let of_weights = manifest.files.iter().enumerate().filter(|(_, file)| is_weights(&file.name));
        let numbered = of_weights.enumerate().map(|(place, (at, file))| (at, (place, file.size)));
        Files { weights: numbered.collect() }
    }

    fn tensor(&self, entry: &ManifestTensor, config: &Config) -> Result<TensorInfo, FormatError> {
        let name = name_of(entry, config)?;
        let shown = name.to_string();
        let [rows, columns] = config.shape(name);
        if entry.shape != [rows, columns] {
            let [expected, found] = [[rows, columns], entry.shape].map(|shape| format!("shape {shape:?}"));
            return Err(PART.invalid(shown, expected, found));
        }
        let Some(dtype) = WeightType::from_name(&entry.dtype) else {
            return Err(PART.invalid(shown, "a type of this version", quote(&entry.dtype)));
        };
        if name.is_vector() {
            let span = self.vector(name, dtype, columns, &entry.parts)?;
            let stored = Stored::Rows { span, order: RowOrder::Neighbours };
            return Ok(TensorInfo { name, dtype: GgmlType::F32, rows, columns, stored });
        }
        if !columns.is_multiple_of(dtype.columns_multiple()) {
            let expected = format!("a multiple of {} columns for {}", dtype.columns_multiple(), dtype.name());
            return Err(PART.invalid(shown, expected, columns));
        }
        let stored = Stored::Laid(self.laid(name, dtype, [rows, columns], &entry.parts)?);
        Ok(TensorInfo { name, dtype: dtype.blocks(), rows, columns, stored })
    }

    fn vector(
        &self,
        name: TensorName,
        dtype: WeightType,
        columns: usize,
        parts: &[LaidPart],
    ) -> Result<Span, FormatError> {
        match (dtype, parts) {
            (WeightType::F32, [part @ LaidPart { rows: 1, scales: None, .. }]) => {
                self.span(name, part.file, part.words, columns as u64 * 4)
            }
            _ => Err(PART.invalid(name.to_string(), "one row of F32 in one part", dtype.name())),
        }
    }

    /// The parts of a matrix: whole tiles, row by row, until there are as many rows as it has.
    fn laid(
        &self,
        name: TensorName,
        dtype: WeightType,
        [rows, columns]: [usize; 2],
        parts: &[LaidPart],
    ) -> Result<Laid, FormatError> {
        let (row_words, tile_words) =
            (dtype.row_words(columns) as u64, dtype.tile_scale_words(columns) as u64);
        let mut laid = Laid { dtype, part_rows: Vec::with_capacity(parts.len()), spans: Vec::new() };
        let mut given = 0usize;
        for part in parts {
            given = given.saturating_add(part.rows);
            if part.rows == 0 || given > rows || (given < rows && !part.rows.is_multiple_of(TILE)) {
                let expected = format!("parts of whole tiles of {TILE} rows, {rows} in all");
                return Err(PART.invalid(
                    name.to_string(),
                    expected,
                    format_args!("a part of {}", part.rows),
                ));
            }
            match part.scales {
                Some(at) if tile_words > 0 => {
                    let tiles = part.rows.div_ceil(TILE) as u64;
                    laid.spans.push(self.span(name, part.file, at, 4 * tiles * tile_words)?);
                }
                None if tile_words == 0 => {}
                _ => {
                    let expected = format!("scales where {} has them", dtype.name());
                    return Err(PART.invalid(name.to_string(), expected, "others"));
                }
            }
            laid.spans.push(self.span(name, part.file, part.words, 4 * part.rows as u64 * row_words)?);
            laid.part_rows.push(part.rows);
        }
        if given != rows {
            return Err(PART.invalid(name.to_string(), format_args!("{rows} rows"), format_args!("{given}")));
        }
        Ok(laid)
    }

    fn span(&self, name: TensorName, file: usize, offset: u64, len: u64) -> Result<Span, FormatError> {
        let Some((file, file_size)) = self.weights.get(&file).copied() else {
            return Err(PART.invalid(name.to_string(), "a part in a .safetensors file", "another file"));
        };
        match offset.checked_add(len) {
            Some(end) if end <= file_size => Ok(Span { file, offset, len }),
            end => {
                let (field, end) = (name.to_string(), end.unwrap_or(u64::MAX));
                Err(FormatError::Truncated { part: PART, field, end, file_size })
            }
        }
    }
}

/// That no byte belongs to two tensors.
fn check_overlaps(infos: &[TensorInfo]) -> Result<(), FormatError> {
    let spans = infos.iter().flat_map(|info| info.stored.spans().iter().map(|span| (*span, info.name)));
    let mut spans: Vec<(Span, TensorName)> = spans.collect();
    spans.sort();
    let overlap = |pair: &&[(Span, TensorName); 2]| {
        let [(a, _), (b, _)] = pair;
        // `Files::span` has found that this sum is at most the file's size.
        a.file == b.file && a.offset.saturating_add(a.len) > b.offset
    };
    match spans.array_windows().find(overlap) {
        Some([(a, _), (b, name)]) => {
            let expected = format!("bytes of its own from {}", a.offset.saturating_add(a.len));
            Err(PART.invalid(name.to_string(), expected, format_args!("byte {}", b.offset)))
        }
        None => Ok(()),
    }
}
