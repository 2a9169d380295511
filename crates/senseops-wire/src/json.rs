//! Events as JSON, which people read and which becomes the same event again.
//!
//! JSON has one type of number and no NaN, so what it would change is written as an object with one key:
//! `{"$uint": 7}` for an unsigned number, `{"$float": "7ff8000000000000"}` for the bits of a number that is not finite,
//! and `{"$map": {…}}` for a map whose first name begins with `$`.

mod read;
#[cfg(test)]
mod tests;
mod write;

/// An event whose JSON gives back the same event: of `&Event` to serialize, of `Event` to deserialize.
///
/// The object has `id`, `time`, `kind`, `shape`, `labels`, then `severity` or `level`, `message` unless it is empty, and
/// `fields`. To read numbers as they were, `serde_json` needs its feature `float_roundtrip`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Lossless<T>(pub T);

const UINT: &str = "$uint";
const FLOAT: &str = "$float";
const MAP: &str = "$map";
