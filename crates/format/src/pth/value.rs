//! What a pickle's instructions work on.

use std::rc::Rc;

use crate::GgmlType;

/// A value on the stack or in the memo. Copies share what they hold.
#[derive(Debug, Clone)]
pub(super) enum Value {
    None,
    Bool,
    Integer(i64),
    String(Rc<str>),
    Tuple(Rc<Tuple>),
    /// One of the machine's dictionaries, which later instructions fill.
    Dict(usize),
    Global(Global),
    Storage(Rc<Storage>),
    Tensor(Rc<Tensor>),
}

#[derive(Debug)]
pub(super) struct Tuple {
    pub(super) values: Vec<Value>,
    /// How deep tuples lie in each other.
    pub(super) depth: usize,
}

/// The names that may be called, or stand for a type.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Global {
    OrderedDict,
    RebuildTensor,
    StorageOf(GgmlType),
}

/// Numbers in an entry of the archive.
#[derive(Debug)]
pub(super) struct Storage {
    pub(super) dtype: GgmlType,
    /// The entry's name after `data/`.
    pub(super) key: Rc<str>,
    /// How many.
    pub(super) len: u64,
}

/// A view of a storage.
#[derive(Debug)]
pub(super) struct Tensor {
    pub(super) storage: Rc<Storage>,
    /// The first number's place.
    pub(super) offset: u64,
    pub(super) shape: Vec<u64>,
    pub(super) stride: Vec<u64>,
}

impl Global {
    pub(super) fn of(module: &str, name: &str) -> Option<Global> {
        Some(match (module, name) {
            ("collections", "OrderedDict") => Global::OrderedDict,
            ("torch._utils", "_rebuild_tensor_v2") => Global::RebuildTensor,
            ("torch", "BFloat16Storage") => Global::StorageOf(GgmlType::BF16),
            ("torch", "HalfStorage") => Global::StorageOf(GgmlType::F16),
            ("torch", "FloatStorage") => Global::StorageOf(GgmlType::F32),
            _ => return None,
        })
    }
}

impl Value {
    /// What it is, for errors.
    pub(super) fn kind(&self) -> &'static str {
        match self {
            Value::None => "None",
            Value::Bool => "a boolean",
            Value::Integer(_) => "a number",
            Value::String(_) => "a string",
            Value::Tuple(_) => "a tuple",
            Value::Dict(_) => "a dictionary",
            Value::Global(_) => "a class",
            Value::Storage(_) => "a storage",
            Value::Tensor(_) => "a tensor",
        }
    }
}
