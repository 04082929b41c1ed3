//! A bound on the work that a downloaded tokenizer can cause.

use std::cell::Cell;

use crate::ChatError;

/// Steps a byte: expressions in use take two or three.
const STEPS_A_BYTE: u64 = 64;

/// Steps besides. Some expressions look through a run of white space once for each of its characters, and are not to
/// fail over a long one; these take about a second.
const STEPS_BESIDES: u64 = 1 << 26;

/// Steps that are left.
#[derive(Debug)]
pub(crate) struct Budget(Cell<u64>);

impl Budget {
    pub(crate) fn for_text(text: &str) -> Budget {
        Budget(Cell::new(STEPS_A_BYTE * text.len() as u64 + STEPS_BESIDES))
    }

    /// Takes a step. Fails if there is none left.
    pub(crate) fn spend(&self) -> Result<(), ChatError> {
        let left = self.0.get().checked_sub(1).ok_or(ChatError::PreTokenizerLimit)?;
        self.0.set(left);
        Ok(())
    }
}
