//! Which addresses of a model's making may become links.
//!
//! Only http, https and mailto. A long query could carry the conversation away at a click, so an address with one
//! stays text. The host stands beside a link whose words don't name it.

use crate::unicode::reveal;

/// An address that may be followed when the person clicks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Link {
    /// As written.
    pub href: String,
    /// Where it leads: the host, or the address to write to.
    pub host: String,
}

/// Queries longer than this are not followed.
const MAX_QUERY: usize = 200;

/// `address` as a link, or `None` where it must stay text.
pub(crate) fn link(address: &str) -> Option<Link> {
    // Browsers read a backslash as a slash and drop control characters, so that what is checked and what is
    // followed would differ.
    if address.chars().any(|c| c.is_control() || c.is_whitespace() || c == '\\') {
        return None;
    }
    // An entity may spell out a character that can't be seen.
    if reveal(address) != address {
        return None;
    }
    let (scheme, rest) = address.split_once(':')?;
    let host = match scheme.to_ascii_lowercase().as_str() {
        "http" | "https" => host(rest.strip_prefix("//")?),
        "mailto" => rest.split('?').next().unwrap_or_default(),
        _ => return None,
    };
    let query = address.split_once(['?', '#']).map_or(0, |(_, query)| query.len());
    (!host.is_empty() && query <= MAX_QUERY).then(|| Link { href: address.to_owned(), host: host.to_owned() })
}

/// The host in `user@host:port/path?query`; what stands before an `@` is no host.
fn host(rest: &str) -> &str {
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    authority.rsplit('@').next().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts() {
        for (address, expected) in [
            ("https://example.com/a?b#c", Some("example.com")),
            ("HTTP://Example.com", Some("Example.com")),
            ("https://example.com:8080/x", Some("example.com:8080")),
            ("https://bank.com@evil.example/login", Some("evil.example")),
            ("https://a/@b", Some("a")),
            ("mailto:someone@example.com?subject=x", Some("someone@example.com")),
            ("javascript:alert(1)", None),
            ("JavaScript:alert(1)", None),
            ("java\tscript:alert(1)", None),
            (" javascript:alert(1)", None),
            ("data:text/html,<script>alert(1)</script>", None),
            ("vbscript:x", None),
            ("blob:https://example.com/1", None),
            ("file:///etc/passwd", None),
            ("//example.com", None),
            ("/path", None),
            ("#top", None),
            ("https:example.com", None),
            ("https:///example.com", None),
            ("https://evil.example\\@bank.com", None),
            ("https://user@/", None),
            ("mailto:", None),
            ("", None),
        ] {
            assert_eq!(link(address).map(|link| link.host).as_deref(), expected, "{address:?}");
        }
    }

    #[test]
    fn long_queries_stay_text() {
        for (length, followed) in [(MAX_QUERY, true), (MAX_QUERY + 1, false)] {
            for mark in ["?", "#"] {
                let address = format!("https://example.com/{mark}{}", "a".repeat(length));
                assert_eq!(link(&address).is_some(), followed, "{mark} {length}");
            }
        }
    }
}
