//! A machine for the pickles of dictionaries of tensors, and for no others.
//!
//! | byte | instruction | does |
//! |---|---|---|
//! | 80 n | PROTO | says the version, 2 |
//! | c | GLOBAL | pushes one of the names in [`Global::of`] |
//! | ( | MARK | marks the stack for `t` and `u` |
//! | ) 85 86 87 t | TUPLE | of none, one, two, three, or all above the mark |
//! | } | EMPTY_DICT | |
//! | s u | SETITEM(S) | puts pairs into the dictionary below |
//! | R | REDUCE | calls: makes an OrderedDict or a tensor |
//! | Q | BINPERSID | makes a storage from its description |
//! | b | BUILD | gives an OrderedDict attributes; they are dropped |
//! | X n | BINUNICODE | a string of n bytes |
//! | K M J 8a | BININT1, 2, 4, LONG1 | integers |
//! | N 88 89 | NONE, NEWTRUE, NEWFALSE | |
//! | q r h j | BINPUT, LONG_BINPUT, BINGET, LONG_BINGET | to the memo and from it |
//! | . | STOP | the dictionary is done |
//!
//! Nothing is allocated but what bytes of the pickle stand for, each a few dozen bytes; copies share.

use std::collections::HashMap;
use std::rc::Rc;

use super::code::{Code, invalid, literal};
use super::value::{Global, Storage, Tensor, Tuple, Value};
use crate::error::{FormatError, quote};

/// A tensor takes about nine of each.
const MAX_STACK: usize = 1 << 16;
const MAX_MEMO: usize = 1 << 17;
/// The arguments of a call within which a shape lies take two.
const MAX_DEPTH: usize = 8;
const MAX_DIMS: usize = 8;

#[derive(Debug, Default)]
struct Machine {
    stack: Vec<Value>,
    /// Heights of the stack.
    marks: Vec<usize>,
    memo: HashMap<u32, Value>,
    dicts: Vec<Vec<(Value, Value)>>,
}

/// Runs a pickle, and gives the dictionary that it makes.
pub(super) fn run(pickle: &[u8]) -> Result<Vec<(Value, Value)>, FormatError> {
    let mut machine = Machine::default();
    let mut code = Code { bytes: pickle, at: 0 };
    loop {
        let at = code.at;
        let [opcode] = code.take()?;
        if opcode == b'.' {
            break;
        }
        machine.step(opcode, at, &mut code)?;
        if machine.stack.len() > MAX_STACK || machine.marks.len() > MAX_STACK || machine.memo.len() > MAX_MEMO
        {
            return Err(invalid(at, "a stack and a memo of bearable size", "an endless one"));
        }
    }
    match machine.stack.pop() {
        Some(Value::Dict(dict)) => Ok(machine.dicts.into_iter().nth(dict).unwrap_or_default()),
        Some(other) => Err(invalid(code.at, "a dictionary of tensors", other.kind())),
        None => Err(invalid(code.at, "a dictionary of tensors", "nothing")),
    }
}

impl Machine {
    fn step(&mut self, opcode: u8, at: usize, code: &mut Code) -> Result<(), FormatError> {
        match opcode {
            0x80 => match code.take()? {
                [2] => {}
                [other] => return Err(invalid(at, "a pickle of protocol 2, as PyTorch writes", other)),
            },
            b'c' => {
                let (module, name) = (code.line()?, code.line()?);
                let global = Global::of(module, name).ok_or_else(|| unsupported(module, name))?;
                self.stack.push(Value::Global(global));
            }
            b'(' => self.marks.push(self.stack.len()),
            b')' => self.push_tuple(Vec::new(), at)?,
            0x85..=0x87 => {
                let values = self.pop_some(usize::from(opcode - 0x84), at)?;
                self.push_tuple(values, at)?;
            }
            b't' => {
                let values = self.pop_marked(at)?;
                self.push_tuple(values, at)?;
            }
            b'}' => self.push_dict(),
            b's' => {
                let pair = self.pop_some(2, at)?;
                self.set_items(pair, at)?;
            }
            b'u' => {
                let pairs = self.pop_marked(at)?;
                self.set_items(pairs, at)?;
            }
            b'R' => self.reduce(at)?,
            b'Q' => self.storage(at)?,
            b'b' => match &self.pop_some(2, at)?[..] {
                [dict @ Value::Dict(_), Value::Dict(_)] => self.stack.push(dict.clone()),
                other => return Err(invalid(at, "attributes of a dictionary", kinds(other))),
            },
            b'q' | b'r' | b'h' | b'j' => self.memo(opcode, at, code)?,
            _ => self.stack.push(literal(opcode, at, code)?),
        }
        Ok(())
    }

    /// To the memo or from it, at an index of one byte or of four.
    fn memo(&mut self, opcode: u8, at: usize, code: &mut Code) -> Result<(), FormatError> {
        let index = match opcode {
            b'q' | b'h' => u32::from(u8::from_le_bytes(code.take()?)),
            _ => u32::from_le_bytes(code.take()?),
        };
        match opcode {
            b'q' | b'r' => self.put(index, at),
            _ => self.get(index, at),
        }
    }

