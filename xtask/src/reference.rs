//! `cargo xtask reference`: what is generated from the plugins.
//!
//! `config/sos.reference.yaml` is what `sos sample` prints, and `config/sos.schema.json` what `sos schema` does; a test of
//! `sos` compares them. The README of a plugin shows its sample between `<!-- sample -->` and `<!-- /sample -->`.

use std::process::ExitCode;
use std::{env, fs};

use crate::error::BoxError;
use crate::shell;
use crate::tree::{self, File, Tree};

/// The files that the program prints itself, and the command that does.
const PRINTED: [(&str, &str); 2] =
    [("config/sos.reference.yaml", "sample"), ("config/sos.schema.json", "schema")];

const BEGIN: &str = "<!-- sample -->";
const END: &str = "<!-- /sample -->";

/// Writes what differs, or says what would be written.
pub(crate) fn run(check: bool) -> Result<ExitCode, BoxError> {
    let root = shell::root();
    let tree = Tree::read(root)?;
    let mut stale = false;
    for File { path, text } in generate(&tree).into_iter().chain(printed()?) {
        if fs::read(root.join(&path)).is_ok_and(|found| found == text.as_bytes()) {
            println!("{path}: as it should be");
        } else if check {
            println!("{path}: differs; run `cargo xtask reference`");
            stale = true;
        } else {
            tree::write(&root.join(&path), &text)?;
            println!("{path}: written");
        }
    }
    Ok(if stale { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

/// The READMEs as they should be.
pub(crate) fn generate(tree: &Tree) -> Vec<File> {
    let readmes = tree.plugins().filter_map(|folder| {
        let path = format!("{folder}/README.md");
        let text = with_sample(tree.text(&path)?, tree.text(&format!("{folder}/sample.yaml"))?)?;
        Some(File { path, text })
    });
    readmes.collect()
}

/// What the program prints.
fn printed() -> Result<Vec<File>, BoxError> {
    shell::run(&mut shell::cargo(["build", "--quiet", "--package", "sos"]))?;
    let sos = shell::built("debug").join("sos").with_extension(env::consts::EXE_EXTENSION);
    let file = |(path, command): (&str, &str)| {
        let text = shell::answer(shell::program(&sos).arg(command));
        let text = text.ok_or_else(|| format!("`sos {command}` prints nothing"))?;
        Ok(File { path: path.to_owned(), text: text + "\n" })
    };
    PRINTED.into_iter().map(file).collect()
}

/// Whether a README says where its sample belongs.
pub(crate) fn has_place_for_sample(readme: &str) -> bool {
    with_sample(readme, "").is_some()
}

/// The README with the sample in it; `None` if it has no place for one.
fn with_sample(readme: &str, sample: &str) -> Option<String> {
    let (before, rest) = readme.split_once(BEGIN)?;
    let (_old, after) = rest.split_once(END)?;
    Some(format!("{before}{BEGIN}\n```yaml\n{}\n```\n{END}{after}", sample.trim_end()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_readme_gets_the_sample_between_its_marks_and_keeps_the_rest() {
        let readme = "# X\n<!-- sample -->\nold\n<!-- /sample -->\nend\n";
        let new = with_sample(readme, "# qos: 1\n").unwrap();
        assert_eq!(new, "# X\n<!-- sample -->\n```yaml\n# qos: 1\n```\n<!-- /sample -->\nend\n");
        assert_eq!(with_sample(&new, "# qos: 1\n"), Some(new), "generating twice changes nothing");
        assert_eq!(with_sample("# X\n", "# qos: 1\n"), None);
    }
}
