//! Where a model is: a path or an address.

use std::ffi::OsString;
use std::fmt;
use std::path::PathBuf;

/// The MODEL of the command line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Location {
    /// A file of this machine.
    Path(PathBuf),
    /// A file on an HTTP server.
    Url(String),
}

impl From<OsString> for Location {
    fn from(text: OsString) -> Location {
        match text.into_string() {
            Ok(url) if scheme_is_http(&url) => Location::Url(url),
            Ok(path) => Location::Path(path.into()),
            Err(path) => Location::Path(path.into()),
        }
    }
}

fn scheme_is_http(text: &str) -> bool {
    let scheme = text.split_once("://").map_or("", |(scheme, _)| scheme);
    ["http", "https"].iter().any(|known| scheme.eq_ignore_ascii_case(known))
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Location::Path(path) => path.display().fmt(f),
            Location::Url(url) => f.write_str(url),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_and_addresses() {
        let rows = [
            ("http://localhost:8080/a.gguf", true),
            ("HTTPS://example.com/a.gguf?x=1", true),
            ("models/a.gguf", false),
            ("http:/a.gguf", false),
            ("ftp://example.com/a.gguf", false),
            ("a://http://b", false),
        ];
        for (text, is_url) in rows {
            let location = Location::from(OsString::from(text));
            assert_eq!(matches!(location, Location::Url(_)), is_url, "{text}");
        }
    }
}
