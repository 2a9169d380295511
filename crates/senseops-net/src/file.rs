//! Files and secrets that a setting names.

use std::env::VarError;
use std::fs::{File, Permissions};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use senseops_core::settings::Secret;
use senseops_core::{BuildError, Files};

use crate::blocking::Blocking;
use crate::exposure;

/// No certificate, key or secret is larger; a wrong path must not fill the memory.
const MAX_FILE_BYTES: u64 = 4 * 1024 * 1024;

/// The longest that reading one may take. Short enough that the one that hangs is named before the engine gives the whole
/// component up.
pub(crate) const READ_TIME: Duration = Duration::from_secs(10);

/// The files that are being read.
static READING: Blocking<PathBuf, Result<Arc<Content>, Arc<io::Error>>> = Blocking::new();

/// What a file holds.
#[derive(Debug)]
pub(crate) struct Content {
    pub(crate) bytes: Vec<u8>,
    permissions: Permissions,
}

/// The text of a secret. `key` is the setting that holds it, for the error; a file is noted in `files`.
///
/// # Errors
/// When the environment variable is not set, or the file cannot be read or is not text.
pub async fn resolve(secret: &Secret, key: &str, files: &Files) -> Result<String, BuildError> {
    match secret {
        Secret::Text(text) => Ok(text.clone()),
        Secret::Env(name) => std::env::var(name).map_err(|cause| unusable(name, &cause, key)),
        Secret::File(path) => {
            let content = read_secret_file(path, key, files).await?;
            let text = str::from_utf8(&content.bytes).map_err(|cause| {
                BuildError::at(key, format!("read the secret from {}", path.display())).because(cause)
            })?;
            Ok(without_line_break(text).to_owned())
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
pub(crate) async fn read_secret_file(
    path: &Path,
    key: &str,
    files: &Files,
) -> Result<Arc<Content>, BuildError> {
    let content = read_file(path, key, files).await?;
    exposure::warn_once(path, &content.permissions);
    Ok(content)
}

/// The content of a file, which is noted in `files`. `key` is the setting that names it, for the error.
pub(crate) async fn read_file(path: &Path, key: &str, files: &Files) -> Result<Arc<Content>, BuildError> {
    let content = read(path, key).await?;
    files.note(path, &content.bytes);
    Ok(content)
}

/// The same for a file that is noted already.
pub(crate) async fn read(path: &Path, key: &str) -> Result<Arc<Content>, BuildError> {
    let failed = || BuildError::at(key, format!("read {}", path.display()));
    let open = |path: &PathBuf| open(path).map(Arc::new).map_err(Arc::new);
    let opened =
        READING.run(path.to_owned(), READ_TIME, open).await.map_err(|cause| failed().because(cause))?;
    let content = opened.map_err(|cause| failed().because(cause))?;
    if u64::try_from(content.bytes.len()).is_ok_and(|bytes| bytes <= MAX_FILE_BYTES) {
        Ok(content)
    } else {
        Err(BuildError::at(key, format!("{} is larger than {MAX_FILE_BYTES} bytes", path.display())))
    }
}

/// What the file holds, or a byte more than is of use.
fn open(path: &Path) -> io::Result<Content> {
    let file = File::open(path)?;
    let permissions = file.metadata()?.permissions();
    let mut bytes = Vec::new();
    file.take(MAX_FILE_BYTES + 1).read_to_end(&mut bytes)?;
    Ok(Content { bytes, permissions })
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

    #[cfg(unix)]
    #[test]
    fn a_file_that_hangs_keeps_no_runtime_from_ending() {
        use std::sync::mpsc;
        use std::thread;

        use crate::fifo;

        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("token");
        fifo::put(&path);
        let (ended, end) = mpsc::sync_channel::<()>(1);
        thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            let hanging = runtime.block_on(async {
                let files = Files::default();
                tokio::select! {
                    _never = read_file(&path, "token", &files) => panic!("nobody writes"),
                    hanging = fifo::hanging(&path) => hanging,
                }
            });
            drop(runtime);
            drop(hanging);
            ended.send(()).unwrap();
        });
        end.recv_timeout(Duration::from_secs(5)).expect("the runtime ends");
    }

    // Time runs ahead, since nothing else is waited for.
    #[cfg(unix)]
    #[tokio::test(start_paused = true)]
    async fn a_file_that_hangs_is_named_in_time() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("token");
        crate::fifo::put(&path);
        let error = resolve(&Secret::File(path.clone()), "token", &Files::default()).await.unwrap_err();
        assert_eq!(chain(&error).to_string(), format!("read {}: no answer within 10s", path.display()));
    }

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
