//! Work shared out over the machine's processors; over one on wasm32, where threads can't be started.

use std::sync::LazyLock;
use std::thread;

static THREADS: LazyLock<usize> = LazyLock::new(|| thread::available_parallelism().map_or(1, usize::from));

/// Multiplications that are worth a thread: starting one takes as long as some tens of thousands of them.
const WORTH: usize = 1 << 20;

/// Calls `work` with the number of each tile of `tile` elements of `out`, and with those. `each` is how many
/// multiplications a tile takes.
pub(super) fn share_out<T: Send>(
    out: &mut [T],
    tile: usize,
    each: usize,
    work: impl Fn(usize, &mut [T]) + Sync,
) {
    let tiles = out.len() / tile.max(1);
    let threads = (*THREADS).min(tiles.saturating_mul(each) / WORTH).max(1);
    let per_thread = tiles.div_ceil(threads).max(1);
    let run = |first: usize, out: &mut [T]| {
        for (after, out) in out.chunks_mut(tile).enumerate() {
            work(first + after, out);
        }
    };
    let mut parts = out.chunks_mut(per_thread * tile.max(1)).enumerate();
    let first = parts.next();
    thread::scope(|scope| {
        for (part, out) in parts {
            let run = &run;
            scope.spawn(move || run(part * per_thread, out));
        }
        if let Some((_, out)) = first {
            run(0, out);
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Tiles that share out evenly and not, with work for one thread and for many.
    #[test]
    fn every_tile_is_worked_on_once() {
        for (tiles, tile, each) in [(0, 3, 1), (1, 3, WORTH), (7, 2, WORTH), (64, 1, WORTH), (5, 4, 1)] {
            let mut out = vec![0; tiles * tile];
            share_out(&mut out, tile, each, |index, out| out.iter_mut().for_each(|out| *out += index + 1));
            let expected: Vec<usize> = (0..tiles * tile).map(|at| at / tile + 1).collect();
            assert_eq!(out, expected, "{tiles} tiles of {tile}");
        }
    }
}