    fn push_tuple(&mut self, values: Vec<Value>, at: usize) -> Result<(), FormatError> {
        let depth_of = |value: &Value| match value {
            Value::Tuple(tuple) => tuple.depth,
            _ => 0,
        };
        let depth = 1 + values.iter().map(depth_of).max().unwrap_or(0);
        if depth > MAX_DEPTH {
            return Err(invalid(at, &format!("tuples at most {MAX_DEPTH} deep"), format_args!("{depth}")));
        }
        self.stack.push(Value::Tuple(Rc::new(Tuple { values, depth })));
        Ok(())
    }

    fn push_dict(&mut self) {
        self.stack.push(Value::Dict(self.dicts.len()));
        self.dicts.push(Vec::new());
    }

    fn set_items(&mut self, pairs: Vec<Value>, at: usize) -> Result<(), FormatError> {
        let Some(Value::Dict(dict)) = self.stack.last() else {
            return Err(invalid(at, "a dictionary to put items into", "none"));
        };
        if !pairs.len().is_multiple_of(2) {
            return Err(invalid(at, "keys and values", "one more"));
        }
        let mut pairs = pairs.into_iter();
        if let Some(dict) = self.dicts.get_mut(*dict) {
            while let (Some(key), Some(value)) = (pairs.next(), pairs.next()) {
                dict.push((key, value));
            }
        }
        Ok(())
    }

    fn reduce(&mut self, at: usize) -> Result<(), FormatError> {
        match &self.pop_some(2, at)?[..] {
            [Value::Global(Global::OrderedDict), Value::Tuple(arguments)] if arguments.values.is_empty() => {
                self.push_dict();
            }
            [Value::Global(Global::RebuildTensor), Value::Tuple(arguments)] => {
                let tensor = tensor(&arguments.values).ok_or_else(|| {
                    invalid(at, "storage, offset, shape and stride of a tensor", kinds(&arguments.values))
                })?;
                self.stack.push(Value::Tensor(Rc::new(tensor)));
            }
            other => return Err(invalid(at, "a call that makes a dictionary or a tensor", kinds(other))),
        }
        Ok(())
    }

    /// `("storage", torch.BFloat16Storage, "3", "cpu", 4096)`
    fn storage(&mut self, at: usize) -> Result<(), FormatError> {
        let popped = self.pop_some(1, at)?;
        let storage = match &popped[..] {
            [Value::Tuple(id)] => match &id.values[..] {
                [
                    Value::String(kind),
                    Value::Global(Global::StorageOf(dtype)),
                    Value::String(key),
                    Value::String(_),
                    Value::Integer(len @ 0..),
                ] if &**kind == "storage" => {
                    Some(Storage { dtype: *dtype, key: key.clone(), len: len.unsigned_abs() })
                }
                _ => None,
            },
            _ => None,
        };
        let storage = storage.ok_or_else(|| invalid(at, "the description of a storage", kinds(&popped)))?;
        self.stack.push(Value::Storage(Rc::new(storage)));
        Ok(())
    }

    fn put(&mut self, index: u32, at: usize) -> Result<(), FormatError> {
        let value = self.stack.last().cloned().ok_or_else(|| invalid(at, "a value for the memo", "none"))?;
        self.memo.insert(index, value);
        Ok(())
    }

    fn get(&mut self, index: u32, at: usize) -> Result<(), FormatError> {
        let value = self.memo.get(&index).cloned();
        self.stack
            .push(value.ok_or_else(|| invalid(at, "a value in the memo", format_args!("none at {index}")))?);
        Ok(())
    }

    /// The uppermost values, none of them below the last mark.
    fn pop_some(&mut self, count: usize, at: usize) -> Result<Vec<Value>, FormatError> {
        let floor = self.marks.last().copied().unwrap_or(0);
        match self.stack.len().checked_sub(count).filter(|height| *height >= floor) {
            Some(height) => Ok(self.stack.split_off(height)),
            None => Err(invalid(at, &format!("{count} values on the stack"), self.stack.len() - floor)),
        }
    }

    /// All values above the last mark.
    fn pop_marked(&mut self, at: usize) -> Result<Vec<Value>, FormatError> {
        let mark = self.marks.pop().ok_or_else(|| invalid(at, "a mark on the stack", "none"))?;
        Ok(self.stack.split_off(mark.min(self.stack.len())))
    }
}

/// From the arguments of `_rebuild_tensor_v2`; what follows the stride is for training.
fn tensor(arguments: &[Value]) -> Option<Tensor> {
    let [Value::Storage(storage), Value::Integer(offset), Value::Tuple(shape), Value::Tuple(stride), ..] =
        arguments
    else {
        return None;
    };
    let numbers = |tuple: &Tuple| -> Option<Vec<u64>> {
        let number = |value: &Value| match value {
            Value::Integer(number) => u64::try_from(*number).ok(),
            _ => None,
        };
        (tuple.values.len() <= MAX_DIMS).then(|| tuple.values.iter().map(number).collect())?
    };
    Some(Tensor {
        storage: storage.clone(),
        offset: u64::try_from(*offset).ok()?,
        shape: numbers(shape)?,
        stride: numbers(stride)?,
    })
}

fn kinds(values: &[Value]) -> String {
    let kinds: Vec<&str> = values.iter().take(6).map(Value::kind).collect();
    if kinds.is_empty() { "nothing".into() } else { kinds.join(", ") }
}

fn unsupported(module: &str, name: &str) -> FormatError {
    FormatError::Unsupported {
        what: "The Python object",
        found: format!("{} in this .pth file", quote(&format!("{module}.{name}"))),
        supported: "no code of a model's; it reads dictionaries of plain tensors".into(),
    }
}
