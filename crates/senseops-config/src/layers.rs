//! The layers of a configuration, and where a value of the merged whole comes from.

use std::fmt;
use std::sync::Arc;

use figment::value::{Dict, Map, Tag, Value};
use figment::{Figment, Metadata, Profile, Provider};

use crate::document::Document;
use crate::excerpt::Excerpt;
use crate::key_path::KeyPath;
use crate::problem::{Place, Problem, Severity};

/// What the names of environment variables that belong to the configuration begin with. Below it, `__` stands between
/// the keys: `SOS_SINKS__INFLUX__MAIN__DATABASE` is `sinks.influx.main.database`. Keys are lower case there, and names
/// without `__` below the prefix are left to others.
pub const ENVIRONMENT_PREFIX: &str = "SOS_";

/// Finds out where a key of a loaded configuration was written, long after it was loaded. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Locator(Arc<Layers>);

#[derive(Debug)]
struct Layers {
    documents: Vec<Document>,
    variables: Vec<Variable>,
}

/// An environment variable that sets a key.
struct Variable {
    name: String,
    path: KeyPath,
    value: String,
}

/// Where a key was written.
struct Origin<'a> {
    /// How much of the key path there is.
    depth: usize,
    place: Place,
    excerpt: Option<Box<Excerpt>>,
    /// The value as it was written.
    written: Option<&'a str>,
    is_null: bool,
}

/// What is marked in a file: a key, or its value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mark {
    Key,
    Value,
}

/// The environment of this process, as [`load`](crate::load) wants it. Leaves out variables that are not Unicode.
pub fn environment() -> impl Iterator<Item = (String, String)> {
    std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
}

impl Locator {
    /// Keeps what locating needs of the documents and the environment, and tells about variables that cannot be used.
    pub(crate) fn new(
        documents: Vec<Document>,
        environment: impl IntoIterator<Item = (String, String)>,
    ) -> (Self, Vec<Problem>) {
        let mut layers = Layers { documents, variables: Vec::new() };
        let mut problems = Vec::new();
        let mut environment: Vec<_> = environment.into_iter().collect();
        environment.sort();
        for (name, value) in environment {
            let Some(keys) = name.strip_prefix(ENVIRONMENT_PREFIX).filter(|keys| keys.contains("__")) else {
                continue;
            };
            let keys: Vec<String> = keys.split("__").map(str::to_lowercase).collect();
            let variable = Variable { path: keys.into(), name, value };
            match layers.unreachable(&variable) {
                None => layers.variables.push(variable),
                Some(message) => problems.push(Problem {
                    place: Place::Environment(variable.name),
                    key_path: variable.path.to_string(),
                    message: message.to_owned(),
                    severity: Severity::Error,
                    excerpt: None,
                }),
            }
        }
        (Self(Arc::new(layers)), problems)
    }

    /// Everything that the layers say, merged.
    pub(crate) fn merged(&self) -> Dict {
        let files = self.0.documents.iter().fold(Figment::new(), |figment, document| figment.merge(document));
        let merged = files.merge(Environment(&self.0.variables)).find_value("");
        // Providers that cannot fail give a table for the empty path.
        merged.ok().and_then(Value::into_dict).unwrap_or_default()
    }

    /// A problem of the component `component` (`sinks.influx.main`) with its setting `key` (`tls.ca`; empty for the
    /// component as a whole), with the place where that was written. For errors that show up after loading.
    pub fn problem(&self, component: &str, key: &str, message: impl Into<String>) -> Problem {
        self.error(&KeyPath::default().dotted(component).dotted(key), Mark::Value, message)
    }

    pub(crate) fn error(&self, path: &KeyPath, mark: Mark, message: impl Into<String>) -> Problem {
        let (place, excerpt) = match self.origin(path, mark) {
            Some(origin) => (origin.place, origin.excerpt),
            None => (self.whole(), None),
        };
        Problem {
            place,
            key_path: path.to_string(),
            message: message.into(),
            severity: Severity::Error,
            excerpt,
        }
    }

    /// The value at this path as it was written in a file, if it is on one line.
    pub(crate) fn written(&self, path: &KeyPath) -> Option<&str> {
        let origin = self.exactly(path)?;
        origin.written.filter(|text| !text.contains('\n') && !text.is_empty())
    }

    /// Whether the key is there, but nothing behind it.
    pub(crate) fn is_null(&self, path: &KeyPath) -> bool {
        self.exactly(path).is_some_and(|origin| origin.is_null)
    }

    /// Whether an environment variable gives this value.
    pub(crate) fn is_from_environment(&self, path: &KeyPath) -> bool {
        self.0.variables.iter().any(|variable| variable.path == *path)
    }

    /// Sorts keys as they are in the files; those from the environment come last.
    pub(crate) fn order(&self, path: &KeyPath) -> impl Ord + use<> {
        let written = self.0.documents.iter().enumerate().find_map(|(index, document)| {
            let found = document.find(path.keys());
            found.key.filter(|_| found.depth == path.keys().len()).map(|spot| (index, spot.position))
        });
        (written.is_none(), written)
    }

