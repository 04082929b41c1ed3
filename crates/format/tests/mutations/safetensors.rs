//! safetensors headers, and what `Checkpoint::from_hub` makes of them.

use format::{Checkpoint, FormatError, SafetensorsHeader};

use crate::hub_writer::Folder;
use crate::{Random, mutate_numbers, mutate_text, peak_of};

#[test]
fn nothing_panics_and_memory_is_bounded() {
    let (files, weights) = Folder::tiny().files();
    let file = &weights[0];
    let header_len = 8 + u64::from_le_bytes(*file.first_chunk().unwrap()) as usize;
    let mut random = Random(2);
    let (mut fine, mut asked_for_more, mut refused) = (0, 0, 0);
    for round in 0..20_000 {
        // The header alone: a tensor's bytes are not read here, and the file's length is only told.
        let mutated = match random.below(4) {
            0 => mutate_numbers(&file[..header_len], header_len - 8, &mut random),
            _ => {
                let json = mutate_text(&file[8..header_len], &mut random);
                [(json.len() as u64).to_le_bytes().as_slice(), &json].concat()
            }
        };
        let data_len = (file.len() - header_len) as u64;
        let file_size = if random.below(8) == 0 { random.next() } else { mutated.len() as u64 + data_len };
        let have = if random.below(4) == 0 { random.below(mutated.len() + 1) } else { mutated.len() };
        let (header, allocated) = peak_of(|| SafetensorsHeader::parse(&mutated[..have], file_size));
        assert!(allocated <= 16 * have + 4096, "round {round}: {allocated} bytes allocated for {have}");
        match header {
            Ok(header) => {
                let inside = |tensor: &format::SafetensorsTensor| tensor.offset + tensor.len <= file_size;
                assert!(header.tensors.iter().all(inside), "round {round}");
                fine += 1;
                let mut files = files.clone();
                files.weights[0] = header;
                let (_, allocated) = peak_of(|| Checkpoint::from_hub(files));
                assert!(allocated <= 64 << 10, "round {round}: {allocated} bytes allocated");
            }
            Err(FormatError::NeedMore { need, .. }) => {
                assert!(need > have as u64 && need <= file_size, "round {round}: {need} of {have}");
                asked_for_more += 1;
            }
            Err(_) => refused += 1,
        }
    }
    assert!(fine > 1000 && asked_for_more > 1000 && refused > 1000, "{fine}, {asked_for_more}, {refused}");
}
