//! What a downloaded template may do. It is a stranger's program.
//!
//! The engine counts steps and the bytes of the text that they make. It does not count what a list takes that has been
//! built of itself over and over, by `[a, a]` or by `a + a`: sixty steps make one that no memory can hold once it is
//! printed or compared. So a list is paid for where it is printed, where it gets a name ([`super::source`]), and where it
//! becomes text ([`super::paid`]).

use minijinja::value::ValueKind;
use minijinja::{Error, ErrorKind, State, Value};

/// Lists in lists, where they are printed.
const MAX_DEPTH: usize = 100;

/// Steps whatever the conversation is, and 64 bytes each of what they make. Llama 3.1's template takes 400, and with
/// tools 800. A list that gets deeper with each step stays shallow enough to be freed on a stack of 1 MiB.
const FUEL: u64 = 15_000;

/// Values in a list that a step pays for where it gets a name.
const VALUES_PER_FUEL: u64 = 64;

/// Further steps for each string that a conversation carries.
const FUEL_PER_STRING: u64 = 300;

/// The steps that a render may take. A further step a byte lets everything be copied many times over.
pub(crate) fn fuel(strings: usize, bytes: usize) -> u64 {
    FUEL + FUEL_PER_STRING * strings as u64 + bytes as u64
}

/// Pays for what a list or an object takes to be printed. Fails if that is too much, or if it is too deep.
/// For a string the engine has been paid.
pub(super) fn charge(state: &State, value: &Value) -> Result<(), Error> {
    if is_container(value) { charge_at(state, value, 0) } else { Ok(()) }
}

/// The filter that is put behind what gets a name: pays for the number of values that a list or an object has, the
/// values in them too, at a rate at which a conversation may be taken up a thousand times.
pub(super) fn named(state: &State, value: &Value) -> Result<Value, Error> {
    if is_container(value) {
        count(state, value, 0, &mut 0)?;
    }
    Ok(value.clone())
}

fn count(state: &State, value: &Value, depth: usize, values: &mut u64) -> Result<(), Error> {
    *values += 1;
    if values.is_multiple_of(VALUES_PER_FUEL) {
        state.consume_fuel(1)?;
    }
    if !is_container(value) {
        return Ok(());
    }
    if depth > MAX_DEPTH {
        return Err(too_deep());
    }
    let is_map = value.kind() == ValueKind::Map;
    value.try_iter()?.try_for_each(|item| {
        let item = if is_map { value.get_item(&item)? } else { item };
        count(state, &item, depth + 1, values)
    })
}

fn is_container(value: &Value) -> bool {
    matches!(value.kind(), ValueKind::Seq | ValueKind::Iterable | ValueKind::Map)
}

fn too_deep() -> Error {
    Error::new(ErrorKind::InvalidOperation, "a value is beyond the recursion limit")
}

fn charge_at(state: &State, value: &Value, depth: usize) -> Result<(), Error> {
    if depth > MAX_DEPTH {
        return Err(too_deep());
    }
    let bytes = value.as_str().map_or(0, str::len) as u64;
    state.consume_fuel(1 + bytes / 64)?;
    match value.kind() {
        ValueKind::Seq | ValueKind::Iterable => {
            value.try_iter()?.try_for_each(|item| charge_at(state, &item, depth + 1))
        }
        ValueKind::Map => value.try_iter()?.try_for_each(|key| {
            charge_at(state, &key, depth + 1)?;
            charge_at(state, &value.get_item(&key)?, depth + 1)
        }),
        _ => Ok(()),
    }
}
