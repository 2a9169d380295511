//! Files and environment in, a plan or everything that is wrong with them out.

use std::path::{Path, PathBuf};

use senseops_engine::Plan;

use crate::document::Document;
use crate::layers::Locator;
use crate::plan::plan;
use crate::problem::{Place, Problem, Problems, Severity};
use crate::read::Reader;
use crate::registry::Registry;
use crate::section::Sections;

/// A configuration that can be used.
#[derive(Debug)]
pub struct Loaded {
    /// What to build.
    pub plan: Plan,
    /// What works but should be known.
    pub warnings: Vec<Problem>,
    /// Shows where a setting was written, for errors that come later.
    pub locator: Locator,
    sections: Sections,
}

impl Loaded {
    /// A table of the program, see [`Registry::section`]; `None` if it was not written.
    pub fn section<C: 'static>(&self) -> Option<&C> {
        self.sections.of()
    }
}

/// Loads files, the later ones laid upon the earlier ones, and the environment upon them all; see
/// [`environment`](crate::environment). Blocks while it reads.
///
/// # Errors
/// Everything that is wrong, at once.
pub fn load(
    registry: &Registry,
    files: &[PathBuf],
    environment: impl IntoIterator<Item = (String, String)>,
) -> Result<Loaded, Problems> {
    assemble(registry, files.iter().map(|file| read_file(file)).collect(), environment)
}

/// Loads one configuration that is in memory already. `name` stands for the file in messages.
///
/// # Errors
/// Everything that is wrong, at once.
pub fn load_str(
    registry: &Registry,
    name: &str,
    yaml: &str,
    environment: impl IntoIterator<Item = (String, String)>,
) -> Result<Loaded, Problems> {
    assemble(registry, vec![Document::parse(name, yaml)], environment)
}

fn assemble(
    registry: &Registry,
    documents: Vec<Result<Document, Problem>>,
    environment: impl IntoIterator<Item = (String, String)>,
) -> Result<Loaded, Problems> {
    let (documents, mut problems) = separate(documents);
    problems.extend(registry.ambiguous().map(|plugin| {
        let name = format!("{}.{}", plugin.role.section(), plugin.type_name);
        bare(Place::Program, name, format!("this program has two plugins for this type of {}", plugin.role))
    }));
    if !problems.is_empty() {
        // A file that cannot be read would make everything in it look missing.
        return Err(Problems::new(problems));
    }
    let (locator, problems) = Locator::new(documents, environment);
    let mut reader = Reader::new(&locator, problems);
    let (plan, sections) = plan(registry, locator.merged(), &mut reader);
    let failed = reader.failed();
    let mut found = reader.into_problems();
    found.sort_by_cached_key(|problem| locator.order_of(problem));
    if failed { Err(Problems::new(found)) } else { Ok(Loaded { plan, warnings: found, locator, sections }) }
}

/// The usable documents, and what is wrong with the others.
fn separate(documents: Vec<Result<Document, Problem>>) -> (Vec<Document>, Vec<Problem>) {
    let (mut usable, mut problems) = (Vec::new(), Vec::new());
    for document in documents {
        match document {
            Ok(document) if document.table().is_none() => {
                let (place, excerpt) = document.show(Some(document.root_spot()));
                let message =
                    "expected a table with `pipeline`, `sources` and `sinks`; a key ends in a colon"
                        .to_owned();
                problems.push(Problem { excerpt, ..bare(place, String::new(), message) });
            }
            Ok(document) => usable.push(document),
            Err(problem) => problems.push(problem),
        }
    }
    (usable, problems)
}

fn read_file(path: &Path) -> Result<Document, Problem> {
    let name = path.display().to_string();
    let wrong =
        |message: String| bare(Place::File { file: name.clone(), position: None }, String::new(), message);
    let bytes = std::fs::read(path).map_err(|error| wrong(format!("cannot be read: {error}")))?;
    match std::str::from_utf8(&bytes) {
        Ok(text) => Document::parse(&name, text),
        Err(_) if bytes.starts_with(&[0xff, 0xfe]) || bytes.starts_with(&[0xfe, 0xff]) => {
            Err(wrong("is UTF-16; save it as UTF-8".to_owned()))
        }
        Err(error) => {
            let line = bytes.iter().take(error.valid_up_to()).filter(|byte| **byte == b'\n').count() + 1;
            Err(wrong(format!("line {line} has a character that is not UTF-8; save the file as UTF-8")))
        }
    }
}

fn bare(place: Place, key_path: String, message: String) -> Problem {
    Problem { place, key_path, message, severity: Severity::Error, excerpt: None }
}
