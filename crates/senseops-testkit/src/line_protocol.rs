//! An independent decoder of the InfluxDB line protocol.
//!
//! Written from the grammar that InfluxDB documents, and strict: what a server might forgive is an error here. It
//! shares nothing with the encoder that it is there to check.
//!
//! ```text
//! line        = measurement *("," tag-key "=" tag-value) " " field *("," field) [" " time]
//! field       = field-key "=" (float / integer "i" / unsigned "u" / boolean / DQUOTE text DQUOTE)
//! ```
//!
//! A backslash escapes comma and blank in a measurement; comma, blank and equals sign in keys and tag values; quote
//! and backslash in a text. Before anything else it is a backslash. Lines end with a line feed; only a text may hold
//! one. Times are whole numbers, of whichever precision the request names.

use std::collections::BTreeMap;

/// A decoded line.
#[derive(Clone, Debug, PartialEq)]
pub struct Point {
    /// The measurement.
    pub measurement: String,
    /// Texts of the tags by name.
    pub tags: BTreeMap<String, String>,
    /// Values of the fields by name.
    pub fields: BTreeMap<String, FieldValue>,
    /// The time, in the precision of the request; `None` when the server is to set it.
    pub time: Option<i64>,
}

/// The value of a field.
#[derive(Clone, Debug, PartialEq)]
pub enum FieldValue {
    /// Without suffix.
    Float(f64),
    /// With suffix `i`.
    Int(i64),
    /// With suffix `u`, which only newer servers know.
    UInt(u64),
    /// One of the ten spellings of true and false.
    Bool(bool),
    /// In quotes.
    Text(String),
}

/// Decodes one line, without the line feed at its end.
///
/// # Errors
/// When it breaks the grammar: what was expected, and what comes instead.
pub fn parse(line: &str) -> Result<Point, String> {
    let mut rest = Rest(line);
    let point = rest.point()?;
    if rest.0.is_empty() { Ok(point) } else { Err(rest.expected("the end of the line")) }
}

/// Decodes the body of a write: lines with a line feed between them, or after each.
///
/// # Errors
/// When a line breaks the grammar.
pub fn parse_body(body: &str) -> Result<Vec<Point>, String> {
    let mut rest = Rest(body);
    let mut points = Vec::new();
    while !rest.0.is_empty() {
        points.push(rest.point()?);
        if !rest.0.is_empty() {
            rest.take('\n')?;
        }
    }
    Ok(points)
}

/// What is not decoded yet.
struct Rest<'a>(&'a str);

impl Rest<'_> {
    fn point(&mut self) -> Result<Point, String> {
        if self.0.starts_with('#') {
            return Err(self.expected("a measurement, not a comment"));
        }
        let measurement = self.name("a measurement", &[',', ' '])?;
        let mut tags = BTreeMap::new();
        while self.skip(',') {
            let key = self.name("a tag key", &[',', ' ', '='])?;
            self.take('=')?;
            let value = self.name("a tag value", &[',', ' ', '='])?;
            if tags.insert(key.clone(), value).is_some() {
                return Err(format!("the tag {key:?} comes twice"));
            }
        }
        self.take(' ')?;
        let mut fields = BTreeMap::new();
        loop {
            let key = self.name("a field key", &[',', ' ', '='])?;
            self.take('=')?;
            let value = self.value()?;
            if fields.insert(key.clone(), value).is_some() {
                return Err(format!("the field {key:?} comes twice"));
            }
            if !self.skip(',') {
                break;
            }
        }
        let time = if self.skip(' ') { Some(self.time()?) } else { None };
        Ok(Point { measurement, tags, fields, time })
    }

    /// Text up to the first of `special` that no backslash escapes.
    fn name(&mut self, what: &str, special: &[char]) -> Result<String, String> {
        let mut name = String::new();
        while let Some(next) = self.0.chars().next() {
            let escaped = self.0.strip_prefix('\\').and_then(|after| after.chars().next());
            if let Some(escaped) = escaped.filter(|escaped| special.contains(escaped)) {
                name.push(escaped);
                self.advance('\\');
                self.advance(escaped);
            } else if special.contains(&next) || next == '\n' {
                break;
            } else {
                name.push(next);
                self.advance(next);
            }
        }
        if name.is_empty() { Err(self.expected(what)) } else { Ok(name) }
    }

    fn value(&mut self) -> Result<FieldValue, String> {
        if self.skip('"') {
            return self.quoted().map(FieldValue::Text);
        }
        let end = self.0.find([',', ' ', '\n']).unwrap_or(self.0.len());
        let (word, rest) = self.0.split_at(end);
        let value = match word {
            "t" | "T" | "true" | "True" | "TRUE" => Some(FieldValue::Bool(true)),
            "f" | "F" | "false" | "False" | "FALSE" => Some(FieldValue::Bool(false)),
            _ => number(word),
        };
        let value = value.ok_or_else(|| self.expected("a number, a truth value or a text in quotes"))?;
        self.0 = rest;
        Ok(value)
    }

    /// A text whose opening quote is gone, up to its closing quote.
    fn quoted(&mut self) -> Result<String, String> {
        let mut text = String::new();
        loop {
            let Some(next) = self.0.chars().next() else {
                return Err(self.expected("a closing quote"));
            };
            self.advance(next);
            match (next, self.0.chars().next()) {
                ('"', _) => return Ok(text),
                ('\\', Some(escaped @ ('"' | '\\'))) => {
                    self.advance(escaped);
                    text.push(escaped);
                }
                _ => text.push(next),
            }
        }
    }

    fn time(&mut self) -> Result<i64, String> {
        let end = self.0.find('\n').unwrap_or(self.0.len());
        let (word, rest) = self.0.split_at(end);
        let time =
            whole(word).and_then(|digits| digits.parse().ok()).ok_or_else(|| self.expected("a time"))?;
        self.0 = rest;
        Ok(time)
    }

    fn skip(&mut self, next: char) -> bool {
        let found = self.0.starts_with(next);
        if found {
            self.advance(next);
        }
        found
    }

    fn take(&mut self, next: char) -> Result<(), String> {
        if self.skip(next) { Ok(()) } else { Err(self.expected(&format!("{next:?}"))) }
    }

    fn advance(&mut self, by: char) {
        self.0 = self.0.strip_prefix(by).unwrap_or(self.0);
    }

    fn expected(&self, what: &str) -> String {
        let next: String = self.0.chars().take(40).collect();
        format!("expected {what}, found {next:?}")
    }
}

