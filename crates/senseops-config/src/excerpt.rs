//! The line of a file that a problem is about, without its secrets.

use std::borrow::Cow;
use std::fmt;
use std::ops::Range;

use senseops_core::settings::is_secret_name;

use crate::misnomers::is_of_secret;
use crate::suggest::nearest;

/// A line of a file, with what is meant marked below it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Excerpt {
    number: usize,
    line: String,
    column: usize,
    width: usize,
}

/// What hides a line that belongs to one above it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Parent {
    /// A table or list without secrets.
    Harmless,
    /// A table or list of a secret.
    Secret,
    /// A text that is a secret and goes on.
    SecretText,
    /// A table of request headers: any of them may be a secret.
    Headers,
}

/// What the keys of secrets are mostly called. Those who misspell one have written a secret all the same.
const SECRETS: [&str; 5] = ["password", "passphrase", "token", "secret", "api_key"];

/// Longer lines are cut: they are data, not configuration that someone reads.
const MAX_COLUMNS: usize = 160;

impl Excerpt {
    /// Line `number` of `text`, with `width` characters marked from `column` on; all count from one.
    pub(crate) fn new(text: &str, number: usize, column: usize, width: usize) -> Option<Box<Self>> {
        let mut above: Vec<_> = lines(text).take(number).collect();
        let line = above.pop().filter(|_| above.len() + 1 == number)?;
        let shown: String = masked(line, parent(line, &above)).chars().take(MAX_COLUMNS).collect();
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

/// Whether the value at this path must not be shown: because of what its key is called, or because it is a request
/// header. Names of components are anybody's, and say nothing.
pub(crate) fn is_hidden(keys: &[String]) -> bool {
    let keys = match keys {
        [section, _type, _name, rest @ ..] if section == "sources" || section == "sinks" => rest,
        all => all,
    };
    keys.iter().any(|key| is_secret_name(key) || is_headers(key))
}

fn is_headers(key: &str) -> bool {
    key.eq_ignore_ascii_case("headers")
}

/// The line up to its first secret: the value of a key that names one, or a login in an address.
fn masked(line: &str, parent: Parent) -> String {
    let is_hidden = match parent {
        Parent::Harmless => false,
        Parent::Secret | Parent::Headers => keys(line).next().is_none() && !line.trim().is_empty(),
        Parent::SecretText => true,
    };
    let whole = is_hidden.then(|| column(line));
    let cut = [whole, secret_value(line, parent), login_in_line(line)].into_iter().flatten().min();
    match cut.and_then(|cut| line.get(..cut)) {
        Some(harmless) => format!("{harmless}***"),
        None => line.to_owned(),
    }
}

/// Where the value of a secret key begins. A table that says where the secret is, and not what it is, is shown.
fn secret_value(line: &str, parent: Parent) -> Option<usize> {
    let mut in_headers = parent == Parent::Headers;
    keys(line).find_map(|(key, colon)| {
        let value = line.get(colon + 1..)?.trim_start();
        let in_secret = parent == Parent::Secret && !is_place(key);
        let hidden = in_headers || in_secret || may_be_secret(key);
        in_headers |= is_headers(key);
        let says_where = value.strip_prefix('{').is_some_and(|inside| {
            let first = keys(inside).next();
            inside.trim().is_empty() || first.is_some_and(|(key, _)| is_place(key))
        });
        (hidden && !value.is_empty() && !says_where).then_some(line.len() - value.len())
    })
}

/// Whether the key names a secret, or seems to be meant to.
fn may_be_secret(key: &str) -> bool {
    is_secret_name(key) || is_of_secret(key) || nearest(key, SECRETS).is_some()
}

/// Whether a secret that is a table says by this key where it is kept.
fn is_place(key: &str) -> bool {
    matches!(key, "env" | "file")
}

/// What looks like a key in a line, with the place of its colon, or of the `=` that somebody wrote in its place.
fn keys(line: &str) -> impl Iterator<Item = (&str, usize)> {
    line.match_indices([':', '=']).filter_map(|(colon, _)| {
        let before = line.get(..colon)?;
        let key = before.rsplit(['{', ',', ' ', '"', '\'', '\t']).find(|word| !word.is_empty())?;
        Some((key, colon))
    })
}

/// What the line belongs to, by the lines above that are indented less.
fn parent(line: &str, above: &[&str]) -> Parent {
    let mut indent = column(line);
    let mut nearest = None;
    for line in
        above.iter().rev().filter(|line| !line.trim_start().starts_with('#') && !line.trim().is_empty())
    {
        if column(line) >= indent {
            continue;
        }
        indent = column(line);
        if keys(line).any(|(key, _)| is_headers(key)) {
            return Parent::Headers;
        }
        nearest.get_or_insert(line);
    }
    match nearest {
        Some(line) if secret_value(line, Parent::Harmless).is_some() => Parent::SecretText,
        Some(line) if keys(line).any(|(key, _)| is_secret_name(key)) => Parent::Secret,
        Some(_) | None => Parent::Harmless,
    }
}

/// Where the content of a line begins, after the dashes of lists.
fn column(line: &str) -> usize {
    line.len() - line.trim_start_matches([' ', '\t', '-']).len()
}

/// Where a login begins in a line, if there is one. It ends at an `@`, but where it begins is not certain, since a
/// password may hold any character: so everything is hidden from the scheme or the beginning of the value on.
fn login_in_line(line: &str) -> Option<usize> {
    line.match_indices('@').find_map(|(at, _)| {
        let before = line.get(..at)?;
        let key_ends = before.rfind(": ").map(|colon| colon + 2);
        let mut value = open_quote(before).or(key_ends).unwrap_or(0).max(column(line));
        value += line.get(value..).map_or(0, |rest| rest.len() - rest.trim_start().len());
        let login = login(line.get(value..=at)?)?;
        Some(value + login.start)
    })
}

/// Where the text in quotes begins that is not closed at the end.
fn open_quote(text: &str) -> Option<usize> {
    let mut open = None;
    let mut before = ' ';
    for (at, c) in text.char_indices() {
        open = match open {
            None if matches!(c, '"' | '\'') && matches!(before, ' ' | '\t' | '{' | '[' | ',') => {
                Some((c, at + 1))
            }
            Some((quote, _)) if c == quote && before != '\\' => None,
            other => other,
        };
        before = c;
    }
    open.map(|(_, at)| at)
}

/// A value without the login in it.
pub(crate) fn without_login(value: &str) -> Cow<'_, str> {
    let hidden = login(value).and_then(|login| Some((value.get(..login.start)?, value.get(login.end..)?)));
    hidden.map_or(value.into(), |(before, after)| format!("{before}***{after}").into())
}

/// A sentence without the logins of the addresses in it, each in double quotes or a word of its own.
pub(crate) fn without_logins(sentence: &str) -> String {
    let mut harmless = String::with_capacity(sentence.len());
    for (index, part) in unescaped_quotes(sentence).enumerate() {
        if index > 0 {
            harmless.push('"');
        }
        if index % 2 == 1 {
            harmless.push_str(&without_login(part));
        } else {
            harmless.extend(part.split_inclusive([' ', '\'']).map(without_login));
        }
    }
    harmless
}

/// The parts of a text between double quotes that are not escaped.
fn unescaped_quotes(text: &str) -> impl Iterator<Item = &str> {
    let mut escaped = false;
    text.split(move |c| {
        let splits = c == '"' && !escaped;
        escaped = c == '\\' && !escaped;
        splits
    })
}

/// Where the login of an address is: after the scheme, if there is one, to the last `@`. The value may have its quotes.
fn login(value: &str) -> Option<Range<usize>> {
    let end = value.rfind('@')?;
    let unquoted = value.trim_start_matches(['"', '\'']);
    let is_scheme =
        |text: &str| text.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.'));
    let after_scheme = match unquoted.split_once("://") {
        Some((scheme, rest)) if is_scheme(scheme) => rest,
        Some(_) | None => unquoted,
    };
    let start = value.len() - after_scheme.len();
    (start < end).then_some(start..end)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

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
            ("  passwort: canary", "  passwort: ***"),
            ("  tokne: canary", "  tokne: ***"),
            ("  pass: canary", "  pass: ***"),
            ("  password = canary", "  password = ***"),
            ("  { password:canary }", "  { password:***"),
            ("  password: { value: canary }", "  password: ***"),
            ("  password: { \"file\": NAME }", "  password: { \"file\": NAME }"),
            ("  url: http://influx:8086", "  url: http://influx:8086"),
            ("  token:", "  token:"),
            ("  url: admin:canary@server1:4747", "  url: ***"),
            ("  - admin:can ary@server1:4747", "  - ***"),
            ("  { url: 'admin: can ary@server1', x: 1 }", "  { url: '***"),
            ("  { url: 'http://admin: canary@server1', x: 1 }", "  { url: 'http://***"),
            ("  canary@server1", "  ***"),
            ("  at: '@'", "  at: '@'"),
            ("  headers: { X-Site: canary }", "  headers: { X-Site: ***"),
            ("  headers: { X-Site: { env: SITE } }", "  headers: { X-Site: { env: ***"),
            ("  X-Qlik-Auth: canary", "  X-Qlik-Auth: ***"),
        ] {
            assert_eq!(masked(line, Parent::Harmless), expected);
        }
    }

    #[test]
    fn a_line_below_a_secret_or_headers_is_hidden() {
        let text = "\
servers:
- url: https://a
  headers:
    X-Site: canary
    # a remark

    X-User:
      canary
  name: a
- headers: {
    X-Site: canary }
  password: |
    can: ary
  passphrase:
    env: NAME
  tokens:
  - canary
  api_key:
    value: canary
  name: b
";
        let shown: Vec<_> =
            (1..=20).filter_map(|number| Excerpt::new(text, number, 1, 1)).map(|e| e.line).collect();
        insta::assert_snapshot!(shown.join("\n"), @"
        servers:
        - url: https://a
          headers:
            X-Site: ***
            ***

            X-User:
              ***
          name: a
        - headers: {
            X-Site: ***
          password: ***
            ***
          passphrase:
            env: NAME
          tokens:
          - ***
          api_key:
            value: ***
          name: b
        ");
    }

    #[test]
    fn names_of_components_hide_nothing() {
        let keys = |path: &str| path.split('.').map(str::to_owned).collect::<Vec<_>>();
        assert!(!is_hidden(&keys("sources.udp.user_sessions.listen")));
        assert!(is_hidden(&keys("sinks.influx.main.password.env")));
        assert!(is_hidden(&keys("sources.healthcheck.x.servers.0.headers.X-Site")));
    }

    #[test]
    fn a_sentence_shows_no_login() {
        let sentence = "neither http://u:can/ary@a:1/ nor \"https://canary@b\" nor http://c/";
        assert_eq!(without_logins(sentence), "neither http://***@a:1/ nor \"https://***@b\" nor http://c/");
        let without_scheme = "neither u:canary@a:1 nor 'canary@b' nor \"u:can\\\"ary canary@c\" nor @d";
        assert_eq!(without_logins(without_scheme), "neither ***@a:1 nor '***@b' nor \"***@c\" nor @d");
    }

    #[test]
    fn what_is_meant_is_marked() {
        let excerpt = Excerpt::new("a: 1\n\tb: true\n", 2, 5, 4).unwrap();
        assert_eq!(excerpt.to_string(), "    2 |  b: true\n      |     ^^^^");
        let beyond = Excerpt::new("password: canary", 1, 11, 6).unwrap();
        assert_eq!(beyond.to_string(), "    1 | password: ***\n      |           ^^^");
        assert_eq!(Excerpt::new("one line", 2, 1, 1), None);
    }

    proptest! {
        #[test]
        fn no_password_comes_through_whatever_is_in_it(junk in "[ -&(-~]{0,12}", scheme in "(https?://)?") {
            let value = format!("{scheme}admin:{junk}canary@server1:4747");
            for line in [format!("  url: '{value}'"), format!("- {{ name: x, url: '{value}', z: 1 }}")] {
                let shown = masked(&line, Parent::Harmless);
                prop_assert!(!shown.contains("canary"), "{shown}");
            }
            let sentence = without_logins(&format!("expected a URL, found {value:?}; did you mean \"x\"?"));
            prop_assert!(!sentence.contains("canary"), "{sentence}");
            prop_assert!(!without_login(&value).contains("canary"));
        }
    }
}
