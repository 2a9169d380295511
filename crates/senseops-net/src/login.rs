//! Users and passwords, as an operator writes them.

use senseops_core::settings::Secret;
use senseops_core::{BuildError, Files, PlanError};

use crate::resolve;

/// Who we are at a server. In the table of a component: the settings `username` and `password`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Login {
    /// The name of the user.
    pub username: String,
    /// Their password.
    pub password: Secret,
}

impl Login {
    /// The login that these two settings stand for; without both there is none.
    ///
    /// # Errors
    /// When there is one without the other.
    pub fn of(username: Option<&str>, password: Option<&Secret>) -> Result<Option<Self>, PlanError> {
        match (username, password) {
            (Some(username), Some(password)) => {
                Ok(Some(Self { username: username.to_owned(), password: password.clone() }))
            }
            (None, None) => Ok(None),
            (Some(_), None) => Err(PlanError::at("username", "`username` needs `password`")),
            (None, Some(_)) => Err(PlanError::at("password", "`password` needs `username`")),
        }
    }

    /// The name, and the password as it is to be sent; a file is noted in `files`.
    ///
    /// # Errors
    /// When the password cannot be read.
    pub async fn resolve(&self, files: &Files) -> Result<(String, String), BuildError> {
        Ok((self.username.clone(), resolve(&self.password, "password", files).await?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_user_and_a_password_go_together() {
        let password = Secret::Text("canary".into());
        let of =
            |username, password| Login::of(username, password).map_err(|error| (error.key, error.message));
        let alone = |key: &str, message: &str| Err((key.to_owned(), message.to_owned()));
        assert_eq!(of(None, None), Ok(None));
        assert_eq!(of(Some("anna"), None), alone("username", "`username` needs `password`"));
        assert_eq!(of(None, Some(&password)), alone("password", "`password` needs `username`"));
        let login = of(Some("anna"), Some(&password)).unwrap().unwrap();
        assert_eq!(login.resolve(&Files::default()).await.unwrap(), ("anna".into(), "canary".into()));
        assert!(!format!("{login:?}").contains("canary"));
    }
}
