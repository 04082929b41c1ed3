//! Faults on demand, for the twins in memory: the n-th call fails, hangs, or brings something wrong.
//!
//! Tests count the calls of a run that goes well and then make each of them go wrong in turn.

use std::cell::{Cell, RefCell};

use crate::StoreError;

/// What happens to a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// It fails, and nothing is done.
    Fail(StoreError),
    /// It never returns, and nothing is done: to drop the future then is a crash before the call.
    HangBefore,
    /// It does what it should and never returns: to drop the future then is a crash after the call.
    HangAfter,
    /// A read ends well but too early, with this many bytes.
    EndAfter(u64),
    /// A read brings this many bytes and then fails, as a connection that is cut.
    CutAfter(u64),
    /// The bytes have a flipped bit.
    Corrupt,
}

/// Counts calls and hands out the faults planned for them.
#[derive(Debug, Default)]
pub(crate) struct Faults {
    calls: Cell<u32>,
    planned: RefCell<Vec<(u32, Fault)>>,
}

impl Faults {
    pub(crate) fn plan(&self, call: u32, fault: Fault) {
        self.planned.borrow_mut().push((call, fault));
    }

    pub(crate) fn calls(&self) -> u32 {
        self.calls.get()
    }

    /// Counts a call and says what happens to it. The two that are alike for every call are dealt with here.
    pub(crate) async fn next(&self) -> Result<Option<Fault>, StoreError> {
        let call = self.calls.get();
        self.calls.set(call + 1);
        let planned = self.planned.borrow().iter().find(|(n, _)| *n == call).map(|(_, fault)| fault.clone());
        match planned {
            Some(Fault::Fail(error)) => Err(error),
            Some(Fault::HangBefore) => std::future::pending().await,
            planned => Ok(planned),
        }
    }
}
