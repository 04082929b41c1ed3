//! ggml's tensor types: how many weights a block holds, and in how many bytes.
//!
//! All that a GGUF file may name are listed, also those that no kernel computes with:
//! their tensors' sizes are checked like any other's, and errors can name them.

/// How a tensor's weights are stored. The discriminant is the id in a GGUF file, but for [`GgmlType::Q4_Z`].
#[expect(missing_docs, non_camel_case_types, reason = "ggml's own names; the layouts stand in `blocks`")]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u32)]
#[non_exhaustive]
pub enum GgmlType {
    F32 = 0,
    F16 = 1,
    Q4_0 = 2,
    Q4_1 = 3,
    // 4 and 5 were Q4_2 and Q4_3: removed.
    Q5_0 = 6,
    Q5_1 = 7,
    Q8_0 = 8,
    Q8_1 = 9,
    Q2_K = 10,
    Q3_K = 11,
    Q4_K = 12,
    Q5_K = 13,
    Q6_K = 14,
    Q8_K = 15,
    IQ2_XXS = 16,
    IQ2_XS = 17,
    IQ3_XXS = 18,
    IQ1_S = 19,
    IQ4_NL = 20,
    IQ3_S = 21,
    IQ2_S = 22,
    IQ4_XS = 23,
    I8 = 24,
    I16 = 25,
    I32 = 26,
    I64 = 27,
    F64 = 28,
    IQ1_M = 29,
    BF16 = 30,
    // 31 to 33 were Q4_0 interleaved for one processor or another, 36 to 38 the same of IQ4_NL: removed.
    TQ1_0 = 34,
    TQ2_0 = 35,
    MXFP4 = 39,
    NVFP4 = 40,
    Q1_0 = 41,
    Q2_0 = 42,
    /// Pronk's own, for AWQ's and GPTQ's groups with their integer zero points: 32 weights in 20 bytes,
    /// f16 d, f16 z, and nibbles as in `Q4_0`; a weight is `d (q - z)`.
    /// No GGUF file may name it: it is not in [`GgmlType::ALL`], and its number, far above ggml's, is never written.
    Q4_Z = 0x5A00_0000,
}

use GgmlType::*;

impl GgmlType {
    /// Every type that a GGUF file may name, in the order of their ids.
    pub const ALL: [GgmlType; 35] = [
        F32, F16, Q4_0, Q4_1, Q5_0, Q5_1, Q8_0, Q8_1, Q2_K, Q3_K, Q4_K, Q5_K, Q6_K, Q8_K, IQ2_XXS, IQ2_XS,
        IQ3_XXS, IQ1_S, IQ4_NL, IQ3_S, IQ2_S, IQ4_XS, I8, I16, I32, I64, F64, IQ1_M, BF16, TQ1_0, TQ2_0,
        MXFP4, NVFP4, Q1_0, Q2_0,
    ];

    /// The types that [`dequantize`](crate::dequantize) reads.
    pub const SUPPORTED: [GgmlType; 17] = [
        F32, F16, Q4_0, Q4_1, Q5_0, Q5_1, Q8_0, Q2_K, Q3_K, Q4_K, Q5_K, Q6_K, IQ4_NL, IQ4_XS, BF16, MXFP4,
        Q4_Z,
    ];

    /// The type of that id; `None` for ids that are unknown or were removed.
    pub fn from_id(id: u32) -> Option<GgmlType> {
        GgmlType::ALL.into_iter().find(|dtype| dtype.id() == id)
    }

    /// The id in a GGUF file; of [`GgmlType::Q4_Z`], a number that is no id.
    pub fn id(self) -> u32 {
        self as u32
    }

    /// ggml's name, as in `Q4_0`.
    pub fn name(self) -> &'static str {
        self.facts().0
    }

    /// Weights in a block. A row holds a whole number of blocks.
    pub fn block_len(self) -> usize {
        self.facts().1
    }

    /// Bytes of a block.
    pub fn block_bytes(self) -> usize {
        self.facts().2
    }

    /// Bytes of that many weights; `None` if they are not whole blocks, or if the bytes overflow a `u64`.
    pub fn bytes(self, weights: u64) -> Option<u64> {
        let block_len = self.block_len() as u64;
        weights
            .is_multiple_of(block_len)
            .then(|| (weights / block_len).checked_mul(self.block_bytes() as u64))?
    }

    /// Whether it is one of [`GgmlType::SUPPORTED`].
    pub fn is_supported(self) -> bool {
        GgmlType::SUPPORTED.contains(&self)
    }

    /// Name, weights in a block, bytes of a block.
    const fn facts(self) -> (&'static str, usize, usize) {
        match self {
            F32 => ("F32", 1, 4),
            F16 => ("F16", 1, 2),
            Q4_0 => ("Q4_0", 32, 18),
            Q4_1 => ("Q4_1", 32, 20),
            Q5_0 => ("Q5_0", 32, 22),
            Q5_1 => ("Q5_1", 32, 24),
            Q8_0 => ("Q8_0", 32, 34),
            Q8_1 => ("Q8_1", 32, 40),
            Q2_K => ("Q2_K", 256, 84),
            Q3_K => ("Q3_K", 256, 110),
            Q4_K => ("Q4_K", 256, 144),
            Q5_K => ("Q5_K", 256, 176),
            Q6_K => ("Q6_K", 256, 210),
            Q8_K => ("Q8_K", 256, 292),
            IQ2_XXS => ("IQ2_XXS", 256, 66),
            IQ2_XS => ("IQ2_XS", 256, 74),
            IQ3_XXS => ("IQ3_XXS", 256, 98),
            IQ1_S => ("IQ1_S", 256, 50),
            IQ4_NL => ("IQ4_NL", 32, 18),
            IQ3_S => ("IQ3_S", 256, 110),
            IQ2_S => ("IQ2_S", 256, 82),
            IQ4_XS => ("IQ4_XS", 256, 136),
            I8 => ("I8", 1, 1),
            I16 => ("I16", 1, 2),
            I32 => ("I32", 1, 4),
            I64 => ("I64", 1, 8),
            F64 => ("F64", 1, 8),
            IQ1_M => ("IQ1_M", 256, 56),
            BF16 => ("BF16", 1, 2),
            TQ1_0 => ("TQ1_0", 256, 54),
            TQ2_0 => ("TQ2_0", 256, 66),
            MXFP4 => ("MXFP4", 32, 17),
            NVFP4 => ("NVFP4", 64, 36),
            Q1_0 => ("Q1_0", 128, 18),
            Q2_0 => ("Q2_0", 64, 18),
            Q4_Z => ("Q4_Z", 32, 20),
        }
    }
}

