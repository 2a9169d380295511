//! Layered YAML and environment, turned into a planned pipeline.
//!
//! What must hold:
//! * Every unknown key and every wrong value of every component is found in one go, not just the first.
//! * A problem names the file, line and column (or the environment variable), the key path, what was found and what
//!   was expected, in words of the person who wrote the file. It never shows a secret.
//! * Nothing is opened: the same files and the same environment always give the same plan or the same problems.
//!
//! Layers, from weak to strong: defaults of the plugins, the files in their order, the environment. Tables are
//! merged key by key; anything else replaces what it is laid upon, and `null` puts a key back to its default.
//!
//! ```
//! use senseops_config::{Registry, load_str};
//!
//! let no_plugins = Registry::new();
//! let problems = load_str(&no_plugins, "sos.yaml", "sink: {}\n", []).unwrap_err();
//! let first = problems.iter().next().unwrap();
//! assert_eq!(first.to_string(), "sos.yaml:1:1: sink: unknown key; did you mean `sinks`?");
//! ```

mod component;
mod document;
mod effective;
mod excerpt;
mod key_path;
mod layers;
mod load;
mod misnomers;
mod plan;
mod problem;
mod read;
mod reference;
mod registry;
mod schema;
mod section;
mod sentence;
mod suggest;
mod syntax;

pub use layers::{ENVIRONMENT_PREFIX, Locator, environment};
pub use load::{Loaded, load, load_str};
pub use problem::{Place, Position, Problem, Problems, Severity};
pub use registry::{PluginInfo, Registry, Role};
