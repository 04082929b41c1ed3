//! Weight matrices in the layout that the shaders read. One layout serves every kind of device.
//!
//! A row is cut into blocks of 32 columns. Quants lie row by row, whole words at a time; scales lie in tiles of
//! 4 rows, so that whoever computes 4 rows reads 4 scales at once:
//!
//! ```text
//! words  [rows, columns / 32, words of a block]
//! scales [rows / 4, columns / 32, 4 scales]        one level: a scale a row for 32 columns
//! scales [rows / 4, columns / 256, d of 4 rows, (dmin of 4 rows), 4 bytes a part, (4 bytes a part)]     two levels
//! ```
//!
//! | type | a block's words | scales | value | bits | holds |
//! |---|---|---|---|---|---|
//! | Q4 | 4: nibble i is column i, nibble 16 + i in the high halves | f16 | s (q - 8) | 4.5 | Q4_0 |
//! | Q4M | as Q4 | f16 scale and minimum | s q + m | 5 | Q4_1 |
//! | Q4Z | as Q4 | f16 scale and zero | s (q - z) | 5 | Q4_Z: AWQ, GPTQ |
//! | Q2K | as Q4 | u8 scale and minimum for 16 columns, f16 d and dmin for 256 | d s q - dmin m | 5.12 | Q2_K |
//! | Q3K | as Q4 | i8 for 16 columns, f16 for 256 | d s (q - 8) | 4.56 | Q3_K |
//! | Q4K | as Q4 | u8 scale and minimum for 32 columns, f16 d and dmin for 256 | d s q - dmin m | 4.62 | Q4_K |
//! | Q5 | 6: 4 of nibbles as Q4, 2 of top bits | f16 | s (q - 32) | 6.5 | Q5_0 |
//! | Q5M | as Q5 | f16 scale and minimum | s q + m | 7 | Q5_1 |
//! | Q5K | as Q5 | as Q4K | d s q - dmin m | 6.62 | Q5_K |
//! | Q6 | as Q5 | i8 for 16 columns, f16 for 256 | d s (q - 32) | 6.56 | Q6_K |
//! | Q8 | 8 of bytes | f16 | s q | 8.5 | Q8_0, IQ4_NL, MXFP4 |
//! | Q8K | 8 of bytes | i8 for 32 columns, f16 for 256 | d s q | 8.31 | IQ4_XS |
//! | F16, BF16 | 16 of halves | – | | 16 | |
//! | F32 | 32 | – | | 32 | |
//!
//! Every type of a file is held exactly, but for the smallest and largest powers of two of MXFP4, which f16 lacks.
//! Rows are padded to a multiple of 4 with zeros.

mod affine;
mod quants;
mod repack;
mod unpack;

pub use affine::{AffineBlock, affine_blocks, affine_rows};
pub use repack::repack_rows;
pub use unpack::unpack_rows;

use crate::GgmlType;

/// Columns of a block.
pub const BLOCK: usize = 32;

/// Rows of a tile.
pub const TILE: usize = 4;

/// Columns that share an upper scale, where there are two levels.
pub const SUPER: usize = 256;

/// How a weight matrix is laid out.
#[expect(missing_docs, reason = "the table above says what each is")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum WeightType {
    Q4,
    Q4M,
    Q4Z,
    Q2K,
    Q3K,
    Q4K,
    Q5,
    Q5M,
    Q5K,
    Q6,
    Q8,
    Q8K,
    F16,
    BF16,
    F32,
}

/// How the quants of a block lie in words.
#[expect(missing_docs, reason = "the table above says what each is")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Quants {
    Q4,
    Q6,
    Q8,
    F16,
    BF16,
    F32,
}

/// How the scales of a tile lie in words.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Scales {
    /// There are none.
    None,
    /// f16 for a block; `offset` is taken from each quant.
    One {
        /// What stands for zero.
        offset: u8,
    },
    /// f16 scale and f16 minimum for a block.
    Minimum,
    /// f16 scale and f16 zero for a block.
    Zero,
    /// i8 for a part of a block, f16 for 256 columns.
    Two {
        /// What stands for zero.
        offset: u8,
        /// Parts of a block: 1 or 2.
        parts: usize,
    },
    /// i8 scale and u8 minimum for a part of a block, f16 for each of them for 256 columns.
    TwoMinimum {
        /// Parts of a block: 1 or 2.
        parts: usize,
    },
}

