//! The values of GGUF's metadata.
//!
//! Arrays of numbers stay bytes: they are then as large as in the file, whatever their type,
//! and most (scores, say) are never looked at.

use crate::error::{FormatError, Part, quote};
use crate::reader::Reader;

const MAX_STRING_BYTES: u64 = 16 << 20;
const MAX_ARRAY_LEN: u64 = 1 << 20;

/// A metadata value.
#[expect(missing_docs, reason = "the variants are the types' names")]
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    U8(u8),
    I8(i8),
    U16(u16),
    I16(i16),
    U32(u32),
    I32(i32),
    F32(f32),
    Bool(bool),
    String(String),
    Array(Array),
    U64(u64),
    I64(i64),
    F64(f64),
}

/// An array in the metadata. Arrays of arrays are refused: no model has any.
#[derive(Debug, Clone, PartialEq)]
pub enum Array {
    /// An array of strings.
    Strings(Vec<String>),
    /// An array of numbers or booleans.
    Numbers {
        /// Their type: neither a string nor an array.
        element: ValueType,
        /// Little-endian, one after the other.
        bytes: Vec<u8>,
    },
}

/// The type of a metadata value. The discriminant is the id in the file.
#[expect(missing_docs, reason = "the variants are the types' names")]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u32)]
pub enum ValueType {
    U8 = 0,
    I8 = 1,
    U16 = 2,
    I16 = 3,
    U32 = 4,
    I32 = 5,
    F32 = 6,
    Bool = 7,
    String = 8,
    Array = 9,
    U64 = 10,
    I64 = 11,
    F64 = 12,
}

impl Value {
    /// The value as a whole number, if it is one and not negative. Files have counts as `u32` or `u64`.
    pub fn as_u64(&self) -> Option<u64> {
        match *self {
            Value::U8(value) => Some(value.into()),
            Value::U16(value) => Some(value.into()),
            Value::U32(value) => Some(value.into()),
            Value::U64(value) => Some(value),
            Value::I8(value) => value.try_into().ok(),
            Value::I16(value) => value.try_into().ok(),
            Value::I32(value) => value.try_into().ok(),
            Value::I64(value) => value.try_into().ok(),
            _ => None,
        }
    }

    pub(super) fn read(reader: &mut Reader, key: &str) -> Result<Value, FormatError> {
        let value_type = ValueType::read(reader, key)?;
        Value::read_as(value_type, reader, key)
    }

    fn read_as(value_type: ValueType, reader: &mut Reader, key: &str) -> Result<Value, FormatError> {
        let part = Part::Metadata;
        Ok(match value_type {
            ValueType::U8 => Value::U8(u8::from_le_bytes(reader.bytes(part, key)?)),
            ValueType::I8 => Value::I8(i8::from_le_bytes(reader.bytes(part, key)?)),
            ValueType::U16 => Value::U16(u16::from_le_bytes(reader.bytes(part, key)?)),
            ValueType::I16 => Value::I16(i16::from_le_bytes(reader.bytes(part, key)?)),
            ValueType::U32 => Value::U32(reader.u32(part, key)?),
            ValueType::I32 => Value::I32(i32::from_le_bytes(reader.bytes(part, key)?)),
            ValueType::F32 => Value::F32(f32::from_le_bytes(reader.bytes(part, key)?)),
            ValueType::Bool => match reader.bytes(part, key)? {
                [0] => Value::Bool(false),
                [1] => Value::Bool(true),
                [byte] => return Err(part.invalid(key, "a bool, 0 or 1", byte)),
            },
            ValueType::String => Value::String(reader.string(MAX_STRING_BYTES, part, key)?.to_owned()),
            ValueType::Array => Value::Array(Array::read(reader, key)?),
            ValueType::U64 => Value::U64(reader.u64(part, key)?),
            ValueType::I64 => Value::I64(i64::from_le_bytes(reader.bytes(part, key)?)),
            ValueType::F64 => Value::F64(f64::from_le_bytes(reader.bytes(part, key)?)),
        })
    }
}

