//! The packed linear layers of a Hub folder: which tensors make up one, and that they fit together.

use super::available::Available;
use super::{RowOrder, Span, Stored, TensorInfo};
use crate::error::{FormatError, Part};
use crate::hub::{Group, Quantization};
use crate::packed::{Awq, Gptq, Halves, Nf4, PackQuantized, Packed, Packing, ZeroPoints};
use crate::safetensors::SafetensorsType::{self, BF16, F16, F32, I8, I32, I64, U8};
use crate::{GgmlType, TensorName};

/// A linear layer whose parts are being gathered.
struct Linear {
    name: TensorName,
    /// What all its tensors' names begin with, the last dot included.
    stem: String,
    rows: u64,
    columns: u64,
    parts: Vec<Span>,
}

impl Available<'_> {
    /// A tensor of the model that is packed as the config says.
    pub(super) fn take_packed(&mut self, name: TensorName) -> Result<TensorInfo, FormatError> {
        let [rows, columns] = self.config.shape(name);
        let stem = name.to_string().trim_end_matches("weight").to_owned();
        let mut linear = Linear { name, stem, rows: rows as u64, columns: columns as u64, parts: Vec::new() };
        let (packing, dtype) = match self.quantization {
            Quantization::None => return Err(Part::SafetensorsHeader.missing(name.to_string())),
            Quantization::Awq { group } => (self.awq(&mut linear, group)?, GgmlType::Q4_Z),
            Quantization::Gptq { group, symmetric, zero_offset } => {
                (self.gptq(&mut linear, group, zero_offset)?, block_type(symmetric))
            }
            Quantization::PackQuantized { group, symmetric } => {
                (self.pack_quantized(&mut linear, group, symmetric)?, block_type(symmetric))
            }
            Quantization::Nf4 => (self.nf4(&mut linear)?, GgmlType::Q8_0),
        };
        let order = RowOrder::of_hub(name, self.config);
        let stored = Stored::Packed(Packed { packing, parts: linear.parts, order });
        Ok(TensorInfo { name, dtype, rows, columns, stored })
    }

    fn awq(&mut self, linear: &mut Linear, group: Group) -> Result<Packing, FormatError> {
        let Linear { rows, columns, .. } = *linear;
        let (group_size, groups) = linear.groups(group);
        linear.check_eights(rows)?;
        self.part(linear, "qweight", &[I32], &[columns, rows / 8])?;
        self.part(linear, "qzeros", &[I32], &[groups, rows / 8])?;
        let scales = self.part(linear, "scales", &[F16, BF16], &[groups, rows])?;
        Ok(Packing::Awq(Awq { group_size, scales: halves(scales) }))
    }

    fn gptq(&mut self, linear: &mut Linear, group: Group, zero_offset: u8) -> Result<Packing, FormatError> {
        let Linear { rows, columns, .. } = *linear;
        let (group_size, groups) = linear.groups(group);
        linear.check_eights(rows)?;
        self.part(linear, "qweight", &[I32], &[columns / 8, rows])?;
        self.part(linear, "qzeros", &[I32], &[groups, rows / 8])?;
        let scales = self.part(linear, "scales", &[F16, BF16], &[groups, rows])?;
        let has_g_idx = self.has(linear, "g_idx");
        if has_g_idx {
            self.part(linear, "g_idx", &[I32], &[columns])?;
        }
        Ok(Packing::Gptq(Gptq { group_size, scales: halves(scales), zero_offset, has_g_idx }))
    }

    fn pack_quantized(
        &mut self,
        linear: &mut Linear,
        group: Group,
        symmetric: bool,
    ) -> Result<Packing, FormatError> {
        let Linear { rows, columns, .. } = *linear;
        let (group_size, groups) = linear.groups(group);
        self.part(linear, "weight_packed", &[I32], &[rows, columns / 8])?;
        let scales = self.part(linear, "weight_scale", &[F16, BF16], &[rows, groups])?;
        let shape_type = self.part(linear, "weight_shape", &[I64, I32], &[2])?;
        let zero_points = match symmetric {
            true => ZeroPoints::Symmetric,
            false => self.zero_points(linear, groups)?,
        };
        let has_g_idx = self.has(linear, "weight_g_idx");
        if has_g_idx {
            self.part(linear, "weight_g_idx", &[I32], &[columns])?;
        }
        let shape_bytes = if shape_type == I64 { 8 } else { 4 };
        let scales = halves(scales);
        Ok(Packing::PackQuantized(PackQuantized { group_size, scales, zero_points, has_g_idx, shape_bytes }))
    }

    /// Eight rows to a word, or a byte to each: their number tells which.
    fn zero_points(&mut self, linear: &mut Linear, groups: u64) -> Result<ZeroPoints, FormatError> {
        const NAME: &str = "weight_zero_point";
        let by_row = [linear.rows, groups];
        let stored_name = format!("{}{NAME}", linear.stem);
        match self.shape(&stored_name) {
            Some(shape) if shape == by_row => {
                self.part(linear, NAME, &[I8], &by_row)?;
                Ok(ZeroPoints::Bytes)
            }
            _ => {
                self.part(linear, NAME, &[I32], &[linear.rows.div_ceil(8), groups])?;
                Ok(ZeroPoints::Packed)
            }
        }
    }

    fn nf4(&mut self, linear: &mut Linear) -> Result<Packing, FormatError> {
        // The data of the quant_state says how long these are: `packed::nf4` checks them against it.
        let length = |available: &Self, name: &str| -> Result<u64, FormatError> {
            let stored_name = format!("{}{name}", linear.stem);
            match available.shape(&stored_name) {
                Some([length]) => Ok(*length),
                Some(shape) => Err(Part::SafetensorsHeader.invalid(
                    stored_name,
                    "one dimension",
                    format_args!("shape {shape:?}"),
                )),
                None => Err(Part::SafetensorsHeader.missing(stored_name)),
            }
        };
        const ABSMAX: &str = "weight.absmax";
        const STATE: &str = "weight.quant_state.bitsandbytes__nf4";
        const NESTED_ABSMAX: &str = "weight.nested_absmax";
        let nested = self.has(linear, NESTED_ABSMAX);
        let (absmax, state) = (length(self, ABSMAX)?, length(self, STATE)?);
        let nested_absmax = if nested { length(self, NESTED_ABSMAX)? } else { 0 };
        self.part(linear, "weight", &[U8], &[linear.rows * linear.columns / 2, 1])?;
        self.part(linear, ABSMAX, &[if nested { U8 } else { F32 }], &[absmax])?;
        self.part(linear, "weight.quant_map", &[F32], &[16])?;
        self.part(linear, STATE, &[U8], &[state])?;
        if nested {
            self.part(linear, NESTED_ABSMAX, &[F32], &[nested_absmax])?;
            self.part(linear, "weight.nested_quant_map", &[F32], &[256])?;
        }
        Ok(Packing::Nf4(Nf4 { nested }))
    }

    fn part(
        &mut self,
        linear: &mut Linear,
        name: &str,
        dtypes: &[SafetensorsType],
        shape: &[u64],
    ) -> Result<SafetensorsType, FormatError> {
        let (span, dtype) = self.take_part(&format!("{}{name}", linear.stem), dtypes, shape)?;
        linear.parts.push(span);
        Ok(dtype)
    }

    fn has(&self, linear: &Linear, name: &str) -> bool {
        self.shape(&format!("{}{name}", linear.stem)).is_some()
    }
}

impl Linear {
    /// Inputs of a group, and how many groups a row has.
    fn groups(&self, group: Group) -> (usize, u64) {
        let size = group.size(self.columns as usize); // It has come from a `usize`.
        (size, self.columns.div_ceil(size as u64))
    }

    /// Zero points are packed by eight outputs.
    fn check_eights(&self, rows: u64) -> Result<(), FormatError> {
        match rows.is_multiple_of(8) {
            true => Ok(()),
            false => Err(Part::Config.invalid(format!("rows of {}", self.name), "a multiple of 8", rows)),
        }
    }
}

fn block_type(symmetric: bool) -> GgmlType {
    match symmetric {
        true => GgmlType::Q4_0,
        false => GgmlType::Q4_Z,
    }
}

fn halves(dtype: SafetensorsType) -> Halves {
    match dtype {
        BF16 => Halves::BF16,
        _ => Halves::F16,
    }
}
