//! Files and secrets that a setting names.

use std::env::VarError;
use std::path::Path;

use senseops_core::settings::Secret;
use senseops_core::{BuildError, Files};
use tokio::fs::File;
use tokio::io::AsyncReadExt;

use crate::exposure;

/// No certificate, key or secret is larger; a wrong path must not fill the memory.
const MAX_FILE_BYTES: u64 = 4 * 1024 * 1024;

/// The text of a secret. `key` is the setting that holds it, for the error; a file is noted in `files`.
///
/// # Errors
/// When the environment variable is not set, or the file cannot be read or is not text.
pub async fn resolve(secret: &Secret, key: &str, files: &Files) -> Result<String, BuildError> {
    match secret {
        Secret::Text(text) => Ok(text.clone()),
        Secret::Env(name) => std::env::var(name).map_err(|cause| unusable(name, &cause, key)),
        Secret::File(path) => {
            let bytes = read_secret_file(path, key, files).await?;
            let text = String::from_utf8(bytes).map_err(|cause| {
                BuildError::at(key, format!("read the secret from {}", path.display()))
                    .because(cause.utf8_error())
            })?;
            Ok(without_line_break(&text).to_owned())
        }
    }
}

fn unusable(variable: &str, cause: &VarError, key: &str) -> BuildError {
    // Not as the source of the error: one of the causes shows the value.
    let why = match cause {
        VarError::NotPresent => "is not set",
        VarError::NotUnicode(_) => "is not UTF-8",
    };
    BuildError::at(key, format!("the environment variable {variable}, which should hold the secret, {why}"))
}

/// The content of a file that only its owner should be able to read; see [`read_file`].
pub(crate) async fn read_secret_file(path: &Path, key: &str, files: &Files) -> Result<Vec<u8>, BuildError> {
    let content = read_file(path, key, files).await?;
    exposure::warn_once(path).await;
    Ok(content)
}

/// The content of a file, which is noted in `files`. `key` is the setting that names it, for the error.
pub(crate) async fn read_file(path: &Path, key: &str, files: &Files) -> Result<Vec<u8>, BuildError> {
    let failed = |cause| BuildError::at(key, format!("read {}", path.display())).because(cause);
    let mut content = Vec::new();
    let file = File::open(path).await.map_err(failed)?;
    let read = file.take(MAX_FILE_BYTES + 1).read_to_end(&mut content).await.map_err(failed)?;
    if u64::try_from(read).is_ok_and(|bytes| bytes <= MAX_FILE_BYTES) {
        files.note(path, &content);
        Ok(content)
    } else {
        Err(BuildError::at(key, format!("{} is larger than {MAX_FILE_BYTES} bytes", path.display())))
    }
}

/// Editors and `echo` end a file with a line break, which is no part of the secret.
fn without_line_break(text: &str) -> &str {
    let text = text.strip_suffix('\n').unwrap_or(text);
    text.strip_suffix('\r').unwrap_or(text)
}

#[cfg(test)]
mod tests {
    use senseops_core::chain;

    use super::*;

    #[tokio::test]
    async fn a_secret_in_a_file_ends_before_the_line_break() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("token");
        let files = Files::default();
        for (content, expected) in
            [("canary", "canary"), ("canary\n", "canary"), ("a b \r\n", "a b "), ("c\n\n", "c\n")]
        {
            tokio::fs::write(&path, content).await.unwrap();
            assert_eq!(resolve(&Secret::File(path.clone()), "token", &files).await.unwrap(), expected);
        }
    }

    #[tokio::test]
    async fn a_secret_that_is_not_there_is_named_with_its_setting() {
        let files = Files::default();
        let error =
            resolve(&Secret::Env("SENSEOPS_NOT_SET".into()), "sinks.x.token", &files).await.unwrap_err();
        assert_eq!(error.key, "sinks.x.token");
        insta::assert_snapshot!(chain(&error), @"the environment variable SENSEOPS_NOT_SET, which should hold the secret, is not set");
        let error = resolve(&Secret::File("/nonexistent/token".into()), "token", &files).await.unwrap_err();
        insta::assert_snapshot!(chain(&error), @"read /nonexistent/token: No such file or directory (os error 2)");
    }

    #[cfg(unix)]
    #[test]
    fn a_secret_that_is_not_utf_8_is_not_shown() {
        use std::ffi::OsString;
        use std::os::unix::ffi::OsStringExt;

        let cause = VarError::NotUnicode(OsString::from_vec(b"canary\xff".to_vec()));
        let error = unusable("TOKEN", &cause, "token");
        insta::assert_snapshot!(chain(&error), @"the environment variable TOKEN, which should hold the secret, is not UTF-8");
    }
}
