//! Users whose events are left out.

use std::str::Chars;

use senseops_core::schemars::{self, JsonSchema};
use serde::Deserialize;

/// Users by directory and id.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct UserPattern {
    /// Which user directories.
    #[schemars(with = "String")]
    pub directory: Pattern,
    /// Which users of these directories.
    #[schemars(with = "String")]
    pub user_id: Pattern,
}

/// A text in which `*` stands for any text and `?` for one character. Case does not matter, as in Windows.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(from = "String")]
pub struct Pattern(Vec<Symbol>);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Symbol {
    AnyText,
    AnyCharacter,
    Character(char),
}

impl UserPattern {
    /// Whether this user is meant.
    pub fn matches(&self, directory: &str, user_id: &str) -> bool {
        self.directory.matches(directory) && self.user_id.matches(user_id)
    }
}

impl Pattern {
    /// Whether the whole text is of this form.
    pub fn matches(&self, text: &str) -> bool {
        let mut parts = self.0.as_slice();
        let mut rest = text.chars();
        // Where to go on after the latest `*` has taken one character more.
        let mut retry: Option<(&[Symbol], Chars<'_>)> = None;
        loop {
            match (parts.split_first(), rest.clone().next()) {
                (Some((Symbol::AnyText, after)), _) => {
                    retry = Some((after, rest.clone()));
                    parts = after;
                }
                (Some((part, after)), Some(character)) if part.takes(character) => {
                    rest.next();
                    parts = after;
                }
                (None, None) => return true,
                _ => {
                    let Some((after, from)) = &mut retry else { return false };
                    if from.next().is_none() {
                        return false;
                    }
                    (parts, rest) = (after, from.clone());
                }
            }
        }
    }
}

impl Symbol {
    fn takes(self, character: char) -> bool {
        match self {
            Self::AnyText | Self::AnyCharacter => true,
            Self::Character(own) => own == character || own.to_lowercase().eq(character.to_lowercase()),
        }
    }
}

impl From<&str> for Pattern {
    fn from(text: &str) -> Self {
        let part = |character| match character {
            '*' => Symbol::AnyText,
            '?' => Symbol::AnyCharacter,
            _ => Symbol::Character(character),
        };
        Self(text.chars().map(part).collect())
    }
}

impl From<String> for Pattern {
    fn from(text: String) -> Self {
        text.as_str().into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_is_exact_but_for_case_and_wildcards() {
        for (pattern, text, expected) in [
            ("anna", "anna", true),
            ("anna", "ANNA", true),
            ("Åsa", "åsa", true),
            ("anna", "annabel", false),
            ("anna", "", false),
            ("sa_*", "sa_repository", true),
            ("sa_*", "sa_", true),
            ("*_sa", "repo_sa_sa", true),
            ("*a*b*", "xxaxxbxx", true),
            ("*a*b", "bbaa", false),
            ("an?a", "anna", true),
            ("an?a", "ana", false),
            ("*", "", true),
            ("", "", true),
            ("", "x", false),
            ("[a-z].{1}", "[a-z].{1}", true),
        ] {
            assert_eq!(Pattern::from(pattern).matches(text), expected, "{pattern} on {text}");
        }
    }

    #[test]
    fn a_user_is_meant_when_directory_and_id_are() {
        let pattern = UserPattern { directory: "LAB".into(), user_id: "test*".into() };
        assert!(pattern.matches("lab", "testuser1"));
        assert!(!pattern.matches("LAB2", "testuser1"));
        assert!(!pattern.matches("LAB", "anna"));
    }
}
