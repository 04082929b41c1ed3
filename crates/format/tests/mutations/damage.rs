//! Seeded damage. `crates/readers` includes this file, too.

/// SplitMix64.
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub(crate) fn below(&mut self, end: usize) -> usize {
        (self.next() % end as u64) as usize
    }
}

/// Flips bits, or writes a number that lengths are fond of being, in a few places; then perhaps cuts the end off.
pub(crate) fn mutate_numbers(file: &[u8], header_len: usize, random: &mut Random) -> Vec<u8> {
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
pub(crate) fn mutate_text(text: &[u8], random: &mut Random) -> Vec<u8> {
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
