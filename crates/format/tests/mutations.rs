//! Ten thousand seeded mutations of a healthy file: whatever comes out, nothing panics and memory stays bounded.
//!
//! A test of its own, since it counts what the whole process allocates.
#![expect(unsafe_code, reason = "a global allocator that counts can't be written without")]

#[expect(dead_code, reason = "this test damages bytes, not fields")]
#[path = "files/writer.rs"]
mod writer;

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use format::{Checkpoint, FormatError, Gguf};

/// Counts the bytes alive, and the most that ever were.
struct Counting;

static ALIVE: AtomicUsize = AtomicUsize::new(0);
static PEAK: AtomicUsize = AtomicUsize::new(0);

// SAFETY: hands every call on to `System` unchanged.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        PEAK.fetch_max(ALIVE.fetch_add(layout.size(), Relaxed) + layout.size(), Relaxed);
        // SAFETY: the caller keeps `System`'s contract, which is the same.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        ALIVE.fetch_sub(layout.size(), Relaxed);
        // SAFETY: as above.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

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
fn mutate(file: &[u8], header_len: usize, random: &mut Random) -> Vec<u8> {
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

#[test]
fn nothing_panics_and_memory_is_bounded() {
    let file = writer::File::tiny().bytes();
    let header_len = file.windows(4).rposition(|four| four == b"blk.").map_or(0, |at| at + 64);
    let mut random = Random(1);
    let (mut fine, mut asked_for_more, mut refused) = (0, 0, 0);
    for round in 0..30_000 {
        let mutated = mutate(&file, header_len, &mut random);
        let have = if random.below(2) == 0 { mutated.len() } else { random.below(mutated.len() + 1) };
        let prefix = &mutated[..have];

        let before = ALIVE.load(Relaxed);
        PEAK.store(before, Relaxed);
        // A server may claim any length.
        let file_size = if random.below(8) == 0 { random.next() } else { mutated.len() as u64 };
        let result = Gguf::parse(prefix, file_size).and_then(Checkpoint::from_gguf);
        let allocated = PEAK.load(Relaxed) - before;
        assert!(allocated <= 8 * have + 4096, "round {round}: {allocated} bytes allocated for {have}");

        match result {
            Ok(checkpoint) => {
                fine += 1;
                for tensor in &checkpoint.tensors {
                    assert!(
                        tensor.stored.spans().iter().all(|span| span.offset + span.len <= file_size),
                        "round {round}: {tensor:?} of {file_size}"
                    );
                }
            }
            Err(FormatError::NeedMore { need, .. }) => {
                asked_for_more += 1;
                assert!(
                    need > have as u64 && need <= file_size,
                    "round {round}: {need} of {have}, {file_size}"
                );
            }
            Err(_) => refused += 1,
        }
    }
    // Were one of the three never reached, the mutations would be too tame or too wild.
    assert!(fine > 1000 && asked_for_more > 1000 && refused > 1000, "{fine}, {asked_for_more}, {refused}");
}