use WeightType::*;

impl WeightType {
    /// Every type, for those who must try them all.
    pub const ALL: [WeightType; 15] =
        [Q4, Q4M, Q4Z, Q2K, Q3K, Q4K, Q5, Q5M, Q5K, Q6, Q8, Q8K, F16, BF16, F32];

    /// The type that holds the blocks of a file, if there is one.
    pub fn holding(source: GgmlType) -> Option<WeightType> {
        Some(match source {
            GgmlType::Q4_0 => Q4,
            GgmlType::Q4_1 => Q4M,
            GgmlType::Q4_Z => Q4Z,
            GgmlType::Q2_K => Q2K,
            GgmlType::Q3_K => Q3K,
            GgmlType::Q4_K => Q4K,
            GgmlType::Q5_0 => Q5,
            GgmlType::Q5_1 => Q5M,
            GgmlType::Q5_K => Q5K,
            GgmlType::Q6_K => Q6,
            GgmlType::Q8_0 | GgmlType::IQ4_NL | GgmlType::MXFP4 => Q8,
            GgmlType::IQ4_XS => Q8K,
            GgmlType::F16 => F16,
            GgmlType::BF16 => BF16,
            GgmlType::F32 => F32,
            _ => return None,
        })
    }

    /// The blocks that it holds, and that stand for it where a [`GgmlType`] is asked for: of several the first.
    pub fn blocks(self) -> GgmlType {
        match self {
            Q4 => GgmlType::Q4_0,
            Q4M => GgmlType::Q4_1,
            Q4Z => GgmlType::Q4_Z,
            Q2K => GgmlType::Q2_K,
            Q3K => GgmlType::Q3_K,
            Q4K => GgmlType::Q4_K,
            Q5 => GgmlType::Q5_0,
            Q5M => GgmlType::Q5_1,
            Q5K => GgmlType::Q5_K,
            Q6 => GgmlType::Q6_K,
            Q8 => GgmlType::Q8_0,
            Q8K => GgmlType::IQ4_XS,
            F16 => GgmlType::F16,
            BF16 => GgmlType::BF16,
            F32 => GgmlType::F32,
        }
    }

    /// The name in the table above.
    pub fn name(self) -> &'static str {
        match self {
            Q4 => "Q4",
            Q4M => "Q4M",
            Q4Z => "Q4Z",
            Q2K => "Q2K",
            Q3K => "Q3K",
            Q4K => "Q4K",
            Q5 => "Q5",
            Q5M => "Q5M",
            Q5K => "Q5K",
            Q6 => "Q6",
            Q8 => "Q8",
            Q8K => "Q8K",
            F16 => "F16",
            BF16 => "BF16",
            F32 => "F32",
        }
    }

    /// The type that the table above calls so.
    pub fn from_name(name: &str) -> Option<WeightType> {
        WeightType::ALL.into_iter().find(|dtype| dtype.name() == name)
    }

    /// How its quants lie.
    pub fn quants(self) -> Quants {
        match self {
            Q4 | Q4M | Q4Z | Q2K | Q3K | Q4K => Quants::Q4,
            Q5 | Q5M | Q5K | Q6 => Quants::Q6,
            Q8 | Q8K => Quants::Q8,
            F16 => Quants::F16,
            BF16 => Quants::BF16,
            F32 => Quants::F32,
        }
    }

    /// How its scales lie.
    pub fn scales(self) -> Scales {
        match self {
            Q4 => Scales::One { offset: 8 },
            Q5 => Scales::One { offset: 32 },
            Q8 => Scales::One { offset: 0 },
            Q4M | Q5M => Scales::Minimum,
            Q4Z => Scales::Zero,
            Q3K => Scales::Two { offset: 8, parts: 2 },
            Q6 => Scales::Two { offset: 32, parts: 2 },
            Q8K => Scales::Two { offset: 0, parts: 1 },
            Q2K => Scales::TwoMinimum { parts: 2 },
            Q4K | Q5K => Scales::TwoMinimum { parts: 1 },
            F16 | BF16 | F32 => Scales::None,
        }
    }

    /// What is taken from each quant before its scale: what stands for zero, where that is one number for all.
    pub fn offset(self) -> u8 {
        match self.scales() {
            Scales::One { offset } | Scales::Two { offset, .. } => offset,
            _ => 0,
        }
    }

    /// What the number of columns must be a multiple of.
    pub fn columns_multiple(self) -> usize {
        match self.scales() {
            Scales::Two { .. } | Scales::TwoMinimum { .. } => SUPER,
            _ => BLOCK,
        }
    }

    /// Words of quants in a row of `columns`.
    pub fn row_words(self, columns: usize) -> usize {
        columns / BLOCK * self.quants().block_words()
    }

    /// Words of scales in a tile of 4 rows of `columns`.
    pub fn tile_scale_words(self, columns: usize) -> usize {
        match self.scales() {
            Scales::None => 0,
            Scales::One { .. } => columns / BLOCK * 2,
            Scales::Minimum | Scales::Zero => columns / BLOCK * 4,
            Scales::Two { parts, .. } => columns / SUPER * (2 + 8 * parts),
            Scales::TwoMinimum { parts } => columns / SUPER * 2 * (2 + 8 * parts),
        }
    }

    /// Bytes of a matrix on a device.
    pub fn bytes(self, rows: usize, columns: usize) -> u64 {
        let tiles = rows.div_ceil(TILE) as u64;
        4 * tiles * (TILE as u64 * self.row_words(columns) as u64 + self.tile_scale_words(columns) as u64)
    }

    /// Rows that fit one binding of `limit` bytes, a multiple of 4.
    pub fn rows_in(self, limit: u64, columns: usize) -> usize {
        let rows = limit / (self.row_words(columns) as u64 * 4);
        // More rows than a usize holds cannot come up: the quotient is then cut by the matrix itself.
        usize::try_from(rows).unwrap_or(usize::MAX) / TILE * TILE
    }
}

