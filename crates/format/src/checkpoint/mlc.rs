//! A checkpoint from an MLC folder.

use std::collections::{HashMap, HashSet};

use super::origin::names_llama_3;
use super::{Checkpoint, RowOrder, Span, Stored, TensorInfo, hub, in_order};
use crate::error::{FormatError, Part, quote_odd};
use crate::hub::read_with_template;
use crate::mlc::{MlcConfig, MlcFiles, MlcTensor, MlcType};
use crate::packed::{Packed, Packing};
use crate::{Config, GenerationConfig, GgmlType, LayerPart, TensorName};

const PART: Part = Part::MlcCache;

impl Checkpoint {
    /// Reads the files of an MLC folder, quantized as `q4f16_1`, as a Llama model.
    ///
    /// # Errors
    /// As [`Checkpoint::from_hub`].
    pub fn from_mlc(files: MlcFiles) -> Result<Checkpoint, FormatError> {
        let MlcConfig { config, generation } = MlcConfig::parse(&files.config)?;
        let named = files.cache.tensors.iter().map(|tensor| (tensor.name.as_str(), tensor));
        let mut available = Available { tensors: named.collect(), taken: HashSet::new(), config: &config };
        let infos = TensorName::of_model(&config).map(|name| available.take(name));
        let infos: Vec<TensorInfo> = infos.collect::<Result<_, _>>()?;
        available.check_rest()?;
        let (tensors, by_name) = in_order(infos);
        let (tokenizer_config, chat_template) = read_with_template(files.tokenizer_config.as_deref(), None)?;
        let mut warnings = Vec::new();
        let nothing = GenerationConfig::default();
        let generation = hub::merged(nothing, Some(generation), config.vocab_size, &mut warnings);
        Ok(Checkpoint {
            config,
            tensors,
            tokenizer: files.tokenizer.with_config(tokenizer_config),
            chat_template,
            generation,
            built_with_llama: files.name.as_deref().is_some_and(names_llama_3),
            name: files.name,
            licence: None,
            file_sizes: files.cache.files.iter().map(|(_, size)| *size).collect(),
            warnings,
            by_name,
        })
    }
}

/// The tensors of the list, and those that have been asked for.
struct Available<'a> {
    tensors: HashMap<&'a str, &'a MlcTensor>,
    taken: HashSet<String>,
    config: &'a Config,
}

impl Available<'_> {
    fn take(&mut self, name: TensorName) -> Result<TensorInfo, FormatError> {
        let [rows, columns] = self.config.shape(name);
        if name.is_vector() {
            let (span, dtype) =
                self.part(&name.to_string(), &[MlcType::F16, MlcType::F32, MlcType::BF16], &[columns])?;
            let dtype = match dtype {
                MlcType::F16 => GgmlType::F16,
                MlcType::BF16 => GgmlType::BF16,
                MlcType::F32 | MlcType::U32 => GgmlType::F32,
            };
            let stored = Stored::Rows { span, order: RowOrder::Neighbours };
            return Ok(TensorInfo { name, dtype, rows, columns, stored });
        }
        let Fused { stem, before, rows: of_fused } = Fused::of(name, self.config);
        let mut parts = Vec::new();
        for (suffix, dtype, of_row, bytes) in [
            ("q_weight", MlcType::U32, columns / 8, columns / 2),
            ("q_scale", MlcType::F16, columns / 32, columns / 16),
        ] {
            let (span, _) = self.part(&format!("{stem}{suffix}"), &[dtype], &[of_fused, of_row])?;
            let [skipped, len] = [before, rows].map(|rows| rows as u64 * bytes as u64);
            parts.push(Span { offset: span.offset + skipped, len, ..span });
        }
        let order = RowOrder::of_hub(name, self.config);
        let stored = Stored::Packed(Packed { packing: Packing::Mlc, parts, order });
        Ok(TensorInfo { name, dtype: GgmlType::Q4_0, rows, columns, stored })
    }

    fn part(
        &mut self,
        stored_name: &str,
        dtypes: &[MlcType],
        shape: &[usize],
    ) -> Result<(Span, MlcType), FormatError> {
        let tensor = self.tensors.get(stored_name).ok_or_else(|| PART.missing(stored_name))?;
        let expected: Vec<u64> = shape.iter().map(|n| *n as u64).collect();
        if tensor.shape != expected || !dtypes.contains(&tensor.dtype) {
            let expected = format!("{:?} of shape {expected:?}", dtypes.first().unwrap_or(&tensor.dtype));
            let shown = tensor.shape.get(..4).unwrap_or(&tensor.shape);
            return Err(PART.invalid(
                stored_name,
                expected,
                format_args!("{:?} of shape {shown:?}", tensor.dtype),
            ));
        }
        self.taken.insert(stored_name.to_owned());
        Ok((Span { file: tensor.file, offset: tensor.offset, len: tensor.len }, tensor.dtype))
    }

    fn check_rest(&self) -> Result<(), FormatError> {
        let mut rest: Vec<&str> =
            self.tensors.keys().copied().filter(|name| !self.taken.contains(*name)).collect();
        rest.sort_unstable();
        match rest.first() {
            Some(name) => Err(PART.invalid(quote_odd(name), "a tensor of this model's", "another")),
            None => Ok(()),
        }
    }
}

/// Where a matrix lies in one that several have been fused to.
struct Fused {
    /// What its tensors' names begin with, the last dot included.
    stem: String,
    /// Rows of others before it.
    before: usize,
    /// Rows of all.
    rows: usize,
}

impl Fused {
    fn of(name: TensorName, config: &Config) -> Fused {
        use LayerPart::*;
        let TensorName::Layer { index, part } = name else { return Fused::alone(name, config) };
        let (fused, parts): (_, &[LayerPart]) = match part {
            QProj | KProj | VProj => ("self_attn.qkv_proj", &[QProj, KProj, VProj]),
            GateProj | UpProj => ("mlp.gate_up_proj", &[GateProj, UpProj]),
            _ => return Fused::alone(name, config),
        };
        let rows = |parts: &[LayerPart]| -> usize {
            parts.iter().map(|part| config.shape(TensorName::Layer { index, part: *part })[0]).sum()
        };
        let before = parts.iter().take_while(|other| **other != part).copied();
        let before: Vec<LayerPart> = before.collect();
        Fused { stem: format!("model.layers.{index}.{fused}."), before: rows(&before), rows: rows(parts) }
    }

    fn alone(name: TensorName, config: &Config) -> Fused {
        let stem = name.to_string().trim_end_matches("weight").to_owned();
        Fused { stem, before: 0, rows: config.shape(name)[0] }
    }
}
