//! The types of safetensors' elements.
//!
//! All that a file may name are listed, also those that nothing is computed with: their tensors' sizes are checked
//! like any other's, and errors can name them.

/// What a tensor's elements are.
#[expect(missing_docs, non_camel_case_types, reason = "safetensors' own names")]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum SafetensorsType {
    BOOL,
    F4,
    F6_E2M3,
    F6_E3M2,
    U8,
    I8,
    F8_E5M2,
    F8_E4M3,
    F8_E8M0,
    I16,
    U16,
    F16,
    BF16,
    I32,
    U32,
    F32,
    C64,
    F64,
    I64,
    U64,
}

use SafetensorsType::*;

impl SafetensorsType {
    /// Every type there is.
    pub const ALL: [SafetensorsType; 20] = [
        BOOL, F4, F6_E2M3, F6_E3M2, U8, I8, F8_E5M2, F8_E4M3, F8_E8M0, I16, U16, F16, BF16, I32, U32, F32,
        C64, F64, I64, U64,
    ];

    /// The type that a file calls so.
    pub fn from_name(name: &str) -> Option<SafetensorsType> {
        SafetensorsType::ALL.into_iter().find(|dtype| dtype.facts().0 == name)
    }

    /// safetensors' name, as in `BF16`.
    pub fn name(self) -> &'static str {
        self.facts().0
    }

    /// Bytes of that many elements; `None` if they are not whole bytes, or if their number overflows a `u64`.
    pub fn bytes(self, elements: u64) -> Option<u64> {
        let bits = elements.checked_mul(self.facts().1)?;
        bits.is_multiple_of(8).then_some(bits / 8)
    }

    /// Name, bits of an element.
    const fn facts(self) -> (&'static str, u64) {
        match self {
            BOOL => ("BOOL", 8),
            F4 => ("F4", 4),
            F6_E2M3 => ("F6_E2M3", 6),
            F6_E3M2 => ("F6_E3M2", 6),
            U8 => ("U8", 8),
            I8 => ("I8", 8),
            F8_E5M2 => ("F8_E5M2", 8),
            F8_E4M3 => ("F8_E4M3", 8),
            F8_E8M0 => ("F8_E8M0", 8),
            I16 => ("I16", 16),
            U16 => ("U16", 16),
            F16 => ("F16", 16),
            BF16 => ("BF16", 16),
            I32 => ("I32", 32),
            U32 => ("U32", 32),
            F32 => ("F32", 32),
            C64 => ("C64", 64),
            F64 => ("F64", 64),
            I64 => ("I64", 64),
            U64 => ("U64", 64),
        }
    }
}

impl std::fmt::Display for SafetensorsType {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_sizes() {
        for dtype in SafetensorsType::ALL {
            assert_eq!(dtype.name(), format!("{dtype:?}"));
            assert_eq!(SafetensorsType::from_name(dtype.name()), Some(dtype));
        }
        let rows = [
            (BF16, 3, Some(6)),
            (F4, 3, None),
            (F4, 4, Some(2)),
            (F6_E2M3, 4, Some(3)),
            (I64, 2, Some(16)),
            (U8, 0, Some(0)),
            (F32, 1 << 59, None),
        ];
        for (dtype, elements, expected) in rows {
            assert_eq!(dtype.bytes(elements), expected, "{dtype} of {elements}");
        }
        assert_eq!(SafetensorsType::from_name("bf16"), None);
    }
}
