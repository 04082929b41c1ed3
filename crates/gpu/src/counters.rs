//! Counts that do not depend on a device, so that a slow habit shows on any machine.

use std::cell::Cell;

/// What has been asked of the device so far. Subtract two to get the cost of a step.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Compute dispatches.
    pub dispatches: u64,
    /// Queue submissions.
    pub submits: u64,
    /// Bytes copied back for the CPU to read.
    pub bytes_read: u64,
    /// Bytes written by the CPU.
    pub bytes_written: u64,
    /// Buffers, bind groups and pipelines created.
    pub objects_created: u64,
    /// Bytes of device memory allocated.
    pub bytes_allocated: u64,
}

impl std::ops::Sub for Counts {
    type Output = Counts;

    fn sub(self, earlier: Counts) -> Counts {
        Counts {
            dispatches: self.dispatches - earlier.dispatches,
            submits: self.submits - earlier.submits,
            bytes_read: self.bytes_read - earlier.bytes_read,
            bytes_written: self.bytes_written - earlier.bytes_written,
            objects_created: self.objects_created - earlier.objects_created,
            bytes_allocated: self.bytes_allocated - earlier.bytes_allocated,
        }
    }
}

/// The running counts of one device.
#[derive(Debug, Default)]
pub(crate) struct Counters(Cell<Counts>);

impl Counters {
    pub(crate) fn get(&self) -> Counts {
        self.0.get()
    }

    pub(crate) fn add(&self, change: impl FnOnce(&mut Counts)) {
        let mut counts = self.0.get();
        change(&mut counts);
        self.0.set(counts);
    }
}
