//! Turns what a person pastes into the address of a GGUF file.

/// The address to load, or a sentence on what is wrong with it.
///
/// A Hugging Face page about a file (`…/blob/…`) is turned into the file (`…/resolve/…`): it is what people copy
/// from the address bar.
pub(crate) fn model_url(pasted: &str) -> Result<String, &'static str> {
    let url = pasted.trim();
    if url.is_empty() {
        return Err("Paste the address of a GGUF file first.");
    }
    if url.chars().any(|c| c.is_whitespace() || c.is_control()) {
        return Err("An address has no spaces in it. Paste the address of one GGUF file.");
    }
    match url.split_once("://") {
        Some(("http" | "https", rest)) if !rest.is_empty() => Ok(file_of_hub_page(url)),
        Some(_) => Err("Only http and https addresses can be loaded."),
        None => Ok(url.to_owned()),
    }
}

fn file_of_hub_page(url: &str) -> String {
    let on_hub = ["https://huggingface.co/", "https://hf.co/"].iter().any(|host| url.starts_with(host));
    if on_hub { url.replacen("/blob/", "/resolve/", 1) } else { url.to_owned() }
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
            (
                "https://huggingface.co/a/b/blob/main/c.gguf",
                Some("https://huggingface.co/a/b/resolve/main/c.gguf"),
            ),
            ("https://example.com/blob/c.gguf", Some("https://example.com/blob/c.gguf")),
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
