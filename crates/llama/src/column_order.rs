//! Columns in another order than that of the activations: what GPTQ's act-order leaves.
//!
//! Weight `k` of such a row belongs to `x[order[k]]`, so a product gathers the activations in that order first.
//! Tensors that are stacked into one matrix may differ in their orders, or have none: a [`Run`] is a stretch of rows that
//! have one in common, and each run is a dispatch of its own. q, k and v (gate and up) are quantized for the same
//! activations, and most programs give them the same order: then they stay one run.
//!
//! Whether there is an order is only known once the bytes have come, since an index may list columns as they are.
//! So orders are noted while rows come and settled afterwards; buffers of weights do not depend on them.

use std::cell::RefCell;
use std::ops::Range;

use gpu::{Allocator, Gpu, GpuError, PlanBuilder, Tensor};
use kernels::gather;

/// Neighbouring rows whose columns are in one order.
#[derive(Debug)]
pub(crate) struct Run<Order> {
    pub(crate) rows: Range<usize>,
    /// None if columns are in the order of the activations.
    pub(crate) order: Option<Order>,
}

/// The orders of a matrix's rows, on the CPU until all have come.
#[derive(Debug)]
pub(crate) struct ColumnOrders {
    /// Rows that have an order, `[columns]`, as they came. Plans are made over the matrix meanwhile.
    noted: RefCell<Vec<(Range<usize>, Vec<u32>)>>,
    /// All rows, without a gap. The orders are `[1, columns]`, u32.
    runs: Vec<Run<Tensor>>,
}

impl ColumnOrders {
    /// Of so many rows, all in the order of the activations.
    pub(crate) fn new(rows: usize) -> ColumnOrders {
        ColumnOrders { noted: RefCell::default(), runs: vec![Run { rows: 0..rows, order: None }] }
    }

    /// Notes the order of some rows.
    pub(crate) fn note(&self, rows: Range<usize>, order: &[u32]) {
        let mut noted = self.noted.borrow_mut();
        match noted.last_mut() {
            Some((last, same)) if last.end == rows.start && same == order => last.end = rows.end,
            _ => noted.push((rows, order.to_vec())),
        }
    }

    /// Whether any rows have an order.
    pub(crate) fn is_any(&self) -> bool {
        !self.noted.borrow().is_empty() || self.runs.iter().any(|run| run.order.is_some())
    }

    /// Puts the orders that were noted on the device.
    pub(crate) fn settle(&mut self, gpu: &Gpu, make: &Allocator) -> Result<(), GpuError> {
        let noted = std::mem::take(self.noted.get_mut());
        if noted.is_empty() {
            return Ok(());
        }
        let rows = self.runs.last().map_or(0, |run| run.rows.end);
        let place = |run: Run<Vec<u32>>| {
            let order = run.order.map(|order| place(gpu, make, &order)).transpose()?;
            Ok(Run { rows: run.rows, order })
        };
        self.runs = runs(rows, noted).into_iter().map(place).collect::<Result<_, _>>()?;
        Ok(())
    }

    /// Bytes on the device.
    pub(crate) fn bytes(&self) -> u64 {
        self.runs.iter().filter_map(|run| run.order.as_ref()).map(Tensor::bytes).sum()
    }

    /// All rows by their orders.
    pub(crate) fn runs(&self) -> &[Run<Tensor>] {
        &self.runs
    }

    /// The order of the first rows, while it is not settled yet.
    pub(crate) fn noted(&self) -> Option<Vec<u32>> {
        self.noted.borrow().first().map(|(_, order)| order.clone())
    }
}

/// Room for activations in another order than their own.
#[derive(Debug)]
pub(crate) struct Gathered {
    /// `[chunk, columns]`, for each number of columns that matrices with an order have.
    room: Vec<Tensor>,
}

impl Gathered {
    /// Room for up to `chunk` tokens.
    pub(crate) fn new(
        make: &Allocator,
        chunk: usize,
        columns: impl IntoIterator<Item = usize>,
    ) -> Result<Gathered, GpuError> {
        let tensor = |columns| make.tensor("gathered", [chunk, columns]);
        Ok(Gathered { room: columns.into_iter().map(tensor).collect::<Result<_, _>>()? })
    }

