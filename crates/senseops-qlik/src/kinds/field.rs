//! Where a value is in an event.

use senseops_core::{Fields, Value};

/// The name of a value, and the map that it is in, if it is in one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Field {
    group: Option<&'static str>,
    name: &'static str,
}

impl Field {
    /// A field of the event itself.
    pub const fn new(name: &'static str) -> Self {
        Self { group: None, name }
    }

    /// A member of the map `group`, which is a field of the event.
    pub const fn within(group: &'static str, name: &'static str) -> Self {
        Self { group: Some(group), name }
    }

    /// The map that it is in.
    pub const fn group(self) -> Option<&'static str> {
        self.group
    }

    /// Its name, in the event or in the map.
    pub const fn name(self) -> &'static str {
        self.name
    }

    /// Its value among the fields of an event, if it is there.
    pub fn of(self, fields: &Fields) -> Option<&Value> {
        let Some(group) = self.group else { return fields.get(self.name) };
        if let Value::Map(members) = fields.get(group)? { members.get(self.name) } else { None }
    }

    /// Its text, if it is there and is text.
    pub fn text_of(self, fields: &Fields) -> Option<&str> {
        self.of(fields).and_then(Value::as_str)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_is_found_where_it_is_and_nowhere_else() {
        let fields =
            Fields::default().with("total", 1).with("session", Fields::default().with("total", "two"));
        assert_eq!(Field::new("total").of(&fields), Some(&1.into()));
        assert_eq!(Field::within("session", "total").text_of(&fields), Some("two"));
        assert_eq!(Field::within("session", "active").of(&fields), None);
        assert_eq!(Field::within("total", "total").of(&fields), None, "a number has no members");
        assert_eq!(Field::new("total").text_of(&fields), None, "a number is no text");
    }
}
