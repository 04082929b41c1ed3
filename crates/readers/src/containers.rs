//! Files that hold weights.

use chat::{Tokenizer, Vocabulary};
use format::{Checkpoint, FormatError, Gguf, Pth, PthReader, SafetensorsHeader, TokenizerFile};

use crate::Refusal;
use crate::model::read_rows;
use crate::vocabularies::encode;

/// A whole GGUF file: its header, its rows and its vocabulary.
pub fn gguf(bytes: &[u8]) -> Result<(), Refusal> {
    let checkpoint = Checkpoint::from_gguf(Gguf::parse(bytes, bytes.len() as u64)?)?;
    read_rows(&checkpoint, &[bytes])?;
    let TokenizerFile::Gguf(vocabulary) = checkpoint.tokenizer else { return Ok(()) };
    encode(&Tokenizer::from_vocabulary(Vocabulary {
        pre: vocabulary.pre,
        tokens: vocabulary.tokens,
        token_types: vocabulary.token_types,
        merges: vocabulary.merges,
        bos_token_id: vocabulary.bos_token_id,
        eos_token_id: vocabulary.eos_token_id,
        eot_token_id: vocabulary.eot_token_id,
        eom_token_id: vocabulary.eom_token_id,
        add_bos_token: vocabulary.add_bos_token,
    })?)
}

/// The first bytes of a GGUF file that may be of any length: the one that the first eight bytes say.
///
/// # Panics
/// If more bytes are asked for than there can be, or none more.
pub fn gguf_prefix(bytes: &[u8]) -> Result<(), Refusal> {
    let (size, prefix) = claimed_size(bytes);
    let checkpoint = needing_more(prefix, size, Gguf::parse(prefix, size).and_then(Checkpoint::from_gguf))?;
    let spans = checkpoint.iter().flat_map(|checkpoint| &checkpoint.tensors).flat_map(|t| t.stored.spans());
    spans.for_each(|span| check_inside(span.offset, span.len, size));
    Ok(())
}

/// A whole safetensors file: its header alone, since a folder says what it is of.
pub fn safetensors(bytes: &[u8]) -> Result<(), Refusal> {
    SafetensorsHeader::parse(bytes, bytes.len() as u64)?;
    Ok(())
}

/// As [`gguf_prefix`], of safetensors.
///
/// # Panics
/// As there.
pub fn safetensors_prefix(bytes: &[u8]) -> Result<(), Refusal> {
    let (size, prefix) = claimed_size(bytes);
    let header = needing_more(prefix, size, SafetensorsHeader::parse(prefix, size))?;
    let tensors = header.iter().flat_map(|header| &header.tensors);
    tensors.for_each(|tensor| check_inside(tensor.offset, tensor.len, size));
    Ok(())
}

/// A whole `.pth` file, read by the ranges that it wants.
///
/// # Panics
/// If it wants bytes past its end, or never stops.
pub fn pth(bytes: &[u8]) -> Result<(), Refusal> {
    read_pth(bytes)?;
    Ok(())
}

fn read_pth(bytes: &[u8]) -> Result<Pth, FormatError> {
    let mut reader = PthReader::new(bytes.len() as u64);
    let mut ranges = 0;
    while let Some(range) = reader.wants() {
        ranges += 1;
        assert!(ranges <= 5 + bytes.len() / 30, "it goes on and on");
        let wanted = bytes.get(range.start as usize..range.end as usize);
        assert!(wanted.is_some(), "{range:?} of {} bytes", bytes.len());
        reader.put(wanted.unwrap_or_default())?;
    }
    let pth = reader.finish()?;
    pth.tensors.iter().for_each(|tensor| check_inside(tensor.offset, tensor.len, bytes.len() as u64));
    Ok(pth)
}

fn claimed_size(bytes: &[u8]) -> (u64, &[u8]) {
    match bytes.split_first_chunk() {
        Some((size, prefix)) => (u64::from_le_bytes(*size), prefix),
        None => (bytes.len() as u64, bytes),
    }
}

/// That a reader which asks for more asks for something that there is. `None` if it asks.
fn needing_more<T>(
    prefix: &[u8],
    size: u64,
    header: Result<T, FormatError>,
) -> Result<Option<T>, FormatError> {
    match header {
        Err(FormatError::NeedMore { have, need }) => {
            assert!(have == prefix.len() as u64 && need > have && need <= size, "{need} of {have}, {size}");
            Ok(None)
        }
        header => header.map(Some),
    }
}

fn check_inside(offset: u64, len: u64, size: u64) {
    let is_inside = offset.checked_add(len).is_some_and(|end| end <= size);
    assert!(is_inside, "{len} bytes at {offset} of {size}");
}
