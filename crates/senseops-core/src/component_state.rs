//! What a component remembers from one life to the next: a cursor, a table of names, counts that must go on.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use serde::Serialize;
use serde::de::DeserializeOwned;
use thiserror::Error;

use crate::BoxError;

/// The most that a component may remember under one key, in bytes of JSON.
pub const MAX_STATE_BYTES: usize = 16 * 1024 * 1024;

/// Values under keys, of one component. They outlive the component, and with `pipeline.state_dir` the program.
///
/// A cursor is stored only once what it has passed is [`Stored`](crate::Outcome::Stored), or a crash costs events.
///
/// ```
/// # use senseops_core::ComponentState;
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), senseops_core::StateError> {
/// let state = ComponentState::in_memory();
/// assert_eq!(state.load::<u64>("last_row").await?, None);
/// state.store("last_row", &42_u64).await?;
/// assert_eq!(state.load("last_row").await?, Some(42_u64));
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct ComponentState(Arc<dyn StateArea>);

/// Where the values of one component are. Implemented by the engine.
#[async_trait]
pub trait StateArea: Send + Sync {
    /// What was stored last under this key.
    ///
    /// # Errors
    /// When that cannot be found out. A damaged value counts as none.
    async fn read(&self, key: &str) -> Result<Option<Vec<u8>>, BoxError>;

    /// Replaces what is stored under this key, durably and as a whole: after a crash it is the old value or the new
    /// one.
    ///
    /// # Errors
    /// When the old value may still be there.
    async fn write(&self, key: &str, value: Vec<u8>) -> Result<(), BoxError>;

    /// Whether values outlive the program.
    fn is_durable(&self) -> bool;
}

/// A value cannot be loaded or stored.
#[derive(Debug, Error)]
pub enum StateError {
    /// It is larger than [`MAX_STATE_BYTES`].
    #[error("what is to be remembered as {key:?} takes {bytes} bytes, and {MAX_STATE_BYTES} are allowed")]
    TooLarge {
        /// The key.
        key: String,
        /// How large it is.
        bytes: usize,
    },
    /// What is stored is no such value: another version of the component stored it.
    #[error("what is remembered as {key:?} is of another form")]
    Form {
        /// The key.
        key: String,
        /// What does not fit.
        source: serde_json::Error,
    },
    /// The disk fails.
    #[error("what is to be remembered as {key:?}")]
    Area {
        /// The key.
        key: String,
        /// Why.
        source: BoxError,
    },
}

#[derive(Default)]
struct InMemory(Mutex<BTreeMap<String, Vec<u8>>>);

impl ComponentState {
    /// The state that is kept in `area`.
    pub fn new(area: impl StateArea + 'static) -> Self {
        Self(Arc::new(area))
    }

    /// State that ends with the program.
    pub fn in_memory() -> Self {
        Self::new(InMemory::default())
    }

    /// What was stored last under this key, if anything.
    ///
    /// # Errors
    /// When it cannot be read, or is no such value.
    pub async fn load<T: DeserializeOwned>(&self, key: &str) -> Result<Option<T>, StateError> {
        let value =
            self.0.read(key).await.map_err(|source| StateError::Area { key: key.to_owned(), source })?;
        let parsed = value.map(|value| serde_json::from_slice(&value)).transpose();
        parsed.map_err(|source| StateError::Form { key: key.to_owned(), source })
    }

    /// Remembers this in place of what was stored before. Returns once it is durable.
    ///
    /// # Errors
    /// When it is too large or cannot be written; then the old value is what is remembered.
    pub async fn store<T: Serialize + Sync>(&self, key: &str, value: &T) -> Result<(), StateError> {
        let value =
            serde_json::to_vec(value).map_err(|source| StateError::Form { key: key.to_owned(), source })?;
        let bytes = value.len();
        if bytes > MAX_STATE_BYTES {
            return Err(StateError::TooLarge { key: key.to_owned(), bytes });
        }
        self.0.write(key, value).await.map_err(|source| StateError::Area { key: key.to_owned(), source })
    }

    /// Whether what is stored outlives the program.
    pub fn is_durable(&self) -> bool {
        self.0.is_durable()
    }
}

#[async_trait]
impl StateArea for InMemory {
    async fn read(&self, key: &str) -> Result<Option<Vec<u8>>, BoxError> {
        Ok(self.0.lock().unwrap_or_else(PoisonError::into_inner).get(key).cloned())
    }

    async fn write(&self, key: &str, value: Vec<u8>) -> Result<(), BoxError> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(key.to_owned(), value);
        Ok(())
    }

    fn is_durable(&self) -> bool {
        false
    }
}

impl fmt::Debug for ComponentState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ComponentState").field("is_durable", &self.is_durable()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_value_that_is_too_large_is_refused_and_the_old_one_stays() {
        let state = ComponentState::in_memory();
        state.store("names", &"old").await.unwrap();
        let error = state.store("names", &"x".repeat(MAX_STATE_BYTES)).await.unwrap_err().to_string();
        insta::assert_snapshot!(error, @r#"what is to be remembered as "names" takes 16777218 bytes, and 16777216 are allowed"#);
        assert_eq!(state.load::<String>("names").await.unwrap().as_deref(), Some("old"));
    }

    #[tokio::test]
    async fn a_value_of_another_form_is_an_error_rather_than_none() {
        let state = ComponentState::in_memory();
        state.store("cursor", &"row 7").await.unwrap();
        let error = state.load::<u64>("cursor").await.unwrap_err();
        insta::assert_snapshot!(crate::chain(&error), @r#"what is remembered as "cursor" is of another form: invalid type: string "row 7", expected u64 at line 1 column 7"#);
    }
}
