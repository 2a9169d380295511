//! Tables that the components of one pipeline share.

use std::any::{Any, TypeId};
use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

/// One table per type, made when it is first asked for. Ask once, at build; the table itself decides how it is read.
#[derive(Clone, Default)]
pub struct Shared(Arc<Mutex<HashMap<TypeId, Arc<dyn Any + Send + Sync>>>>);

impl Shared {
    /// The pipeline's one `T`.
    pub fn get<T: Any + Default + Send + Sync>(&self) -> Arc<T> {
        let mut tables = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let table = tables.entry(TypeId::of::<T>()).or_insert_with(|| Arc::new(T::default()));
        // The entry of a type id holds that type, so the fallback is never taken.
        Arc::clone(table).downcast().unwrap_or_default()
    }

    /// Makes this the pipeline's one `T`, so that a host program can see what components share, or fill it.
    pub fn set<T: Any + Send + Sync>(&self, table: Arc<T>) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(TypeId::of::<T>(), table);
    }
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Shared")
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;

    #[test]
    fn every_component_sees_the_same_table() {
        let shared = Shared::default();
        shared.get::<AtomicU32>().store(7, Ordering::Relaxed);
        assert_eq!(shared.clone().get::<AtomicU32>().load(Ordering::Relaxed), 7);
        shared.set(Arc::new(AtomicU32::new(8)));
        assert_eq!(shared.get::<AtomicU32>().load(Ordering::Relaxed), 8);
    }
}
