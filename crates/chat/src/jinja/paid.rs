//! What turns any value into text, paid for before it does.
//!
//! A list can be made of itself in few steps, and so stand for more text than any memory holds. The engine's fuel
//! covers strings, and what is printed is paid for by the formatter; but a filter, a test or a method that is given a
//! list where it wants a string makes the text without a word. So these stand in their places, and call them when they
//! have been paid. The operator `~` is `concat`'s.

use std::borrow::Cow;

use minijinja::value::{Kwargs, Rest, StringInput, ValueOrKwargs, from_args};
use minijinja::{Environment, Error, State, Value, filters, tests};
use minijinja_contrib::pycompat::unknown_method_callback;

use super::limits::charge;

/// The filter around the two sides of each `~`.
pub(super) const TEXT: &str = "pronk_text";

macro_rules! paid_filters {
    ($environment:ident: $($name:ident($($argument:ident: $kind:ty),*);)*) => {$(
        $environment.add_filter(stringify!($name), |state: &State, values: Rest<Value>| {
            charge_all(state, &values)?;
            let ($($argument,)*): ($($kind,)*) = from_args(&values)?;
            Ok::<Value, Error>(Value::from(filters::$name($($argument),*)))
        });
    )*};
}

/// Puts the ways to make text behind a charge.
pub(super) fn set_up(environment: &mut Environment<'_>) {
    paid_filters! { environment:
        upper(value: StringInput);
        lower(value: StringInput);
        capitalize(value: StringInput);
        title(value: Cow<str>);
        trim(value: StringInput, characters: Option<Cow<str>>);
        pprint(value: &Value);
        safe(value: String);
    }
    environment.add_filter("format", format);
    environment.add_filter("replace", replace);
    environment.add_filter("indent", indent);
    environment.add_filter("escape", escape);
    environment.add_filter("e", escape);
    environment.add_filter(TEXT, text);
    environment.add_test("startingwith", |state: &State, value: Value, other: Value| {
        charge_all(state, &[value.clone(), other.clone()])?;
        Ok::<bool, Error>(tests::is_startingwith(value.to_string().into(), other.to_string().into()))
    });
    environment.add_test("endingwith", |state: &State, value: Value, other: Value| {
        charge_all(state, &[value.clone(), other.clone()])?;
        Ok::<bool, Error>(tests::is_endingwith(value.to_string().into(), other.to_string().into()))
    });
    environment.set_unknown_method_callback(|state, value, method, values| {
        charge_all(state, values)?;
        unknown_method_callback(state, value, method, values)
    });
    // Prints all that a template is given, for its author.
    environment.remove_global("debug");
}

/// The engine's own filter has no count for whoever calls it from outside; Python's method has.
fn replace(state: &mut State, values: Rest<ValueOrKwargs>) -> Result<Value, Error> {
    let values = values.into_values();
    charge_all(state, &values)?;
    let (value, old, new, count, kwargs): (Value, Value, Value, Option<i64>, Kwargs) = from_args(&values)?;
    let count = count.map_or_else(|| kwargs.get("count"), |count| Ok(Some(count)))?;
    kwargs.assert_all_used()?;
    match count {
        None => {
            let values = [value, old, new];
            let (value, old, new): (StringInput, StringInput, StringInput) = from_args(&values)?;
            filters::replace(state, value, old, new)
        }
        Some(count) => {
            let [value, old, new] = [value, old, new].map(|value| Value::from(value.to_string()));
            unknown_method_callback(state, &value, "replace", &[old, new, Value::from(count)])
        }
    }
}

/// So many spaces for each line are paid for here: the engine's own filter does so only where it is not called from
/// outside.
fn indent(state: &mut State, values: Rest<ValueOrKwargs>) -> Result<Value, Error> {
    let values = values.into_values();
    charge_all(state, &values)?;
    type Arguments<'a> = (StringInput<'a>, Option<usize>, Option<bool>, Option<bool>, Kwargs);
    let (value, width, first, blank, kwargs): Arguments = from_args(&values)?;
    let width = width.map_or_else(|| kwargs.get("width"), |width| Ok(Some(width)))?;
    let lines = 1 + value.as_str().matches('\n').count();
    state.consume_fuel(lines.saturating_mul(width.unwrap_or(4)) as u64 / 64)?;
    filters::indent(value, width, first, blank, kwargs)
}

fn format(state: &mut State, format: &Value, values: Rest<ValueOrKwargs>) -> Result<Value, Error> {
    values.iter().try_for_each(|value| charge(state, value))?;
    filters::format(state, format, values)
}

fn escape(state: &mut State, value: &Value) -> Result<Value, Error> {
    charge(state, value)?;
    filters::escape(state, value)
}

fn text(state: &State, value: &Value) -> Result<Value, Error> {
    charge(state, value)?;
    Ok(value.clone())
}

fn charge_all(state: &State, values: &[Value]) -> Result<(), Error> {
    values.iter().try_for_each(|value| charge(state, value))
}
