use gpu::{Tier, TierChoice};
use kernels::{StepParams, WeightType};
use pollster::block_on;

use super::*;

#[track_caller]
fn check(stacks: &[(WeightType, usize)], expected: &[(WeightType, usize)]) {
    let stacks: Vec<Stack> = stacks.iter().map(|&(dtype, rows)| Stack { dtype, rows }).collect();
    let merged: Vec<_> = merge(&stacks).iter().map(|stack| (stack.dtype, stack.rows)).collect();
    assert_eq!(merged, expected);
}

#[test]
fn neighbours_of_one_type_share_a_buffer() {
    use WeightType::{Q4, Q8};
    check(&[(Q4, 576), (Q4, 192), (Q4, 192)], &[(Q4, 960)]);
    check(&[(Q4, 576), (Q8, 192), (Q8, 192)], &[(Q4, 576), (Q8, 384)]);
    check(&[(Q4, 576), (Q8, 192), (Q4, 192)], &[(Q4, 576), (Q8, 192), (Q4, 192)]);
    check(&[(Q4, 6), (Q4, 8), (Q4, 8)], &[(Q4, 6), (Q4, 16)]);
}

const COLUMNS: usize = 32;

/// Which activation a stored column belongs to.
type Order = fn(usize) -> usize;

/// Three tensors of 12, 8 and 13 rows in shards of 8; each may have an order. Row r of W has r + 1 at one stored
/// column, so that `out` tells which activation it was multiplied with.
#[track_caller]
fn check_orders(orders: [Option<Order>; 3]) {
    check_orders_in(Numbers::Floats, orders);
    check_orders_in(Numbers::Bytes, orders);
}

#[track_caller]
fn check_orders_in(numbers: Numbers, orders: [Option<Order>; 3]) {
    let (tier, dtype) = match numbers {
        Numbers::Floats => (TierChoice::Plain, WeightType::F32),
        Numbers::Bytes => (TierChoice::Int8, WeightType::Q8),
    };
    let gpu = block_on(Gpu::request(tier)).unwrap();
    let stacks = [12, 8, 13].map(|rows| Stack { dtype, rows });
    let shard_bytes = (8 * dtype.row_words(COLUMNS) * 4) as u64;
    let make = |make: &Allocator| Matrix::new(make, "W", COLUMNS, &stacks, shard_bytes);
    let mut matrix = block_on(gpu.allocate("W", make)).unwrap();
    assert_eq!(matrix.parts.len(), 5);

    let x: Vec<f32> = (0..COLUMNS * 2).map(|i| (10 * i) as f32 + 3.0).collect();
    let mut expected = vec![0.0; 2 * 33];
    let mut first = 0;
    for (order, stack) in orders.iter().zip(stacks) {
        let mut bytes = Vec::new();
        for row in first..first + stack.rows {
            let (column, weight) = (row * 7 % COLUMNS, row as f32 + 1.0);
            bytes.extend(numbers.row(column, weight));
            let input = order.map_or(column, |order| order(column));
            for token in 0..2 {
                expected[token * 33 + row] = x[token * COLUMNS + input] * weight;
            }
        }
        matrix.write_rows(&gpu, first, dtype.blocks(), &bytes);
        if let Some(order) = order {
            let order: Vec<u32> = (0..COLUMNS).map(|column| order(column) as u32).collect();
            matrix.note_order(first..first + stack.rows, &order);
        }
        first += stack.rows;
    }
    for (tokens, rows) in [(Tokens::Two, 2 * 33), (Tokens::One, 33)] {
        let got = product(&gpu, &mut matrix, tokens, &x);
        for (index, (got, expected)) in got.iter().zip(&expected[..rows]).enumerate() {
            // Activations lie 10 apart, and those in bytes are rounded.
            let most = if numbers == Numbers::Bytes { 0.02 * (index % 33 + 1) as f32 } else { 0.0 };
            let what = format!("{numbers:?}, {tokens:?}, {index}");
            assert!((got - expected).abs() <= most, "{what}: got {got}, expected {expected}");
        }
    }
}

/// What is multiplied.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Numbers {
    Floats,
    Bytes,
}

impl Numbers {
    /// A row that is zeros but for one weight, a small whole number.
    fn row(self, column: usize, weight: f32) -> Vec<u8> {
        match self {
            Numbers::Floats => {
                let values = (0..COLUMNS).map(|at| if at == column { weight } else { 0.0 });
                values.flat_map(f32::to_le_bytes).collect()
            }
            Numbers::Bytes => {
                let mut block = vec![0; 2 + COLUMNS];
                block[..2].copy_from_slice(&[0x00, 0x3C]); // A scale of 1.
                block[2 + column] = weight as u8;
                block
            }
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Tokens {
    One,
    Two,
}

/// `out`, `[2, 33]`. Of one token, by the kernel for one, whose activations have squares of a sum that leaves them as
/// they are.
fn product(gpu: &Gpu, matrix: &mut Matrix, tokens: Tokens, x: &[f32]) -> Vec<f32> {
    let make = |make: &Allocator| {
        matrix.settle_orders(gpu, make)?;
        let rounded = (gpu.tier() == Tier::Int8).then_some(COLUMNS);
        let prepared = Prepared::new(make, 2, [COLUMNS], rounded)?;
        let squares = make.uniform("squares", [1, COLUMNS / 4])?;
        Ok((prepared, squares, make.tensor("x", [2, COLUMNS])?, make.tensor("out", [2, 33])?))
    };
    let (prepared, squares, x_gpu, out) = block_on(gpu.allocate("the operands", make)).unwrap();
    gpu.write_f32(&x_gpu, 0, x);
    gpu.write_f32(&squares, 0, &[4.0; COLUMNS / 4]);
    let mut plan = gpu.plan();
    match tokens {
        Tokens::Two => {
            let form = MatmulForm::of_many(gpu);
            matrix.product(&mut plan, form, &x_gpu, &prepared, Output::Columns(0), &out);
        }
        Tokens::One => {
            let input = Normed { weighted: &x_gpu, squares: &squares, eps: 0.0 };
            matrix.product_of_one(&mut plan, input, &prepared, &out);
        }
    }
    let plan = block_on(plan.finish()).unwrap();
    let params = StepParams { seq_len: 2, ..Default::default() };
    gpu.step(2, &params).run(&plan).submit().unwrap();
    block_on(gpu.read_f32(&out)).unwrap()
}

#[test]
fn columns_have_an_order_whatever_the_shards() {
    let reversed: Order = |column| COLUMNS - 1 - column;
    let turned: Order = |column| (column + 5) % COLUMNS;
    check_orders([None, None, None]);
    check_orders([Some(turned); 3]);
    check_orders([Some(turned), Some(reversed), None]);
    check_orders([None, Some(turned), Some(reversed)]);
}