impl std::fmt::Display for GgmlType {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_and_names_agree() {
        for dtype in GgmlType::ALL {
            assert_eq!(GgmlType::from_id(dtype.id()), Some(dtype));
            assert_eq!(dtype.name(), format!("{dtype:?}"));
        }
        for id in [4, 5, 31, 32, 33, 36, 37, 38, 43, Q4_Z.id(), u32::MAX] {
            assert_eq!(GgmlType::from_id(id), None, "{id}");
        }
    }

    #[test]
    fn bytes_are_of_whole_blocks_and_do_not_wrap() {
        let rows = [
            (Q4_0, 64, Some(36)),
            (Q4_0, 63, None),
            (Q4_Z, 64, Some(40)),
            (Q6_K, 0, Some(0)),
            (Q6_K, 255, None),
            (F32, u64::MAX, None),
            (I8, u64::MAX, Some(u64::MAX)),
        ];
        for (dtype, weights, expected) in rows {
            assert_eq!(dtype.bytes(weights), expected, "{dtype} of {weights}");
        }
    }

    fn golden(name: &str) -> serde_json::Value {
        let path = format!("{}/../../tests/golden/gguf/{name}", env!("CARGO_MANIFEST_DIR"));
        serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
    }

    #[test]
    fn block_sizes_equal_gguf_py() {
        let golden = golden("dequantize.json");
        for (name, facts) in golden["types"].as_object().unwrap() {
            let dtype = GgmlType::from_id(facts["ggml_type_id"].as_u64().unwrap() as u32).unwrap();
            assert_eq!(dtype.name(), name);
            assert_eq!(dtype.block_len() as u64, facts["block_elems"].as_u64().unwrap(), "{name}");
            assert_eq!(dtype.block_bytes() as u64, facts["block_bytes"].as_u64().unwrap(), "{name}");
        }
    }

    /// Sums of bytes over the tensors of Llama 3.1 8B, which no `u32` holds, in Q4_K_M's mix of types and in plain ones.
    #[test]
    fn sizes_of_llama_3_1_8b() {
        let golden = golden("llama31_8b_tensors.json");
        let bytes_with = |dtype_of: &dyn Fn(&str, usize) -> GgmlType| -> u64 {
            let tensors = golden["tensors"].as_array().unwrap().iter();
            tensors
                .map(|tensor| {
                    let ne: Vec<u64> =
                        tensor["ne"].as_array().unwrap().iter().map(|n| n.as_u64().unwrap()).collect();
                    let dtype = dtype_of(tensor["name"].as_str().unwrap(), ne.len());
                    dtype.bytes(ne.iter().product()).unwrap()
                })
                .sum()
        };
        let named = |name: &str| GgmlType::ALL.into_iter().find(|dtype| dtype.name() == name).unwrap();
        let expected = |recipe: &str| {
            golden["recipes"][recipe]["tensor_bytes"].as_u64().unwrap_or_else(|| panic!("{recipe}"))
        };

        let q4_k_m = &golden["q4_k_m_types"];
        assert_eq!(bytes_with(&|name, _| named(q4_k_m[name].as_str().unwrap())), expected("Q4_K_M"));
        for dtype in [F16, Q8_0, Q6_K, Q4_0, Q4_1, Q5_0, Q5_1] {
            let bytes = bytes_with(&|name, n_dims| match (n_dims, name, dtype) {
                (1, _, _) => F32,
                // Quantizing to four or five bits leaves the output in six.
                (_, "output.weight", Q4_0 | Q4_1 | Q5_0 | Q5_1) => Q6_K,
                _ => dtype,
            });
            assert_eq!(bytes, expected(dtype.name()), "{dtype}");
        }
    }
}
