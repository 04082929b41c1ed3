//! What can be said of a model before its weights are there: its header, tokenizer and template.

use chat::{Template, Tokenizer, Vocabulary};
use format::{Checkpoint, FormatError, Gguf, TokenizerFile};
use store::{Pieces, Source, Store, StoreError};

use crate::progress::Reporter;
use crate::{EngineError, Origin};

/// First bytes to ask for. Many models have their header in them; Llama 3's 8 MB take three more requests.
const FIRST_BYTES: u64 = 1 << 20;

/// Reads a header and none of the weights: from the store if it has the file's beginning, else by short ranges.
///
/// # Errors
/// If the bytes don't come, or if they are not the header of a GGUF file.
pub async fn read_header<S: Source, T: Store>(origin: Origin<'_, S, T>) -> Result<Gguf, EngineError> {
    // A record that can't be read is as good as none.
    let record = origin.store.record(origin.key).await.ok().flatten();
    if record.is_some_and(|record| record.pieces.first().is_some_and(Option::is_some)) {
        let mut pieces = Pieces::open(origin.source, origin.store, origin.key, origin.expected).await?;
        return Ok(take_header(&mut pieces, &mut Reporter::new(&mut |_| {})).await?.1);
    }
    let size = origin.source.size(0).await?;
    let mut head = Vec::new();
    let mut wanted = FIRST_BYTES;
    loop {
        match Gguf::parse(&head, size) {
            Err(FormatError::NeedMore { need, .. }) => wanted = wanted.max(need).min(size),
            gguf => return Ok(gguf?),
        }
        read_on(origin.source, wanted, &mut head).await?;
        wanted *= 2;
    }
}

/// Appends the bytes up to `end`, in as many reads as it takes while each brings some.
async fn read_on<S: Source>(source: &S, end: u64, head: &mut Vec<u8>) -> Result<(), StoreError> {
    while (head.len() as u64) < end {
        let at = head.len() as u64;
        let result = source.read(at..end, head, &mut |_| {}).await;
        if head.len() as u64 == at {
            result?;
            return Err(StoreError::Cut { name: source.name().to_string(), at, end });
        }
    }
    Ok(())
}

/// Takes pieces until the header is whole: one for most files.
pub(crate) async fn take_header<S: Source, T: Store>(
    pieces: &mut Pieces<'_, S, T>,
    report: &mut Reporter<'_>,
) -> Result<(Vec<u8>, Gguf), EngineError> {
    let size = pieces.size();
    let mut head = Vec::new();
    loop {
        match report.next(pieces).await? {
            Some(piece) if head.is_empty() => head = piece.bytes,
            Some(piece) => head.extend(piece.bytes),
            // The end of the file: parsing what there is gives the error that fits.
            None => {}
        }
        match Gguf::parse(&head, size) {
            Err(FormatError::NeedMore { .. }) => {}
            gguf => return Ok((head, gguf?)),
        }
    }
}

/// The tokenizer of a model.
pub fn tokenizer(checkpoint: &Checkpoint) -> Result<Tokenizer, EngineError> {
    let TokenizerFile::Gguf(tokenizer) = checkpoint.tokenizer.clone();
    Ok(Tokenizer::from_vocabulary(Vocabulary {
        pre: tokenizer.pre,
        tokens: tokenizer.tokens,
        token_types: tokenizer.token_types,
        merges: tokenizer.merges,
        bos_token_id: tokenizer.bos_token_id,
        eos_token_id: tokenizer.eos_token_id,
        eot_token_id: tokenizer.eot_token_id,
        eom_token_id: tokenizer.eom_token_id,
        add_bos_token: tokenizer.add_bos_token,
    })?)
}

/// The chat template of a model.
pub fn template(checkpoint: &Checkpoint, tokenizer: &Tokenizer) -> Result<Template, EngineError> {
    Ok(Template::new(checkpoint.chat_template.as_deref(), tokenizer)?)
}
