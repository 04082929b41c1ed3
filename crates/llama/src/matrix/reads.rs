//! What activations are when a product reads them.

use gpu::{Gpu, Tier};
use kernels::MatmulForm;

/// What a product is given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reads {
    Floats,
    /// Where weights are such, and there is room for the activations.
    WholeNumbers,
}

impl Reads {
    /// Of one token.
    pub(super) fn of_one(gpu: &Gpu) -> Reads {
        if gpu.tier() == Tier::Int8 { Reads::WholeNumbers } else { Reads::Floats }
    }

    /// Of many.
    pub(super) fn of_many(form: MatmulForm) -> Reads {
        if form == MatmulForm::WholeNumbers { Reads::WholeNumbers } else { Reads::Floats }
    }
}
