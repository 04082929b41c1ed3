//! `.pth` files: archive and pickle.

use format::{FormatError, Pth, PthReader};

use crate::pth_writer::{Archive, Tensor, entry, pickle};
use crate::{Random, mutate_numbers, peak_of};

#[test]
fn nothing_panics_and_memory_is_bounded() {
    let tensors: Vec<Tensor> =
        (0..5).map(|key| Tensor::new(&key.to_string(), "HalfStorage", key, &[4, 8])).collect();
    let mut entries = vec![entry("a/data.pkl", pickle(&tensors)), entry("a/byteorder", b"little".into())];
    entries.extend((0..5).map(|key| entry(&format!("a/data/{key}"), vec![0; 64])));
    entries.iter_mut().skip(4).for_each(|entry| entry.zip64 = true);
    let file = Archive { entries, zip64: true, ..Archive::default() }.bytes();
    let mut random = Random(11);
    let (mut fine, mut refused) = (0, 0);
    for round in 0..30_000 {
        let mutated = mutate_numbers(&file, file.len() - 8, &mut random);
        // A server may claim any length, as long as it has the bytes; those past the end are zeros.
        let file_size = match random.below(8) {
            0 => random.next() >> random.below(64),
            _ => mutated.len() as u64,
        };
        let (result, allocated) = peak_of(|| read(&mutated, file_size));
        assert!(allocated <= 64 * mutated.len() + (256 << 10), "round {round}: {allocated} bytes allocated");
        match result {
            Ok(pth) => {
                let inside = |tensor: &format::PthTensor| tensor.offset + tensor.len <= file_size;
                assert!(pth.tensors.iter().all(inside), "round {round}");
                fine += 1;
            }
            Err(_) => refused += 1,
        }
    }
    assert!(fine > 1000 && refused > 1000, "{fine}, {refused}");
}

fn read(file: &[u8], file_size: u64) -> Result<Pth, FormatError> {
    let mut reader = PthReader::new(file_size);
    let mut ranges = 0;
    while let Some(range) = reader.wants() {
        ranges += 1;
        assert!(range.end <= file_size && ranges < 100, "{range:?} of {file_size}");
        let byte = |at: u64| usize::try_from(at).ok().and_then(|at| file.get(at)).copied().unwrap_or(0);
        // Longer ranges than this are refused before they are asked for.
        assert!(range.end - range.start < 17 << 20, "{range:?}");
        let bytes: Vec<u8> = range.map(byte).collect();
        reader.put(&bytes)?;
    }
    reader.finish()
}
