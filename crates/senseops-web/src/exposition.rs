//! Prometheus text format 0.0.4.
//!
//! Source: "Exposition formats" of the Prometheus documentation. All samples of a family stand together below its HELP
//! and TYPE, names are `[a-zA-Z_:][a-zA-Z0-9_:]*`, label values escape `\`, `"` and line breaks.

use std::collections::BTreeMap;
use std::fmt::Write;

/// A text that is being written, family by family.
#[derive(Debug, Default)]
pub(crate) struct Exposition(BTreeMap<String, Family>);

/// What a family is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Type {
    Counter,
    Gauge,
    Histogram,
}

#[derive(Debug)]
struct Family {
    kind: Type,
    help: String,
    samples: String,
}

/// The labels of a sample.
type Labels<'a> = &'a [(&'a str, &'a str)];

impl Exposition {
    /// Adds a sample to a gauge.
    pub(crate) fn gauge(&mut self, name: &str, help: &str, labels: Labels<'_>, value: f64) {
        self.sample((name, help, Type::Gauge), labels, value);
    }

    /// Adds a sample to a counter, whose name ends in `_total`.
    pub(crate) fn counter(&mut self, name: &str, help: &str, labels: Labels<'_>, value: f64) {
        self.sample((name, help, Type::Counter), labels, value);
    }

    /// Adds a histogram of ranges that are not cumulative: one count for each bound, and one for all beyond.
    pub(crate) fn histogram(
        &mut self,
        (name, help): (&str, &str),
        labels: Labels<'_>,
        (bounds, counts): (&[f64], &[u64]),
        sum: f64,
    ) {
        let samples = self.family((name, help, Type::Histogram));
        let mut total = 0;
        for (index, count) in counts.iter().enumerate() {
            total += count;
            let bound = bounds.get(index).map_or_else(|| "+Inf".to_owned(), |bound| number(*bound));
            let with_bound: Vec<_> = labels.iter().copied().chain([("le", bound.as_str())]).collect();
            line(samples, name, "_bucket", &with_bound, whole(total));
        }
        line(samples, name, "_sum", labels, sum);
        line(samples, name, "_count", labels, whole(total));
    }

    /// Whether there is a family of this name.
    pub(crate) fn contains(&self, name: &str) -> bool {
        self.0.contains_key(name)
    }

    /// The whole text.
    pub(crate) fn text(&self) -> String {
        let mut text = String::new();
        for (name, Family { kind, help, samples }) in &self.0 {
            let kind = match kind {
                Type::Counter => "counter",
                Type::Gauge => "gauge",
                Type::Histogram => "histogram",
            };
            for part in ["# HELP ", name, " ", help, "\n# TYPE ", name, " ", kind, "\n", samples] {
                text.push_str(part);
            }
        }
        text
    }

    fn sample(&mut self, family: (&str, &str, Type), labels: Labels<'_>, value: f64) {
        let name = family.0;
        line(self.family(family), name, "", labels, value);
    }

    /// The samples of a family; the first mention says what it is.
    fn family(&mut self, (name, help, kind): (&str, &str, Type)) -> &mut String {
        let help = || help.replace('\\', "\\\\").replace('\n', "\\n");
        let family = self.0.entry(name.to_owned());
        &mut family.or_insert_with(|| Family { kind, help: help(), samples: String::new() }).samples
    }
}

/// A whole number as a sample.
#[expect(clippy::cast_precision_loss, reason = "samples are 64-bit floats in Prometheus")]
pub(crate) fn whole(value: u64) -> f64 {
    value as f64
}

/// What is left of a text as a name.
pub(crate) fn name_of(text: &str) -> String {
    let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let name: String = text.chars().map(|c| if is_name(c) { c } else { '_' }).collect();
    if name.starts_with(|c: char| c.is_ascii_digit()) || name.is_empty() { format!("_{name}") } else { name }
}

fn line(samples: &mut String, name: &str, suffix: &str, labels: Labels<'_>, value: f64) {
    samples.push_str(name);
    samples.push_str(suffix);
    for (index, (label, text)) in labels.iter().enumerate() {
        samples.push(if index == 0 { '{' } else { ',' });
        samples.push_str(label);
        samples.push_str("=\"");
        for c in text.chars() {
            match c {
                '\\' => samples.push_str("\\\\"),
                '"' => samples.push_str("\\\""),
                '\n' => samples.push_str("\\n"),
                c => samples.push(c),
            }
        }
        samples.push('"');
    }
    samples.push_str(if labels.is_empty() { " " } else { "} " });
    samples.push_str(&number(value));
    samples.push('\n');
}

fn number(value: f64) -> String {
    let mut text = String::new();
    let written = match value {
        f64::INFINITY => write!(text, "+Inf"),
        f64::NEG_INFINITY => write!(text, "-Inf"),
        value => write!(text, "{value}"),
    };
    // Writing to a text cannot fail.
    debug_assert!(written.is_ok());
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn samples_of_a_family_stand_together_and_texts_are_escaped() {
        let mut metrics = Exposition::default();
        metrics.gauge("b", "A gauge\nof \\ two lines.", &[("path", "C:\\x \"y\"\n")], 0.5);
        metrics.counter("a_total", "A counter.", &[], 7.0);
        metrics.gauge("b", "", &[], f64::INFINITY);
        insta::assert_snapshot!(metrics.text(), @r#"
        # HELP a_total A counter.
        # TYPE a_total counter
        a_total 7
        # HELP b A gauge\nof \\ two lines.
        # TYPE b gauge
        b{path="C:\\x \"y\"\n"} 0.5
        b +Inf
        "#);
    }

    #[test]
    fn buckets_are_cumulative_and_end_at_infinity() {
        let mut metrics = Exposition::default();
        metrics.histogram(("w", "Writes."), &[("component", "x")], (&[0.1, 1.0], &[3, 0, 2]), 9.25);
        insta::assert_snapshot!(metrics.text(), @r#"
        # HELP w Writes.
        # TYPE w histogram
        w_bucket{component="x",le="0.1"} 3
        w_bucket{component="x",le="1"} 3
        w_bucket{component="x",le="+Inf"} 5
        w_sum{component="x"} 9.25
        w_count{component="x"} 5
        "#);
    }

    #[test]
    fn any_text_becomes_a_name() {
        assert_eq!(name_of("kernel_drops"), "kernel_drops");
        assert_eq!(name_of("5xx-answers"), "_5xx_answers");
        assert_eq!(name_of(""), "_");
    }
}
