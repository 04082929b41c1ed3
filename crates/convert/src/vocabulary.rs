//! A GGUF file's vocabulary as a GGUF file of its own, without tensors: `tokenizer.gguf`.
//!
//! Not as a `tokenizer.json`: that would need the regular expressions behind llama.cpp's name for a pre-tokenizer, which
//! only `chat` knows, and its rules for unused and for unknown tokens, which differ. Carried letter for letter, the ids
//! are the same by construction. llama.cpp has the same kind of file, `ggml-vocab-*.gguf`.
//!
//! ```text
//! "GGUF"  u32 3  u64 0 tensors  u64 n pairs; each: string key, u32 type, value; a string is u64 length and bytes
//! ```

use format::Tokenizer;

/// GGUF's numbers for the types of values.
const U32: u32 = 4;
const I32: u32 = 5;
const BOOL: u32 = 7;
const STRING: u32 = 8;
const ARRAY: u32 = 9;

/// The file. It is padded to GGUF's alignment of 32 bytes, where data would begin.
pub(crate) fn to_gguf(tokenizer: &Tokenizer) -> Vec<u8> {
    let mut pairs: Vec<Vec<u8>> = vec![
        pair("general.architecture", STRING, &string("llama")),
        pair("tokenizer.ggml.model", STRING, &string(&tokenizer.model)),
        pair("tokenizer.ggml.pre", STRING, &string(&tokenizer.pre)),
        pair("tokenizer.ggml.tokens", ARRAY, &strings(&tokenizer.tokens)),
        pair("tokenizer.ggml.token_type", ARRAY, &token_types(&tokenizer.token_types)),
        pair("tokenizer.ggml.merges", ARRAY, &strings(&tokenizer.merges)),
        pair("tokenizer.ggml.add_bos_token", BOOL, &[u8::from(tokenizer.add_bos_token)]),
    ];
    for (name, id) in [
        ("bos", tokenizer.bos_token_id),
        ("eos", tokenizer.eos_token_id),
        ("eot", tokenizer.eot_token_id),
        ("eom", tokenizer.eom_token_id),
        ("unknown", tokenizer.unknown_token_id),
        ("padding", tokenizer.padding_token_id),
    ] {
        if let Some(id) = id {
            pairs.push(pair(&format!("tokenizer.ggml.{name}_token_id"), U32, &id.to_le_bytes()));
        }
    }
    let mut file = b"GGUF".to_vec();
    file.extend(3u32.to_le_bytes());
    file.extend(0u64.to_le_bytes());
    file.extend((pairs.len() as u64).to_le_bytes());
    file.extend(pairs.concat());
    file.resize(file.len().next_multiple_of(32), 0);
    file
}

fn pair(key: &str, kind: u32, value: &[u8]) -> Vec<u8> {
    [&string(key), kind.to_le_bytes().as_slice(), value].concat()
}

fn string(text: &str) -> Vec<u8> {
    [&(text.len() as u64).to_le_bytes(), text.as_bytes()].concat()
}

fn strings(texts: &[String]) -> Vec<u8> {
    let mut array = [STRING.to_le_bytes().as_slice(), &(texts.len() as u64).to_le_bytes()].concat();
    texts.iter().for_each(|text| array.extend(string(text)));
    array
}

fn token_types(types: &[u32]) -> Vec<u8> {
    let mut array = [I32.to_le_bytes().as_slice(), &(types.len() as u64).to_le_bytes()].concat();
    types.iter().for_each(|kind| array.extend(kind.to_le_bytes()));
    array
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comes_back_as_it_was() {
        let tokens = ["<s>", "a", "b", "ab", "é \n", "", "ba"].map(str::to_owned).to_vec();
        let tokenizer = Tokenizer {
            model: "gpt2".into(),
            pre: "smollm".into(),
            token_types: vec![3, 1, 1, 1, 4, 5, 6],
            tokens,
            merges: vec!["a b".into(), "b a".into()],
            bos_token_id: Some(0),
            eos_token_id: Some(1),
            eot_token_id: None,
            eom_token_id: Some(2),
            unknown_token_id: Some(3),
            padding_token_id: Some(4),
            add_bos_token: true,
        };
        assert_eq!(Tokenizer::from_gguf(&to_gguf(&tokenizer)), Ok(tokenizer.clone()));
        // What a file that says nothing of it would be taken to mean, the other way round.
        let other =
            Tokenizer { pre: "llama-bpe".into(), add_bos_token: false, bos_token_id: None, ..tokenizer };
        assert_eq!(Tokenizer::from_gguf(&to_gguf(&other)), Ok(other));
    }
}
