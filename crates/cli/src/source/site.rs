//! A model on an HTTP server: a file by its address and what lies beside it, or all below an address that ends with `/`.

use anyhow::Result;
use store::{Files, StoreError};

use super::http::HttpSource;

/// Files below one address.
pub(crate) struct Site {
    /// As it was asked for.
    url: String,
    /// The address of the folder, with the `/` at its end.
    base: String,
    named: Option<String>,
}

impl Site {
    /// Fails if `url` is not an address. Nothing is asked yet.
    pub(crate) fn new(url: &str) -> Result<Site> {
        HttpSource::new(url)?;
        let url = &store::hub_address(url);
        let path_end = url.find(['?', '#']).unwrap_or(url.len());
        let slash = url[..path_end].rfind('/').map_or(0, |at| at + 1);
        // `https://host` has no slash but those of its scheme.
        let (base, named) = match url[..slash].ends_with("://") {
            true => (format!("{url}/"), ""),
            false => (url[..slash].to_owned(), &url[slash..]),
        };
        Ok(Site {
            url: url.to_owned(),
            base,
            named: Some(named.to_owned()).filter(|named| !named.is_empty()),
        })
    }
}

impl Files for Site {
    type Source<'a> = HttpSource;

    fn name(&self) -> &str {
        &self.url
    }

    fn named(&self) -> Option<&str> {
        self.named.as_deref()
    }

    async fn open(&self, name: &str) -> Result<HttpSource, StoreError> {
        let url = self.key(name);
        // The base has been accepted already, so only a name with a stray character can fail here.
        HttpSource::new(&url).map_err(|error| StoreError::Unreadable { name: url, detail: error.to_string() })
    }

    /// Models are kept by their address.
    fn key(&self, name: &str) -> String {
        format!("{}{name}", self.base)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_of_files_and_of_folders() {
        for (url, named, sibling) in [
            ("http://h/a/m.gguf", Some("m.gguf"), "http://h/a/b"),
            ("http://h/a/m.gguf?x=/1", Some("m.gguf?x=/1"), "http://h/a/b"),
            ("http://h/m.gguf", Some("m.gguf"), "http://h/b"),
            ("http://h/a/", None, "http://h/a/b"),
            ("http://h/", None, "http://h/b"),
            ("http://h", None, "http://h/b"),
        ] {
            let site = Site::new(url).unwrap();
            assert_eq!((site.named(), site.key("b").as_str()), (named, sibling), "{url}");
            if let Some(named) = site.named() {
                assert_eq!(site.key(named), url);
            }
        }
    }
}
