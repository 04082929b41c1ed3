//! Turns what a person pastes into the address of a model. What it is the address of, the worker finds out.

/// The address to load, or a sentence on what is wrong with it.
pub(crate) fn model_url(pasted: &str) -> Result<String, &'static str> {
    let url = pasted.trim();
    if url.is_empty() {
        return Err("Paste the address of a model first.");
    }
    if url.chars().any(|c| c.is_whitespace() || c.is_control()) {
        return Err("An address has no spaces in it. Paste the address of one model.");
    }
    match url.split_once("://") {
        Some(("http" | "https", rest)) if !rest.is_empty() => Ok(url.to_owned()),
        None => Ok(url.to_owned()),
        Some(_) => Err("Only http and https addresses can be loaded."),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pasted_addresses() {
        for (pasted, expected) in [
            (" https://example.com/m.gguf\n", Some("https://example.com/m.gguf")),
            ("models/demo.gguf", Some("models/demo.gguf")),
            ("http://localhost:8080/m.gguf", Some("http://localhost:8080/m.gguf")),
            ("https://huggingface.co/a/b", Some("https://huggingface.co/a/b")),
            ("", None),
            ("   ", None),
            ("https://", None),
            ("ftp://example.com/m.gguf", None),
            ("file:///m.gguf", None),
            ("two words", None),
        ] {
            assert_eq!(model_url(pasted).ok().as_deref(), expected, "{pasted:?}");
        }
    }
}
