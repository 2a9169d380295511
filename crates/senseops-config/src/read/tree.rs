//! Changing a value before it is read once more.

use figment::value::{Num, Value};

/// Whether this is an item of a list.
pub(super) fn is_item(value: &Value, at: &[String]) -> bool {
    let Some((_, parent)) = at.split_last() else { return false };
    let list = parent.iter().try_fold(value, |value, key| match value {
        Value::Dict(_, table) => table.get(key),
        Value::Array(_, items) => items.get(key.parse::<usize>().ok()?),
        Value::String(..) | Value::Char(..) | Value::Bool(..) | Value::Num(..) | Value::Empty(..) => None,
    });
    matches!(list, Some(Value::Array(..)))
}

/// Takes a key or an item out. Says whether there was one.
pub(super) fn take_out(value: &mut Value, at: &[String]) -> bool {
    let Some((last, parent)) = at.split_last() else { return false };
    match value_at(value, parent) {
        Some(Value::Dict(_, table)) => table.remove(last).is_some(),
        Some(Value::Array(_, items)) => match last.parse::<usize>() {
            Ok(position) if position < items.len() => {
                items.remove(position);
                true
            }
            Ok(_) | Err(_) => false,
        },
        Some(Value::String(..) | Value::Char(..) | Value::Bool(..) | Value::Num(..) | Value::Empty(..))
        | None => false,
    }
}

/// Makes a text the number or truth value that it spells, if it spells one.
pub(super) fn spell_out(value: &mut Value, at: &[String]) -> bool {
    let Some(value) = value_at(value, at) else { return false };
    let spelled = match value.as_str() {
        None => None,
        Some("true") => Some(Value::from(true)),
        Some("false") => Some(Value::from(false)),
        Some(text) => number(text).map(Value::from),
    };
    match spelled {
        Some(spelled) => *value = spelled,
        None => return false,
    }
    true
}

fn number(text: &str) -> Option<Num> {
    let whole = text.parse().map(Num::U64).or_else(|_negative| text.parse().map(Num::I64));
    whole.ok().or_else(|| text.parse().ok().filter(|number: &f64| number.is_finite()).map(Num::F64))
}

fn value_at<'v>(value: &'v mut Value, at: &[String]) -> Option<&'v mut Value> {
    at.iter().try_fold(value, |value, key| match value {
        Value::Dict(_, table) => table.get_mut(key),
        Value::Array(_, items) => items.get_mut(key.parse::<usize>().ok()?),
        Value::String(..) | Value::Char(..) | Value::Bool(..) | Value::Num(..) | Value::Empty(..) => None,
    })
}