    /// The room for so many columns. Panics if there is none: a mistake of ours.
    pub(crate) fn room(&self, columns: usize) -> &Tensor {
        let room = self.room.iter().find(|room| room.shape()[1] == columns);
        room.unwrap_or_else(|| panic!("no room to gather {columns} columns"))
    }

    /// Adds the gathering of `x`, `[chunk or 1, columns]`, to the plan, and gives where it goes.
    pub(crate) fn gather<'a>(
        &'a self,
        plan: &mut PlanBuilder<'a>,
        x: &'a Tensor,
        order: &'a Tensor,
    ) -> &'a Tensor {
        let out = self.room(x.shape()[1]);
        gather(plan, x, order, out);
        out
    }
}

/// An order on the device: `[1, columns]`, u32.
pub(crate) fn place(gpu: &Gpu, make: &Allocator, order: &[u32]) -> Result<Tensor, GpuError> {
    let tensor = make.tensor("column order", [1, order.len()])?;
    gpu.write(&tensor, 0, order);
    Ok(tensor)
}

/// Where each place of `order` is found: `inverse[order[k]] = k`.
pub(crate) fn inverse(order: &[u32]) -> Vec<u32> {
    let mut inverse = vec![0; order.len()];
    for (k, column) in (0..).zip(order) {
        if let Some(place) = inverse.get_mut(*column as usize) {
            *place = k;
        }
    }
    inverse
}

/// All `rows`, by the orders of some of them.
fn runs(rows: usize, mut noted: Vec<(Range<usize>, Vec<u32>)>) -> Vec<Run<Vec<u32>>> {
    noted.sort_by_key(|(rows, _)| rows.start);
    let mut runs: Vec<Run<Vec<u32>>> = Vec::new();
    let mut end = 0;
    for (rows, order) in noted {
        if end < rows.start {
            runs.push(Run { rows: end..rows.start, order: None });
        }
        end = rows.end;
        match runs.last_mut() {
            Some(last) if last.order.as_ref() == Some(&order) => last.rows.end = end,
            _ => runs.push(Run { rows, order: Some(order) }),
        }
    }
    if end < rows {
        runs.push(Run { rows: end..rows, order: None });
    }
    runs
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: [u32; 3] = [2, 0, 1];
    const B: [u32; 3] = [1, 0, 2];

    /// 12 rows; `noted` in the order in which it comes.
    #[track_caller]
    fn check(noted: &[(Range<usize>, [u32; 3])], expected: &[(Range<usize>, Option<[u32; 3]>)]) {
        let orders = ColumnOrders::new(12);
        for (rows, order) in noted {
            orders.note(rows.clone(), order);
        }
        assert_eq!(orders.is_any(), !noted.is_empty());
        let got: Vec<_> =
            runs(12, orders.noted.into_inner()).into_iter().map(|run| (run.rows, run.order)).collect();
        let expected: Vec<_> =
            expected.iter().map(|(rows, order)| (rows.clone(), order.map(Vec::from))).collect();
        assert_eq!(got, expected);
    }

    #[test]
    fn rows_run_on_while_their_order_is_the_same() {
        check(&[], &[(0..12, None)]);
        check(&[(0..4, A), (4..12, A)], &[(0..12, Some(A))]);
        check(&[(0..4, A), (4..8, B), (8..12, B)], &[(0..4, Some(A)), (4..12, Some(B))]);
        // The stack's last tensor comes first, and the one between has no order.
        check(&[(8..12, A), (0..4, A)], &[(0..4, Some(A)), (4..8, None), (8..12, Some(A))]);
        check(&[(8..12, A), (0..4, A), (4..8, A)], &[(0..12, Some(A))]);
        check(&[(4..8, B)], &[(0..4, None), (4..8, Some(B)), (8..12, None)]);
    }

    #[test]
    fn an_inverse_leads_back() {
        assert_eq!(inverse(&[2, 0, 3, 1]), [1, 3, 0, 2]);
    }
}
