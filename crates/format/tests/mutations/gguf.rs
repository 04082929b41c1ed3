//! GGUF headers.

use format::{Checkpoint, FormatError, Gguf};

use crate::{Random, gguf_writer, mutate_numbers, peak_of};

#[test]
fn nothing_panics_and_memory_is_bounded() {
    let file = gguf_writer::File::tiny().bytes();
    let header_len = file.windows(4).rposition(|four| four == b"blk.").map_or(0, |at| at + 64);
    let mut random = Random(1);
    let (mut fine, mut asked_for_more, mut refused) = (0, 0, 0);
    for round in 0..30_000 {
        let mutated = mutate_numbers(&file, header_len, &mut random);
        let have = if random.below(2) == 0 { mutated.len() } else { random.below(mutated.len() + 1) };
        let prefix = &mutated[..have];

        // A server may claim any length.
        let file_size = if random.below(8) == 0 { random.next() } else { mutated.len() as u64 };
        let (result, allocated) = peak_of(|| Gguf::parse(prefix, file_size).and_then(Checkpoint::from_gguf));
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