impl Quants {
    /// Words of a block.
    pub fn block_words(self) -> usize {
        match self {
            Quants::Q4 => 4,
            Quants::Q6 => 6,
            Quants::Q8 => 8,
            Quants::F16 | Quants::BF16 => 16,
            Quants::F32 => 32,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Blocks of random bits whose scales are numbers.
    pub(super) fn random_rows(seed: u32, source: GgmlType, rows: usize, columns: usize) -> Vec<u8> {
        let mut state = seed.wrapping_mul(0x9E37_79B9) | 1;
        let mut next = || {
            state ^= state << 13;
            state ^= state >> 17;
            state ^= state << 5;
            (state >> 11) as u8
        };
        let blocks = rows * columns / source.block_len();
        let mut bytes: Vec<u8> = (0..blocks * source.block_bytes()).map(|_| next()).collect();
        for block in bytes.chunks_exact_mut(source.block_bytes()) {
            // The high byte of each half: an exponent in the middle.
            let halves: &[usize] = match source {
                GgmlType::Q4_0 | GgmlType::Q5_0 | GgmlType::Q8_0 | GgmlType::IQ4_NL | GgmlType::IQ4_XS => {
                    &[1]
                }
                GgmlType::Q4_1 | GgmlType::Q4_Z | GgmlType::Q5_1 | GgmlType::Q4_K | GgmlType::Q5_K => &[1, 3],
                GgmlType::Q2_K => &[81, 83],
                GgmlType::Q3_K => &[109],
                GgmlType::Q6_K => &[209],
                GgmlType::F16 | GgmlType::BF16 => &[1],
                GgmlType::F32 => &[3],
                _ => &[],
            };
            halves.iter().for_each(|at| block[*at] = block[*at] & 0x83 | 0x2C);
            if source == GgmlType::MXFP4 {
                block[0] = block[0] % 40 + 104; // What f16 can hold.
            }
        }
        bytes
    }

    #[test]
    fn names_and_blocks() {
        for dtype in WeightType::ALL {
            assert_eq!(dtype.name(), format!("{dtype:?}"));
            assert_eq!(WeightType::from_name(dtype.name()), Some(dtype));
            assert_eq!(WeightType::holding(dtype.blocks()), Some(dtype));
        }
        assert_eq!(WeightType::from_name("q4"), None);
    }
}
