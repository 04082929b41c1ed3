//! Addresses on the Hugging Face Hub as people copy them from the address bar, turned into those of files.

const HOSTS: [&str; 2] = ["https://huggingface.co/", "https://hf.co/"];

/// A page about a file (`…/blob/…`) becomes the file (`…/resolve/…`), and a repository's page the folder of its files.
/// Any other address stays as it is.
pub fn hub_address(url: &str) -> String {
    let Some((host, path)) = HOSTS.iter().find_map(|host| Some((host, url.strip_prefix(host)?))) else {
        return url.to_owned();
    };
    let parts: Vec<&str> =
        path.split(['?', '#']).next().unwrap_or_default().trim_end_matches('/').split('/').collect();
    match parts[..] {
        [owner, name] if ![owner, name].contains(&"") && owner != "datasets" => {
            format!("{host}{owner}/{name}/resolve/main/")
        }
        [owner, name, "tree", revision] => format!("{host}{owner}/{name}/resolve/{revision}/"),
        _ => url.replacen("/blob/", "/resolve/", 1),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_people_copy() {
        for (url, expected) in [
            ("https://huggingface.co/a/b/blob/main/c.gguf", "https://huggingface.co/a/b/resolve/main/c.gguf"),
            (
                "https://huggingface.co/a/b/resolve/main/c.gguf",
                "https://huggingface.co/a/b/resolve/main/c.gguf",
            ),
            ("https://huggingface.co/a/b", "https://huggingface.co/a/b/resolve/main/"),
            ("https://hf.co/a/b/", "https://hf.co/a/b/resolve/main/"),
            ("https://huggingface.co/a/b?library=x", "https://huggingface.co/a/b/resolve/main/"),
            ("https://huggingface.co/a/b/tree/v1", "https://huggingface.co/a/b/resolve/v1/"),
            ("https://huggingface.co/a", "https://huggingface.co/a"),
            ("https://huggingface.co/", "https://huggingface.co/"),
            ("https://example.com/a/b", "https://example.com/a/b"),
            ("https://example.com/blob/c.gguf", "https://example.com/blob/c.gguf"),
            ("models/demo.gguf", "models/demo.gguf"),
        ] {
            assert_eq!(hub_address(url), expected, "{url}");
        }
    }
}
