//! GGUF, versions 2 and 3: what the file says, before anything is made of it.
//!
//! ```text
//! "GGUF", u32 version, u64 n_tensors, u64 n_kv
//! n_kv      x  string key, u32 type, value          string = u64 length, bytes
//! n_tensors x  string name, u32 n_dims, u64 ne[n_dims], u32 type, u64 offset
//! padding to `general.alignment`; from here offsets count
//! the tensors' bytes
//! ```
//!
//! All is little-endian. `ne[0]` is the dimension that lies contiguously: Hugging Face's `[out, in]` is `ne = {in, out}`.
//!
//! Counts and lengths are believed only as far as the file's size and the caps below bear them out,
//! and nothing is allocated for bytes that have not been read.

mod metadata;
mod tensor_table;
mod value;

pub use metadata::Metadata;
pub use tensor_table::GgufTensor;
pub use value::{Array, Value, ValueType};

use crate::error::{FormatError, Part, quote};
use crate::reader::Reader;

/// Llama 3's header, with 128,256 tokens and 280,147 merges, has 8 MB.
const MAX_HEADER_BYTES: u64 = 64 << 20;
const MAX_KEY_VALUES: u64 = 4096;
const MAX_TENSORS: u64 = 65_536;
const DEFAULT_ALIGNMENT: u64 = 32;

/// The header of a GGUF file: metadata and tensor table, every length checked against the file's.
#[derive(Debug, Clone, PartialEq)]
pub struct Gguf {
    /// 2 or 3.
    pub version: u32,
    /// The key/value pairs, in the file's order.
    pub metadata: Metadata,
    /// The tensor table, in the file's order.
    pub tensors: Vec<GgufTensor>,
    /// Where the tensors' bytes begin.
    pub data_offset: u64,
    /// The whole file's length in bytes.
    pub file_size: u64,
}

impl Gguf {
    /// Reads the header from the first bytes of a file of `file_size` bytes.
    ///
    /// # Errors
    /// [`FormatError::NeedMore`] if `prefix` ends before the header does: append the file's next piece and call again.
    /// Any other error is final.
    pub fn parse(prefix: &[u8], file_size: u64) -> Result<Gguf, FormatError> {
        let mut reader = Reader::new(prefix, file_size, MAX_HEADER_BYTES);
        let version = read_version(&mut reader)?;
        let n_tensors = read_count(&mut reader, "n_tensors", MAX_TENSORS)?;
        let n_kv = read_count(&mut reader, "n_kv", MAX_KEY_VALUES)?;
        let metadata = Metadata::read(&mut reader, n_kv)?;
        let alignment = alignment(&metadata)?;
        let mut tensors = tensor_table::read(&mut reader, n_tensors)?;
        let data_offset = reader.position().next_multiple_of(alignment);
        tensor_table::place(&mut tensors, data_offset, alignment, file_size)?;
        Ok(Gguf { version, metadata, tensors, data_offset, file_size })
    }

    /// How many files the model was split into; 1 for most.
    pub fn split_count(&self) -> Result<u64, FormatError> {
        Ok(self.metadata.integer("split.count")?.unwrap_or(1).max(1))
    }
}

fn read_version(reader: &mut Reader) -> Result<u32, FormatError> {
    let magic = reader.bytes::<4>(Part::Header, "magic")?;
    if &magic != b"GGUF" {
        return Err(FormatError::NotGguf { found: quote(&String::from_utf8_lossy(&magic)) });
    }
    let expected = "2 or 3";
    match reader.u32(Part::Header, "version")? {
        version @ (2 | 3) => Ok(version),
        1 => Err(Part::Header.invalid(
            "version",
            expected,
            "1, which was given up in 2023; convert the model again",
        )),
        version if matches!(version.swap_bytes(), 1..=3) => {
            let found =
                format!("{}, big-endian; convert the model for little-endian machines", version.swap_bytes());
            Err(Part::Header.invalid("version", expected, found))
        }
        version => Err(Part::Header.invalid("version", expected, version)),
    }
}

fn read_count(reader: &mut Reader, field: &str, max: u64) -> Result<u64, FormatError> {
    let count = reader.u64(Part::Header, field)?;
    if count > max {
        return Err(Part::Header.invalid(field, format!("at most {max}"), count));
    }
    Ok(count)
}

fn alignment(metadata: &Metadata) -> Result<u64, FormatError> {
    const KEY: &str = "general.alignment";
    match metadata.get(KEY) {
        None => Ok(DEFAULT_ALIGNMENT),
        Some(Value::U32(alignment)) if alignment.is_power_of_two() => Ok(u64::from(*alignment)),
        Some(value) => Err(Part::Metadata.invalid(KEY, "a power of two as u32", value)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn golden() -> Vec<u8> {
        std::fs::read(concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/golden/gguf/tiny-basic-quants.gguf"))
            .unwrap()
    }

    /// Every figure as gguf-py reports it.
    #[test]
    fn header_of_tiny_basic_quants() {
        let file = golden();
        let gguf = Gguf::parse(&file, file.len() as u64).unwrap();
        assert_eq!(
            (gguf.version, gguf.metadata.iter().len(), gguf.tensors.len(), gguf.data_offset),
            (3, 21, 30, 8512)
        );
        let first = GgufTensor {
            name: "rope_freqs.weight".into(),
            ne: [32, 1, 1, 1],
            dtype: crate::GgmlType::F32,
            offset: 8512,
            len: 128,
        };
        assert_eq!(gguf.tensors[0], first);
        assert_eq!(
            gguf.metadata.iter().next(),
            Some(("general.architecture", &Value::String("llama".into())))
        );
        assert_eq!(gguf.metadata.get("llama.rope.freq_base"), Some(&Value::F32(500_000.0)));
    }

    /// The header ends at some byte; before it more is asked for, within reason, and from it on the answer is the same.
    #[test]
    fn grows_with_the_prefix() {
        let file = golden();
        let file_size = file.len() as u64;
        let whole = Gguf::parse(&file, file_size).unwrap();
        let mut header_end = None;
        for have in 0..9000 {
            match Gguf::parse(&file[..have], file_size) {
                Ok(gguf) => {
                    header_end = header_end.or(Some(have));
                    assert_eq!(gguf, whole, "{have} bytes");
                }
                Err(FormatError::NeedMore { have: reported, need }) => {
                    assert_eq!((reported, header_end), (have as u64, None), "{have} bytes");
                    assert!(need > have as u64 && need <= whole.data_offset, "{need} of {have} bytes");
                }
                Err(error) => panic!("{have} bytes: {error}"),
            }
        }
        let header_end = header_end.unwrap() as u64;
        assert_eq!(header_end.next_multiple_of(32), whole.data_offset);
    }
}
