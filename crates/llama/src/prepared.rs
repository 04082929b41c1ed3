//! Activations as a matrix reads them: in the order of its columns, and in whole numbers where it is multiplied so.

use gpu::{Allocator, GpuError, PlanBuilder, Tensor};
use kernels::{Input, Quantized, quantize};

use crate::column_order::Gathered;

/// Room for activations in another form than they are left in.
#[derive(Debug)]
pub(crate) struct Prepared {
    pub(crate) gathered: Gathered,
    /// For each number of columns that matrices in whole numbers have; none where products are of floats.
    rounded: Vec<Quantized>,
}

impl Prepared {
    /// Room for up to `chunk` tokens, of so many columns each.
    pub(crate) fn new(
        make: &Allocator,
        chunk: usize,
        ordered: impl IntoIterator<Item = usize>,
        rounded: impl IntoIterator<Item = usize>,
    ) -> Result<Prepared, GpuError> {
        let room = |columns| Quantized::new(make, [chunk, columns]);
        Ok(Prepared {
            gathered: Gathered::new(make, chunk, ordered)?,
            rounded: rounded.into_iter().map(room).collect::<Result<_, _>>()?,
        })
    }

    /// Adds the gathering of `input` to the plan, if columns have an order of their own, and gives what comes of it.
    pub(crate) fn in_order<'a>(
        &'a self,
        plan: &mut PlanBuilder<'a>,
        input: Input<'a>,
        order: Option<&'a Tensor>,
    ) -> Input<'a> {
        match (order, input.floats()) {
            (Some(order), Some(x)) => input.with(self.gathered.gather(plan, x, order)),
            _ => input,
        }
    }

    /// Adds the rounding of `input` to the plan, if there is room for it, and gives what comes of it.
    pub(crate) fn rounded<'a>(&'a self, plan: &mut PlanBuilder<'a>, input: Input<'a>) -> Input<'a> {
        let room = input.floats().and_then(|x| self.room(x.shape()[1]));
        let Some(room) = room else { return input };
        quantize(plan, input, room);
        Input::Quantized(room)
    }

    /// The room for whole numbers of so many columns, if there is any.
    pub(crate) fn room(&self, columns: usize) -> Option<&Quantized> {
        self.rounded.iter().find(|room| room.shape()[1] == columns)
    }
}
