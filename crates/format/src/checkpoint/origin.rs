//! Whether a model is one of Meta's Llama 3 family or derived from it, as far as names tell.

/// Finds `llama`, perhaps a separator, and a `3` that no letter or digit follows: not in `open_llama_3b`.
pub(super) fn names_llama_3(text: &str) -> bool {
    let text = text.to_ascii_lowercase();
    text.split("llama").skip(1).any(|rest| {
        let number = rest.trim_start_matches([' ', '-', '_']).strip_prefix('3');
        number.is_some_and(|after| !after.starts_with(|c: char| c.is_ascii_alphanumeric()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn llama_3_is_told_from_its_namesakes() {
        let rows = [
            ("llama3.1", true),
            ("llama3", true),
            ("Meta Llama 3.1 8B Instruct", true),
            ("Llama-3.2-1B", true),
            ("Hermes-3-Llama-3.1-8B", true),
            ("https://huggingface.co/meta-llama/Llama-3.1-8B", true),
            ("META_LLAMA_3", true),
            ("open_llama_3b", false),
            ("Llama 2 7B", false),
            ("llama-30b", false),
            ("TinyLlama", false),
            ("Smollm2 135M 8k Lc100K Mix1 Ep2", false),
            ("apache-2.0", false),
            ("3", false),
        ];
        for (text, expected) in rows {
            assert_eq!(names_llama_3(text), expected, "{text}");
        }
    }
}