fn number(word: &str) -> Option<FieldValue> {
    if let Some(digits) = word.strip_suffix('i') {
        return whole(digits)?.parse().ok().map(FieldValue::Int);
    }
    if let Some(digits) = word.strip_suffix('u') {
        return whole(digits)?.parse().ok().map(FieldValue::UInt);
    }
    // Rust reads `inf` and `nan` too, which the protocol cannot say.
    let spelled = word.chars().all(|c| c.is_ascii_digit() || matches!(c, '.' | '-' | '+' | 'e' | 'E'));
    let float: f64 = spelled.then(|| word.parse().ok())??;
    float.is_finite().then_some(FieldValue::Float(float))
}

/// The word itself, if it is digits, perhaps after a minus.
fn whole(word: &str) -> Option<&str> {
    let digits = word.strip_prefix('-').unwrap_or(word);
    (!digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit())).then_some(word)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn point(line: &str) -> String {
        match parse(line) {
            Ok(Point { measurement, tags, fields, time }) => {
                format!("{measurement:?} {tags:?} {fields:?} {time:?}")
            }
            Err(error) => error,
        }
    }

    #[test]
    fn a_line_is_measurement_tags_fields_and_time() {
        insta::assert_snapshot!(point(r#"my\ mem\,1=x,host=sense\ 1,a\=b=c\,d free=12i,load=0.5,up=T,u=7u,on="a \"b\"" -1"#), @r#""my mem,1=x" {"a=b": "c,d", "host": "sense 1"} {"free": Int(12), "load": Float(0.5), "on": Text("a \"b\""), "u": UInt(7), "up": Bool(true)} Some(-1)"#);
        insta::assert_snapshot!(point("m f=-1e-7"), @r#""m" {} {"f": Float(-1e-7)} None"#);
    }

    #[test]
    fn a_backslash_before_anything_else_is_a_backslash() {
        insta::assert_snapshot!(point(r#"m,user=LAB\anna,path=a\\,b f="C:\temp\\""#), @r#""m" {"path": "a\\,b", "user": "LAB\\anna"} {"f": Text("C:\\temp\\")} None"#);
    }

    #[test]
    fn only_a_text_spans_lines() {
        let points = parse_body("m f=\"two\nlines\" 1\nm,t=x f=2i\n").unwrap();
        assert_eq!(points.len(), 2);
        assert_eq!(points[0].fields["f"], FieldValue::Text("two\nlines".into()));
        insta::assert_snapshot!(parse_body("m,t=two\nlines f=1\n").unwrap_err(), @r#"expected ' ', found "\nlines f=1\n""#);
    }

    #[test]
    fn what_breaks_the_grammar_is_refused() {
        let lines = [
            "",
            "m",
            "m ",
            "m,host f=1",
            "m,host= f=1",
            "m,a=1,a=2 f=1",
            "m f",
            "m f=",
            "m f=1,f=2",
            "m f=undefined",
            "m f=NaN",
            "m f=1e999",
            "m f=9223372036854775808i",
            "m f=1.5i",
            "m f=\"open",
            "m f=1 now",
            "m f=1 1 1",
            "m,t=a=b f=1",
            ",t=a f=1",
            "# comment",
            "m f=1,",
            " m f=1",
        ];
        let answers: Vec<_> = lines.iter().map(|line| format!("{line:24} {}", point(line))).collect();
        insta::assert_snapshot!(answers.join("\n"), @r##"
                                 expected a measurement, found ""
        m                        expected ' ', found ""
        m                        expected a field key, found ""
        m,host f=1               expected '=', found " f=1"
        m,host= f=1              expected a tag value, found " f=1"
        m,a=1,a=2 f=1            the tag "a" comes twice
        m f                      expected '=', found ""
        m f=                     expected a number, a truth value or a text in quotes, found ""
        m f=1,f=2                the field "f" comes twice
        m f=undefined            expected a number, a truth value or a text in quotes, found "undefined"
        m f=NaN                  expected a number, a truth value or a text in quotes, found "NaN"
        m f=1e999                expected a number, a truth value or a text in quotes, found "1e999"
        m f=9223372036854775808i expected a number, a truth value or a text in quotes, found "9223372036854775808i"
        m f=1.5i                 expected a number, a truth value or a text in quotes, found "1.5i"
        m f="open                expected a closing quote, found ""
        m f=1 now                expected a time, found "now"
        m f=1 1 1                expected a time, found "1 1"
        m,t=a=b f=1              expected ' ', found "=b f=1"
        ,t=a f=1                 expected a measurement, found ",t=a f=1"
        # comment                expected a measurement, not a comment, found "# comment"
        m f=1,                   expected a field key, found ""
         m f=1                   expected a measurement, found " m f=1"
        "##);
    }
}
