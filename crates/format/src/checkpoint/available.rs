//! The tensors of a folder's safetensors files, taken one by one for a model of known dimensions.

use std::collections::HashMap;

use super::{RowOrder, Span, Stored, TensorInfo};
use crate::error::{FormatError, Part, quote_odd};
use crate::hub::{HubIndex, Quantization};
use crate::safetensors::{SafetensorsHeader, SafetensorsTensor, SafetensorsType};
use crate::{Config, GgmlType, LayerPart, TensorName};

const PART: Part = Part::SafetensorsHeader;

/// The tensors that the files have and that have not been asked for yet.
pub(super) struct Available<'a> {
    tensors: HashMap<&'a str, (usize, &'a SafetensorsTensor)>,
    pub(super) config: &'a Config,
    pub(super) quantization: Quantization,
}

impl<'a> Available<'a> {
    pub(super) fn of(
        files: &'a [SafetensorsHeader],
        config: &'a Config,
        quantization: Quantization,
    ) -> Result<Available<'a>, FormatError> {
        let mut tensors = HashMap::new();
        for (file, header) in files.iter().enumerate() {
            for tensor in &header.tensors {
                if tensors.insert(tensor.name.as_str(), (file, tensor)).is_some() {
                    return Err(PART.invalid(quote_odd(&tensor.name), "in one of the files only", "in two"));
                }
            }
        }
        Ok(Available { tensors, config, quantization })
    }

    /// That each tensor is where the index says.
    pub(super) fn check_index(&self, index: &HubIndex, files: usize) -> Result<(), FormatError> {
        if index.files.len() != files {
            let expected = format!("{files}, as many as were opened");
            return Err(Part::IndexJson.invalid("number of files", expected, index.files.len()));
        }
        for (tensor, file) in &index.tensors {
            let found = self.tensors.get(tensor.as_str()).map(|(found, _)| *found);
            if found != Some(*file) {
                let named = |file: usize| index.files.get(file).map_or("another file", String::as_str);
                let expected = format!("a tensor in {}", named(*file));
                return Err(Part::IndexJson.invalid(
                    quote_odd(tensor),
                    expected,
                    found.map_or("none", named),
                ));
            }
        }
        Ok(())
    }

    /// A tensor that the model needs, plain or packed.
    pub(super) fn take(&mut self, name: TensorName) -> Result<TensorInfo, FormatError> {
        let stored_name = name.to_string();
        let is_plain = |dtype| self.quantization != Quantization::Nf4 || dtype != SafetensorsType::U8;
        match self.tensors.get(stored_name.as_str()) {
            Some((_, tensor)) if name.is_vector() || is_plain(tensor.dtype) => {
                self.take_plain(name, &stored_name)
            }
            Some(_) => self.take_packed(name),
            None if name.is_vector() || self.quantization == Quantization::None => {
                Err(PART.missing(stored_name))
            }
            None => self.take_packed(name),
        }
    }

    fn take_plain(&mut self, name: TensorName, stored_name: &str) -> Result<TensorInfo, FormatError> {
        let [rows, columns] = self.config.shape(name);
        let shape = match name.is_vector() {
            true => vec![columns as u64],
            false => vec![rows as u64, columns as u64],
        };
        let floats = [SafetensorsType::F32, SafetensorsType::F16, SafetensorsType::BF16];
        let (span, dtype) = self.take_part(stored_name, &floats, &shape)?;
        let dtype = match dtype {
            SafetensorsType::F16 => GgmlType::F16,
            SafetensorsType::BF16 => GgmlType::BF16,
            _ => GgmlType::F32,
        };
        let stored = Stored::Rows { span, order: RowOrder::of_hub(name, self.config) };
        Ok(TensorInfo { name, dtype, rows, columns, stored })
    }

    /// Takes what the files call so, of one of these types and of that shape.
    pub(super) fn take_part(
        &mut self,
        stored_name: &str,
        dtypes: &[SafetensorsType],
        shape: &[u64],
    ) -> Result<(Span, SafetensorsType), FormatError> {
        let (file, tensor) = self.tensors.remove(stored_name).ok_or_else(|| PART.missing(stored_name))?;
        if tensor.shape != shape {
            let [expected, found] = [shape, &tensor.shape].map(|shape| format!("shape {shape:?}"));
            return Err(PART.invalid(stored_name, expected, found));
        }
        if !dtypes.contains(&tensor.dtype) {
            let names: Vec<&str> = dtypes.iter().map(|dtype| dtype.name()).collect();
            return Err(FormatError::Unsupported {
                what: "Tensor type",
                found: format!("{} of {stored_name}", tensor.dtype),
                supported: format!("{} there", names.join(" or ")),
            });
        }
        Ok((Span { file, offset: tensor.offset, len: tensor.len }, tensor.dtype))
    }

    /// Whether the files have something of that name, and the lengths of its dimensions.
    pub(super) fn shape(&self, stored_name: &str) -> Option<&'a [u64]> {
        self.tensors.get(stored_name).map(|(_, tensor)| tensor.shape.as_slice())
    }

    /// That nothing is left over but what a Llama can do without.
    pub(super) fn check_rest(&self) -> Result<(), FormatError> {
        let config = self.config;
        let can_be_left = |name: &str| {
            // Buffers of old checkpoints, computed from the config; and the output of a model that shares its input's.
            let is_output = |name: &str| name == "lm_head.weight";
            // Old GPTQ files have a bias of zeros on each layer of a model that has none.
            let is_gptq = matches!(self.quantization, Quantization::Gptq { .. });
            name.ends_with(".rotary_emb.inv_freq")
                || (config.tie_word_embeddings && is_output(name))
                || (is_gptq && name.ends_with("_proj.bias"))
        };
        let mut rest: Vec<&str> = self.tensors.keys().copied().filter(|name| !can_be_left(name)).collect();
        rest.sort_unstable();
        let Some(name) = rest.first() else { return Ok(()) };
        let layers = config.num_hidden_layers;
        Err(match TensorName::from_hugging_face(name) {
            Some(TensorName::Layer { index, .. }) => {
                PART.invalid(*name, format_args!("a layer below {layers}"), format_args!("layer {index}"))
            }
            _ => PART.invalid(quote_odd(name), "a tensor of Llama's", "another"),
        })
    }
}

impl RowOrder {
    /// The order in which Hugging Face's files have a tensor's rows.
    pub(super) fn of_hub(name: TensorName, config: &Config) -> RowOrder {
        match name {
            TensorName::Layer { part: LayerPart::QProj | LayerPart::KProj, .. } => {
                RowOrder::Halves { head_dim: config.head_dim }
            }
            _ => RowOrder::Neighbours,
        }
    }
}
