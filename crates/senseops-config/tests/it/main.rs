//! What people write, and what they read when it is wrong.

mod accepted;
mod anything;
mod environment;
mod files;
mod misplaced;
mod mistakes;
mod mistakes_of_yaml;
mod plugins;
mod schema;
mod sections;
