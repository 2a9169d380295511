//! Errors that plugins hand to the engine.

use std::error::Error;
use std::fmt;

use thiserror::Error;

/// Any error that can cross a thread.
pub type BoxError = Box<dyn Error + Send + Sync>;

/// A component cannot be planned from its configuration, although every value has the right type.
#[derive(Debug, Error)]
#[error("{message}")]
pub struct PlanError {
    /// The dotted path below the component's table, such as `servers.0.url`; empty for the table as a whole.
    pub key: String,
    /// What is wrong and what would be right.
    pub message: String,
}

/// A component cannot be opened: a port is taken, a certificate cannot be read. A target that is down is not such an
/// error, since it may come back.
#[derive(Debug, Error)]
#[error("{message}")]
pub struct BuildError {
    /// The dotted path of the setting that led here, such as `tls.ca`; empty when there is none.
    pub key: String,
    /// What was being done, to what.
    pub message: String,
    /// Why it failed.
    #[source]
    pub source: Option<BoxError>,
}

impl PlanError {
    /// What is wrong with the setting at `key`.
    pub fn at(key: impl Into<String>, message: impl Into<String>) -> Self {
        Self { key: key.into(), message: message.into() }
    }
}

impl BuildError {
    /// What failed because of the setting at `key`.
    pub fn at(key: impl Into<String>, message: impl Into<String>) -> Self {
        Self { key: key.into(), message: message.into(), source: None }
    }

    /// The same error with its cause.
    #[must_use]
    pub fn because(mut self, source: impl Into<BoxError>) -> Self {
        self.source = Some(source.into());
        self
    }
}

/// Shows an error with all its causes on one line: `connect to db: connection refused`.
pub fn chain<'a>(error: &'a (dyn Error + 'static)) -> impl fmt::Display + 'a {
    Chain(error)
}

struct Chain<'a>(&'a (dyn Error + 'static));

impl fmt::Display for Chain<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = self.0.to_string();
        f.write_str(&shown)?;
        let mut cause = self.0.source();
        while let Some(error) = cause {
            let text = error.to_string();
            // Some libraries repeat the cause in their own text.
            if !shown.ends_with(&text) {
                write!(f, ": {text}")?;
            }
            shown = text;
            cause = error.source();
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chain_shows_every_cause_once() {
        let cause = std::io::Error::other("no such file");
        let error = BuildError::at("tls.ca", "read root.pem").because(cause);
        assert_eq!(chain(&error).to_string(), "read root.pem: no such file");
        let repeated =
            BuildError::at("", "read root.pem: no such file").because(std::io::Error::other("no such file"));
        assert_eq!(chain(&repeated).to_string(), "read root.pem: no such file");
    }
}
