//! The names of apps by their ids, shared by every component of a pipeline.

use std::collections::HashMap;
use std::fmt;

use arc_swap::ArcSwap;
use senseops_core::Text;

/// App names by app id. Get the pipeline's one table by `build.shared.get::<AppNames>()`.
///
/// It is read with every poll and datagram and replaced every few minutes, so reading takes no lock and a reader
/// never sees a half-filled table.
///
/// ```
/// use senseops_qlik::AppNames;
///
/// let names = AppNames::default();
/// names.replace([("3A6DDE66-A60D-4F2E-95F1-5F0A07D2BB0F".into(), "Sales".into())]);
/// assert_eq!(names.get("3a6dde66-a60d-4f2e-95f1-5f0a07d2bb0f").as_deref(), Some("Sales"));
/// ```
#[derive(Default)]
pub struct AppNames(ArcSwap<HashMap<Text, Text>>);

impl AppNames {
    /// Forgets all names and knows these from now on, pairs of id and name. Of ids that differ in case only, the
    /// last one counts.
    pub fn replace(&self, names: impl IntoIterator<Item = (Text, Text)>) {
        let folded = names.into_iter().map(|(id, name)| (id.to_ascii_lowercase(), name));
        self.0.store(folded.collect::<HashMap<Text, Text>>().into());
    }

    /// The name of the app with this id, in whatever case the id is written.
    pub fn get(&self, id: &str) -> Option<Text> {
        let names = self.0.load();
        // Sense writes ids in lower case, so the usual look-up does not allocate.
        if id.bytes().any(|byte| byte.is_ascii_uppercase()) {
            names.get(id.to_ascii_lowercase().as_str()).cloned()
        } else {
            names.get(id).cloned()
        }
    }

    /// Whether no name is known.
    pub fn is_empty(&self) -> bool {
        self.0.load().is_empty()
    }
}

impl fmt::Debug for AppNames {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AppNames").field("len", &self.0.load().len()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sales() -> AppNames {
        let names = AppNames::default();
        names.replace([("3A6DDE66-a60d-4f2e-95f1-5f0a07d2bb0f".into(), "Sales".into())]);
        names
    }

    #[test]
    fn an_id_is_found_in_any_case() {
        let names = sales();
        assert_eq!(names.get("3a6dde66-a60d-4f2e-95f1-5f0a07d2bb0f").as_deref(), Some("Sales"));
        assert_eq!(names.get("3A6DDE66-A60D-4F2E-95F1-5F0A07D2BB0F").as_deref(), Some("Sales"));
    }

    #[test]
    fn an_unknown_id_has_no_name() {
        assert_eq!(sales().get("3a6dde66-a60d-4f2e-95f1-000000000000"), None);
        assert_eq!(sales().get(""), None);
    }

    #[test]
    fn a_replaced_table_has_forgotten_the_old_names() {
        let names = sales();
        assert!(!names.is_empty());
        names.replace([]);
        assert!(names.is_empty());
        assert_eq!(names.get("3a6dde66-a60d-4f2e-95f1-5f0a07d2bb0f"), None);
    }
}
