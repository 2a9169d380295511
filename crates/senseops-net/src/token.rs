//! What a client must present to be let in.

use std::fmt;

use reqwest::header::{AUTHORIZATION, HeaderMap};
use senseops_core::settings::Secret;
use senseops_core::{BuildError, Files};
use subtle::ConstantTimeEq;

use crate::resolve;

/// A token that clients present as `Authorization: Bearer …`.
#[derive(Clone, PartialEq, Eq)]
pub struct Token(String);

impl Token {
    /// Finds the secret. `key` is the setting that holds it, for the error; a file is noted in `files`.
    ///
    /// # Errors
    /// When the secret cannot be read, or no client could present it: it must be visible ASCII, and not empty.
    pub async fn resolve(secret: &Secret, key: &str, files: &Files) -> Result<Self, BuildError> {
        let token = resolve(secret, key, files).await?;
        if token.is_empty() || !token.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(BuildError::at(key, "a token is one or more visible ASCII characters"));
        }
        Ok(Self(token))
    }

    /// Whether a request with these headers presents the token. How long the answer takes reveals nothing but the length
    /// of the token.
    pub fn admits(&self, headers: &HeaderMap) -> bool {
        let presented = headers.get(AUTHORIZATION).and_then(|value| {
            let (scheme, token) = value.as_bytes().split_at_checked("Bearer ".len())?;
            scheme.eq_ignore_ascii_case(b"Bearer ").then_some(token)
        });
        presented.is_some_and(|token| token.ct_eq(self.0.as_bytes()).into())
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn token(text: &str) -> Result<Token, BuildError> {
        Token::resolve(&Secret::Text(text.into()), "token", &Files::default()).await
    }

    #[tokio::test]
    async fn only_the_whole_token_is_admitted() {
        let token = token("canary").await.unwrap();
        let admits =
            |text: &str| token.admits(&HeaderMap::from_iter([(AUTHORIZATION, text.parse().unwrap())]));
        for (presented, expected) in [
            ("Bearer canary", true),
            ("bearer canary", true),
            ("Bearer canar", false),
            ("Bearer canary1", false),
            ("Bearer Canary", false),
            ("Bearer  canary", false),
            ("Bearer ", false),
            ("Bear", false),
            ("Basic canary", false),
            ("canary", false),
        ] {
            assert_eq!(admits(presented), expected, "{presented:?}");
        }
        assert!(!token.admits(&HeaderMap::new()));
    }

    #[tokio::test]
    async fn a_token_that_nobody_could_present_is_refused_and_none_is_shown() {
        for unusable in ["", "two words", "canary\u{e4}"] {
            let error = token(unusable).await.unwrap_err();
            insta::allow_duplicates! {
                insta::assert_snapshot!(error, @"a token is one or more visible ASCII characters");
            }
        }
        assert_eq!(format!("{:?}", token("canary").await.unwrap()), "***");
    }
}
