//! Points: what time series databases store.

use std::borrow::Cow;

use senseops_core::Timestamp;

/// One point of a time series. Also the buffer that it is made in: one `Point` serves a whole batch, so only the
/// first events allocate.
#[derive(Clone, Debug, PartialEq)]
pub struct Point<'e> {
    measurement: Cow<'e, str>,
    tags: Vec<(Cow<'e, str>, Cow<'e, str>)>,
    fields: Vec<(Cow<'e, str>, FieldValue<'e>)>,
    time: Timestamp,
}

/// The value of a field.
#[derive(Clone, Debug, PartialEq)]
pub enum FieldValue<'e> {
    /// True or false.
    Bool(bool),
    /// A whole number.
    Int(i64),
    /// A number with decimals.
    Float(f64),
    /// Text.
    Text(Cow<'e, str>),
}

impl Default for Point<'_> {
    fn default() -> Self {
        Self {
            measurement: Cow::Borrowed(""),
            tags: Vec::new(),
            fields: Vec::new(),
            time: Timestamp::from_nanos(0),
        }
    }
}

impl<'e> Point<'e> {
    /// The name of the measurement.
    pub fn measurement(&self) -> &str {
        &self.measurement
    }

    /// Names and texts of the tags: sorted by name, no name twice, no text empty.
    pub fn tags(&self) -> &[(Cow<'e, str>, Cow<'e, str>)] {
        &self.tags
    }

    /// Names and values of the fields, in no particular order, no name twice.
    pub fn fields(&self) -> &[(Cow<'e, str>, FieldValue<'e>)] {
        &self.fields
    }

    /// When it was true.
    pub fn time(&self) -> Timestamp {
        self.time
    }

    /// Empties the buffer for an event of that time.
    pub fn start(&mut self, time: Timestamp) {
        self.time = time;
        self.tags.clear();
        self.fields.clear();
    }

    /// Keeps time and tags, for another measurement of the same event.
    pub fn measure(&mut self, measurement: impl Into<Cow<'e, str>>) {
        self.measurement = measurement.into();
        self.fields.clear();
    }

    /// Adds a tag, unless there is one of that name. Without a text there is no tag, since no database can store one.
    pub fn tag(&mut self, name: impl Into<Cow<'e, str>>, text: impl Into<Cow<'e, str>>) {
        let (name, text) = (name.into(), text.into());
        if text.is_empty() {
            return;
        }
        // Tables and labels are sorted, so most tags go to the end.
        if self.tags.last().is_none_or(|(last, _)| *last < name) {
            self.tags.push((name, text));
        } else if let Err(at) = self.tags.binary_search_by(|(candidate, _)| candidate.cmp(&name)) {
            self.tags.insert(at, (name, text));
        }
    }

    /// Adds a field, unless there is one of that name.
    pub fn field(&mut self, name: impl Into<Cow<'e, str>>, value: FieldValue<'e>) {
        let name = name.into();
        if self.fields.iter().all(|(candidate, _)| *candidate != name) {
            self.fields.push((name, value));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_are_sorted_unique_and_never_empty() {
        let mut point = Point::default();
        for (name, text) in
            [("host", "sense1"), ("zone", "3"), ("host", "configured"), ("origin", ""), ("app", "x")]
        {
            point.tag(name, text);
        }
        assert_eq!(
            point.tags(),
            [("app".into(), "x".into()), ("host".into(), "sense1".into()), ("zone".into(), "3".into())]
        );
    }

    #[test]
    fn the_first_field_of_a_name_wins() {
        let mut point = Point::default();
        point.field("level", FieldValue::Int(1));
        point.field("level", FieldValue::Int(2));
        assert_eq!(point.fields(), [("level".into(), FieldValue::Int(1))]);
    }
}
