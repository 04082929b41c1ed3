//! A model on a web site: a file by its address and what lies beside it, or all below an address that ends with `/`.

use store::{Files, Hash, StoreError};

use crate::fetch::{self, FetchSource};

/// Files beside one address.
pub(crate) struct Site {
    url: String,
    /// The address of the folder, with the `/` at its end.
    base: String,
    named: String,
    expected: Vec<Hash>,
}

impl Site {
    /// `url` as the page has it, and the published hashes of its pieces. Fails if one of them can't be a hash.
    pub(crate) fn new(url: &str, pieces: &[String]) -> Result<Site, StoreError> {
        let url = store::hub_address(&fetch::absolute(url));
        let path_end = url.find(['?', '#']).unwrap_or(url.len());
        let slash = url[..path_end].rfind('/').map_or(0, |at| at + 1);
        let (base, named) = (url[..slash].to_string(), url[slash..].to_string());
        Ok(Site { base, named, expected: fetch::expected(pieces)?, url })
    }
}

impl Files for Site {
    type Source<'a> = FetchSource;

    fn name(&self) -> &str {
        &self.url
    }

    fn named(&self) -> Option<&str> {
        Some(self.named.as_str()).filter(|named| !named.is_empty())
    }

    async fn open(&self, name: &str) -> Result<FetchSource, StoreError> {
        Ok(FetchSource::new(&self.key(name)))
    }

    fn key(&self, name: &str) -> String {
        format!("{}{name}", self.base)
    }

    fn expected(&self, name: &str) -> &[Hash] {
        if name == self.named { &self.expected } else { &[] }
    }
}
