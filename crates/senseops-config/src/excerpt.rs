//! The line of a file that a problem is about, without its secrets.

use std::fmt;
use std::ops::Range;

/// A line of a file, with what is meant marked below it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Excerpt {
    number: usize,
    line: String,
    column: usize,
    width: usize,
}

/// Keys whose values are never shown.
const SECRET_WORDS: [&str; 8] =
    ["password", "passwd", "pwd", "passphrase", "secret", "token", "api_key", "authorization"];

/// Longer lines are cut: they are data, not configuration that someone reads.
const MAX_COLUMNS: usize = 160;

impl Excerpt {
    /// Line `number` of `text`, with `width` characters marked from `column` on; all count from one.
    pub(crate) fn new(text: &str, number: usize, column: usize, width: usize) -> Option<Box<Self>> {
        let shown: String =
            masked(lines(text).nth(number.checked_sub(1)?)?).chars().take(MAX_COLUMNS).collect();
        let columns = shown.chars().count();
        let column = column.clamp(1, columns + 1);
        let width = width.clamp(1, (columns + 1 - column).max(1));
        // A tab as wide as one column keeps the mark below what is meant.
        Some(Box::new(Self { number, line: shown.replace('\t', " "), column, width }))
    }
}

impl fmt::Display for Excerpt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mark = "^".repeat(self.width);
        write!(
            f,
            "{:>5} | {}\n      | {:indent$}{mark}",
            self.number,
            self.line,
            "",
            indent = self.column - 1
        )
    }
}

/// The lines of a text as YAML counts them: a lone carriage return ends one, too.
pub(crate) fn lines(text: &str) -> impl Iterator<Item = &str> {
    text.split('\n').flat_map(|line| line.strip_suffix('\r').unwrap_or(line).split('\r'))
}

/// Whether the value of this key must not be shown.
pub(crate) fn is_secret(key: &str) -> bool {
    let key = key.to_lowercase().replace('-', "_");
    SECRET_WORDS.iter().any(|word| key.contains(word)) || key.contains("apikey")
}

/// The line up to its first secret: the value of a key that names one, or a login in a URL.
fn masked(line: &str) -> String {
    let login = url_login(line).map(|login| login.start);
    let cut = [secret_value(line), login].into_iter().flatten().min();
    match cut.and_then(|cut| line.get(..cut)) {
        Some(harmless) => format!("{harmless}***"),
        None => line.to_owned(),
    }
}

/// Where the value of a secret key begins. Tables are shown: they say where the secret is, not what it is.
fn secret_value(line: &str) -> Option<usize> {
    line.match_indices(':').find_map(|(colon, _)| {
        let (before, after) = (line.get(..colon)?, line.get(colon + 1..)?);
        let key = before.rsplit(['{', ',', ' ', '"', '\'', '\t']).find(|word| !word.is_empty())?;
        let value = after.trim_start();
        (is_secret(key) && !value.is_empty() && !value.starts_with('{')).then_some(line.len() - value.len())
    })
}

/// A sentence without the logins of the URLs in it.
pub(crate) fn without_logins(sentence: &str) -> String {
    let mut harmless = String::new();
    let mut rest = sentence;
    while let Some(login) = url_login(rest) {
        let (Some(before), Some(after)) = (rest.get(..login.start), rest.get(login.end..)) else { break };
        harmless.push_str(before);
        harmless.push_str("***");
        rest = after;
    }
    harmless + rest
}

/// Where the login of a URL is: between `://` and the last `@` of the word. A password may hold any character.
fn url_login(text: &str) -> Option<Range<usize>> {
    text.match_indices("://").find_map(|(at, separator)| {
        let start = at + separator.len();
        let word = text.get(start..)?.split([' ', '"', '\'']).next()?;
        word.rfind('@').map(|length| start..start + length)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_shown_up_to_its_first_secret() {
        for (line, expected) in [
            ("  password: canary", "  password: ***"),
            ("  { user: x, api_key: canary, url: y }", "  { user: x, api_key: ***"),
            ("  url: http://admin:canary@influx:8086/x", "  url: http://***"),
            ("  Authorization: Bearer canary", "  Authorization: ***"),
            ("  \"insertApiKey\": canary", "  \"insertApiKey\": ***"),
            ("  password: { env: NAME }", "  password: { env: NAME }"),
            ("  url: http://influx:8086", "  url: http://influx:8086"),
            ("  token:", "  token:"),
        ] {
            assert_eq!(masked(line), expected);
        }
    }

    #[test]
    fn a_sentence_shows_no_login() {
        let sentence = "neither http://u:can/ary@a:1/ nor \"https://canary@b\" nor http://c/";
        assert_eq!(without_logins(sentence), "neither http://***@a:1/ nor \"https://***@b\" nor http://c/");
    }

    #[test]
    fn what_is_meant_is_marked() {
        let excerpt = Excerpt::new("a: 1\n\tb: true\n", 2, 5, 4).unwrap();
        assert_eq!(excerpt.to_string(), "    2 |  b: true\n      |     ^^^^");
        let beyond = Excerpt::new("password: canary", 1, 11, 6).unwrap();
        assert_eq!(beyond.to_string(), "    1 | password: ***\n      |           ^^^");
        assert_eq!(Excerpt::new("one line", 2, 1, 1), None);
    }
}