    /// Sorts problems as they are in the files; those of the environment come last.
    pub(crate) fn order_of(&self, problem: &Problem) -> impl Ord + use<> {
        let document = problem.file().and_then(|file| self.0.documents.iter().position(|d| d.name() == file));
        (document.is_none(), document, problem.position())
    }

    fn exactly(&self, path: &KeyPath) -> Option<Origin<'_>> {
        self.origin(path, Mark::Value).filter(|origin| origin.depth == path.keys().len())
    }

    /// What stands for all layers when nothing of a path was written.
    fn whole(&self) -> Place {
        self.0.documents.first().map_or(Place::Program, |document| document.show(None).0)
    }

    /// The strongest layer that has the whole path; otherwise the one that has most of it.
    fn origin(&self, path: &KeyPath, mark: Mark) -> Option<Origin<'_>> {
        let keys = path.keys();
        if let Some(variable) =
            self.0.variables.iter().find(|variable| keys.starts_with(variable.path.keys()))
        {
            return Some(variable.origin(variable.path.keys().len()));
        }
        let mut best: Option<Origin<'_>> = None;
        for document in self.0.documents.iter().rev() {
            let found = document.find(keys);
            let Some(key) = found.key else { continue };
            let complete = found.depth == keys.len();
            // Where the key itself is missing, or has no value, its table or the key is what can be pointed at.
            let spot = if complete && mark == Mark::Value && !found.value.is_null() && !found.value.is_table()
            {
                found.value.spot()
            } else {
                key
            };
            let (place, excerpt) = document.show(Some(spot));
            let written = document.written(found.value.spot());
            let origin =
                Origin { depth: found.depth, place, excerpt, written, is_null: found.value.is_null() };
            // A list, or any other value that is not a table, hides what weaker layers have below it.
            let hides = complete || !found.value.is_table();
            if hides {
                return Some(origin);
            }
            if best.as_ref().is_none_or(|best| best.depth <= origin.depth) {
                best = Some(origin);
            }
        }
        // What is only in the environment is there because of the variable that has most of its path.
        let near = self.0.variables.iter().map(|variable| (variable.in_common(keys), variable));
        let written = best.as_ref().map_or(0, |best| best.depth);
        match near.filter(|(depth, _)| *depth > written).max_by_key(|(depth, _)| *depth) {
            Some((depth, variable)) => Some(variable.origin(depth)),
            None => best,
        }
    }
}

impl Variable {
    /// How many keys its path and this one begin with alike.
    fn in_common(&self, keys: &[String]) -> usize {
        self.path.keys().iter().zip(keys).take_while(|(one, other)| one == other).count()
    }

    fn origin(&self, depth: usize) -> Origin<'static> {
        let place = Place::Environment(self.name.clone());
        Origin { depth, place, excerpt: None, written: None, is_null: false }
    }
}

/// Without the value, which may be a secret.
impl fmt::Debug for Variable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)
    }
}

impl Layers {
    /// Why a variable cannot set what its name says.
    fn unreachable(&self, variable: &Variable) -> Option<&'static str> {
        let keys = variable.path.keys();
        if keys.iter().any(String::is_empty) {
            return Some(
                "the name has an empty key; between keys there are two underscores, as in SOS_SINKS__INFLUX__MAIN__URL",
            );
        }
        let in_list = self.documents.iter().any(|document| {
            (1..keys.len()).any(|depth| {
                let found = document.find(keys.get(..depth).unwrap_or_default());
                found.depth == depth && found.value.is_list()
            })
        });
        if in_list {
            return Some("environment variables do not reach into lists; set this in a file");
        }
        let contradicts = |other: &Variable| {
            let shorter = other.path.keys().len().min(keys.len());
            other.path.keys().get(..shorter) == keys.get(..shorter)
        };
        self.variables.iter().any(contradicts).then_some(
            "another environment variable sets a part of this key path, or the whole of it, to a text",
        )
    }
}

impl Provider for Document {
    fn metadata(&self) -> Metadata {
        Metadata::named("file")
    }

    fn data(&self) -> Result<Map<Profile, Dict>, figment::Error> {
        Ok(Map::from([(Profile::Default, self.table().unwrap_or_default())]))
    }
}

/// The variables as a layer. Their values are texts here; what else they may be is decided where they are read.
struct Environment<'a>(&'a [Variable]);

impl Provider for Environment<'_> {
    fn metadata(&self) -> Metadata {
        Metadata::named("environment")
    }

    fn data(&self) -> Result<Map<Profile, Dict>, figment::Error> {
        let mut root = Dict::new();
        for variable in self.0 {
            set(&mut root, variable.path.keys(), &variable.value);
        }
        Ok(Map::from([(Profile::Default, root)]))
    }
}

fn set(table: &mut Dict, keys: &[String], text: &str) {
    match keys {
        [] => {}
        [key] => {
            table.insert(key.clone(), Value::String(Tag::Default, text.to_owned()));
        }
        [key, rest @ ..] => {
            let below = table.entry(key.clone()).or_insert_with(|| Value::Dict(Tag::Default, Dict::new()));
            if let Value::Dict(_, below) = below {
                set(below, rest, text);
            }
        }
    }
}
