//! Which events a component wants.

use crate::{Event, Kind, KindPattern, Shape};

/// Which events a sink or relay wants: shapes, and patterns over kinds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Accepts {
    shapes: Vec<Shape>,
    kinds: Vec<KindPattern>,
}

impl Accepts {
    /// All events.
    pub fn everything() -> Self {
        Self { shapes: Vec::new(), kinds: Vec::new() }
    }

    /// Events whose kind matches one of the patterns, of any shape.
    pub fn kinds<P: Into<KindPattern>>(patterns: impl IntoIterator<Item = P>) -> Self {
        Self { shapes: Vec::new(), kinds: patterns.into_iter().map(Into::into).collect() }
    }

    /// Only those of these shapes.
    #[must_use]
    pub fn of_shapes(mut self, shapes: impl IntoIterator<Item = Shape>) -> Self {
        self.shapes.extend(shapes);
        self
    }

    /// Whether the kind is wanted, whatever the shape.
    pub fn kind(&self, kind: Kind) -> bool {
        self.kinds.is_empty() || self.kinds.iter().any(|pattern| pattern.matches(kind))
    }

    /// Whether the event is wanted.
    pub fn event(&self, event: &Event) -> bool {
        (self.shapes.is_empty() || self.shapes.contains(&event.shape())) && self.kind(event.kind)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::{Body, Fields, LabelSet};

    #[test]
    fn a_component_gets_the_shapes_and_kinds_it_accepts() {
        let event = Event::new(
            Kind::new("qlik.user_event"),
            &Arc::new(LabelSet::default()),
            Body::Measurement(Fields::default()),
        );
        assert!(Accepts::everything().event(&event));
        assert!(Accepts::kinds(["sos.*", "qlik.*"]).event(&event));
        assert!(!Accepts::kinds(["sos.*"]).event(&event));
        assert!(!Accepts::everything().of_shapes([Shape::Record]).event(&event));
    }

    #[test]
    #[should_panic(expected = "a pattern over kinds")]
    fn a_pattern_that_could_not_match_is_a_mistake_in_the_program() {
        Accepts::kinds(["qlik*"]);
    }
}
