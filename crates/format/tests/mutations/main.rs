//! Seeded mutations of healthy files, thousands for each parser: whatever comes out, nothing panics and memory stays
//! bounded by the bytes that are there.
#![expect(unsafe_code, reason = "a global allocator that counts can't be written without")]
#![expect(clippy::unwrap_used, reason = "this is a test")]

mod gguf;
#[expect(dead_code, reason = "this test damages bytes, not fields")]
#[path = "../files/writer.rs"]
mod gguf_writer;
#[expect(dead_code, reason = "as above")]
#[path = "../hub/writer.rs"]
mod hub_writer;
mod json;
mod packed;
#[expect(dead_code, reason = "as above")]
#[path = "../hub/packers.rs"]
mod packers;
mod pth;
#[expect(dead_code, reason = "as above")]
#[path = "../pth/writer.rs"]
mod pth_writer;
mod safetensors;

/// What the packers' file knows this one's module by.
mod writer {
    pub(crate) use crate::hub_writer::Tensor;
}

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

/// Counts the bytes that a thread has alive, and the most that it ever had: tests run side by side.
struct Counting;

thread_local! {
    static ALIVE: Cell<usize> = const { Cell::new(0) };
    static PEAK: Cell<usize> = const { Cell::new(0) };
}

// SAFETY: hands every call on to `System` unchanged.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // A thread that ends has no counters any more.
        let _ = ALIVE.try_with(|alive| {
            alive.set(alive.get().wrapping_add(layout.size()));
            let _ = PEAK.try_with(|peak| peak.set(peak.get().max(alive.get())));
        });
        // SAFETY: the caller keeps `System`'s contract, which is the same.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        let _ = ALIVE.try_with(|alive| alive.set(alive.get().wrapping_sub(layout.size())));
        // SAFETY: as above.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// The most bytes that a call had alive beyond those before it.
fn peak_of<T>(call: impl FnOnce() -> T) -> (T, usize) {
    let before = ALIVE.get();
    PEAK.set(before);
    let result = call();
    (result, PEAK.get() - before)
}

/// SplitMix64.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, end: usize) -> usize {
        (self.next() % end as u64) as usize
    }
}

/// Flips bits, or writes a number that lengths are fond of being, in a few places; then perhaps cuts the end off.
fn mutate_numbers(file: &[u8], header_len: usize, random: &mut Random) -> Vec<u8> {
    const NUMBERS: [u64; 10] =
        [0, 1, 31, 0xff, 1 << 20, 1 << 31, u32::MAX as u64, 1 << 62, i64::MAX as u64, u64::MAX];
    let mut mutated = file.to_vec();
    for _ in 0..=random.below(2) {
        let at = random.below(header_len);
        let number = NUMBERS[random.below(NUMBERS.len())].to_le_bytes();
        match random.below(3) {
            0 => mutated[at] ^= 1 << random.below(8),
            1 => mutated[at..at + 4].copy_from_slice(&number[..4]),
            _ => mutated[at..at + 8].copy_from_slice(&number),
        }
    }
    if random.below(4) == 0 {
        mutated.truncate(random.below(mutated.len()));
    }
    mutated
}

/// Changes text in a few places: a character, a number for another, a stretch doubled or gone, or the end cut off.
fn mutate_text(text: &[u8], random: &mut Random) -> Vec<u8> {
    const WORDS: [&[u8]; 12] = [
        b"-1",
        b"0",
        b"1e999",
        b"4294967296",
        b"18446744073709551615",
        b"18446744073709551616",
        b"null",
        b"[]",
        b"{}",
        b"\"\"",
        b"0.5",
        b"[[[[",
    ];
    const CHARACTERS: &[u8] = b"{}[]\",:0123456789-.eE\\u ";
    let mut mutated = text.to_vec();
    for _ in 0..=random.below(2) {
        if mutated.is_empty() {
            break;
        }
        let at = random.below(mutated.len());
        let end = mutated.len().min(at + 1 + random.below(24));
        match random.below(6) {
            0 => mutated[at] ^= 1 << random.below(8),
            1 => mutated[at] = CHARACTERS[random.below(CHARACTERS.len())],
            2 => {
                // A number for another, where there is one.
                let digit =
                    mutated.iter().skip(at).position(u8::is_ascii_digit).map_or(at, |skipped| at + skipped);
                let digits = mutated.iter().skip(digit).take_while(|byte| byte.is_ascii_digit()).count();
                mutated.splice(digit..digit + digits, WORDS[random.below(WORDS.len())].iter().copied());
            }
            3 => {
                let stretch = mutated[at..end].to_vec();
                mutated.splice(at..at, stretch);
            }
            4 => drop(mutated.drain(at..end)),
            _ if random.below(4) == 0 => mutated.truncate(at),
            _ => {}
        }
    }
    mutated
}
