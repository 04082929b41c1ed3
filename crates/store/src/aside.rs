//! Small values that are kept beside the pieces of models, by name: what was found out about a device, say.

use std::cell::RefCell;
use std::collections::BTreeMap;

use crate::fault::{Fault, Faults};
use crate::{NoStore, StoreError};

/// Keeps small values by name. What comes out is trusted no more than pieces are: it may be damaged, or somebody else's.
#[allow(async_fn_in_trait, reason = "browsers run everything on one thread, so no caller wants Send futures")]
pub trait Aside {
    /// A value; `None` if it is not there.
    async fn value(&self, name: &str) -> Result<Option<Vec<u8>>, StoreError>;

    /// Keeps a value in place of the one that was there. When this returns, it outlives whatever happens next.
    async fn keep_value(&self, name: &str, bytes: &[u8]) -> Result<(), StoreError>;
}

/// There is never anything.
impl Aside for NoStore {
    async fn value(&self, _name: &str) -> Result<Option<Vec<u8>>, StoreError> {
        Ok(None)
    }

    async fn keep_value(&self, _name: &str, _bytes: &[u8]) -> Result<(), StoreError> {
        Ok(())
    }
}

/// Keeps values in memory. Its faults can be planned.
#[derive(Debug, Default)]
pub struct MemoryAside {
    values: RefCell<BTreeMap<String, Vec<u8>>>,
    faults: Faults,
}

impl MemoryAside {
    /// Plans a fault for the `call`-th call of any kind, from 0.
    pub fn plan(&self, call: u32, fault: Fault) {
        self.faults.plan(call, fault);
    }

    /// Changes every value behind whoever keeps it.
    pub fn damage(&self, change: impl FnMut(&mut Vec<u8>)) {
        self.values.borrow_mut().values_mut().for_each(change);
    }

    /// The names of all that is kept.
    pub fn names(&self) -> Vec<String> {
        self.values.borrow().keys().cloned().collect()
    }
}

impl Aside for MemoryAside {
    async fn value(&self, name: &str) -> Result<Option<Vec<u8>>, StoreError> {
        self.faults.next().await?;
        Ok(self.values.borrow().get(name).cloned())
    }

    async fn keep_value(&self, name: &str, bytes: &[u8]) -> Result<(), StoreError> {
        let fault = self.faults.next().await?;
        self.values.borrow_mut().insert(name.to_owned(), bytes.to_vec());
        match fault {
            Some(Fault::HangAfter) => std::future::pending().await,
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use pollster::block_on;

    use super::*;

    #[test]
    fn values_come_back_by_their_names() {
        let aside = MemoryAside::default();
        assert_eq!(block_on(aside.value("a")), Ok(None));
        for (name, bytes) in [("a", &b"first"[..]), ("b", b""), ("a", b"later")] {
            block_on(aside.keep_value(name, bytes)).unwrap();
            assert_eq!(block_on(aside.value(name)), Ok(Some(bytes.to_vec())));
        }
        assert_eq!(aside.names(), ["a", "b"]);
        aside.damage(|value| value.push(1));
        assert_eq!(block_on(aside.value("b")), Ok(Some(vec![1])));
    }

    #[test]
    fn faults_come_as_planned() {
        let aside = MemoryAside::default();
        aside.plan(1, Fault::Fail(StoreError::Storage { detail: "full".into() }));
        block_on(aside.keep_value("a", b"1")).unwrap();
        assert!(block_on(aside.keep_value("a", b"2")).is_err());
        assert_eq!(block_on(aside.value("a")), Ok(Some(b"1".to_vec())));
    }

    #[test]
    fn where_nothing_is_kept_nothing_comes_back() {
        block_on(NoStore.keep_value("a", b"1")).unwrap();
        assert_eq!(block_on(NoStore.value("a")), Ok(None));
    }
}