impl Array {
    /// How many elements it has.
    pub fn len(&self) -> usize {
        match self {
            Array::Strings(strings) => strings.len(),
            Array::Numbers { element, bytes } => bytes.len() / element.min_bytes(),
        }
    }

    /// Whether it has no elements.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn read(reader: &mut Reader, key: &str) -> Result<Array, FormatError> {
        let part = Part::Metadata;
        let element = ValueType::read(reader, key)?;
        let len = reader.u64(part, key)?;
        if element == ValueType::Array {
            return Err(part.invalid(key, "an array of values", "an array of arrays"));
        }
        if len > MAX_ARRAY_LEN {
            return Err(part.invalid(key, format_args!("at most {MAX_ARRAY_LEN} elements"), len));
        }
        let min_bytes = len * element.min_bytes() as u64;
        if element != ValueType::String {
            let bytes = reader.slice(min_bytes, part, key)?.to_vec();
            return Ok(Array::Numbers { element, bytes });
        }
        reader.need(min_bytes, part, key)?;
        let strings = (0..len).map(|_| Ok(reader.string(MAX_STRING_BYTES, part, key)?.to_owned()));
        Ok(Array::Strings(strings.collect::<Result<_, FormatError>>()?))
    }
}

impl ValueType {
    const ALL: [ValueType; 13] = [
        ValueType::U8,
        ValueType::I8,
        ValueType::U16,
        ValueType::I16,
        ValueType::U32,
        ValueType::I32,
        ValueType::F32,
        ValueType::Bool,
        ValueType::String,
        ValueType::Array,
        ValueType::U64,
        ValueType::I64,
        ValueType::F64,
    ];

    fn read(reader: &mut Reader, key: &str) -> Result<ValueType, FormatError> {
        let id = reader.u32(Part::Metadata, key)?;
        let value_type = ValueType::ALL.into_iter().find(|value_type| *value_type as u32 == id);
        value_type.ok_or_else(|| Part::Metadata.invalid(key, "a value type from 0 to 12", id))
    }

    /// Bytes in the file; of strings and arrays, those that even an empty one has.
    fn min_bytes(self) -> usize {
        match self {
            ValueType::U8 | ValueType::I8 | ValueType::Bool => 1,
            ValueType::U16 | ValueType::I16 => 2,
            ValueType::U32 | ValueType::I32 | ValueType::F32 => 4,
            ValueType::U64 | ValueType::I64 | ValueType::F64 | ValueType::String => 8,
            ValueType::Array => 12,
        }
    }
}

/// For errors and listings: type and value, long strings cut, arrays by length only.
impl std::fmt::Display for Value {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Value::U8(value) => write!(f, "{value} as u8"),
            Value::I8(value) => write!(f, "{value} as i8"),
            Value::U16(value) => write!(f, "{value} as u16"),
            Value::I16(value) => write!(f, "{value} as i16"),
            Value::U32(value) => write!(f, "{value} as u32"),
            Value::I32(value) => write!(f, "{value} as i32"),
            Value::F32(value) => write!(f, "{value:?} as f32"),
            Value::Bool(value) => write!(f, "{value}"),
            Value::String(value) => f.write_str(&quote(value)),
            Value::Array(Array::Strings(strings)) => write!(f, "an array of {} strings", strings.len()),
            Value::Array(array @ Array::Numbers { element, .. }) => {
                write!(f, "an array of {} {element}", array.len())
            }
            Value::U64(value) => write!(f, "{value} as u64"),
            Value::I64(value) => write!(f, "{value} as i64"),
            Value::F64(value) => write!(f, "{value:?} as f64"),
        }
    }
}

impl std::fmt::Display for ValueType {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&format!("{self:?}").to_lowercase())
    }
}
