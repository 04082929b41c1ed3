//! What every answer says besides its content: type, caching, and what the page may do.

// A macro, since `concat!` takes no constants.
macro_rules! policy {
    () => {
        concat!(
            "default-src 'none'; ",
            "script-src 'self' 'wasm-unsafe-eval'; ",
            "style-src 'self'; ",
            "img-src 'self' data: blob:; ",
            "font-src 'self'; ",
            "connect-src 'self' https: http://localhost:* http://127.0.0.1:*; ",
            "worker-src 'self'; ",
            "manifest-src 'self'; ",
            "base-uri 'none'; ",
            "form-action 'none'; ",
            "object-src 'none'; ",
            "require-trusted-types-for 'script'; ",
            "trusted-types default",
        )
    };
}

/// What the page and its worker may do; a worker does not inherit it, so every answer carries it.
///
/// Weights may come from any https host, and from this machine, since people bring their own addresses;
/// scripts, styles and pictures come from the site alone. `wasm-unsafe-eval` allows WebAssembly and nothing else.
pub const CONTENT_SECURITY_POLICY: &str = concat!(policy!(), "; frame-ancestors 'none'");

/// The same for a `<meta>` of hosts that send no headers. It cannot say who may frame the page.
pub const META_CONTENT_SECURITY_POLICY: &str = policy!();

/// On every answer, errors included.
pub(super) const ALWAYS: [(&str, &str); 4] = [
    ("Content-Security-Policy", CONTENT_SECURITY_POLICY),
    ("X-Content-Type-Options", "nosniff"),
    ("Referrer-Policy", "no-referrer"),
    ("X-DNS-Prefetch-Control", "off"),
];

/// The type of a file, by its name.
pub(super) fn content_type(name: &str) -> &'static str {
    match name.rsplit_once('.').map_or("", |(_, extension)| extension) {
        "html" => "text/html; charset=utf-8",
        "js" | "mjs" => "text/javascript; charset=utf-8",
        "css" => "text/css; charset=utf-8",
        "json" => "application/json",
        "webmanifest" => "application/manifest+json",
        "wasm" => "application/wasm",
        "svg" => "image/svg+xml",
        "png" => "image/png",
        "ico" => "image/x-icon",
        "woff2" => "font/woff2",
        "txt" | "md" | "wgsl" => "text/plain; charset=utf-8",
        _ => "application/octet-stream",
    }
}

/// How long a file may be kept. A name with its content's hash never changes its content;
/// the page keeps weights in IndexedDB, and a second copy in the HTTP cache would only cost space.
pub(super) fn cache_control(name: &str) -> &'static str {
    if name.ends_with(".gguf") || name.ends_with(".safetensors") {
        "no-store"
    } else if has_hash(name) {
        "public, max-age=31536000, immutable"
    } else {
        "no-cache"
    }
}

/// `name-0123456789abcdef.js` and `name-0123456789abcdef_bg.wasm`.
fn has_hash(name: &str) -> bool {
    name.split(['-', '.', '_'])
        .any(|part| part.len() == 16 && part.bytes().all(|byte| byte.is_ascii_hexdigit()))
}

/// What a status is called.
pub(super) fn reason(status: u16) -> &'static str {
    match status {
        200 => "OK",
        206 => "Partial Content",
        301 => "Moved Permanently",
        304 => "Not Modified",
        400 => "Bad Request",
        403 => "Forbidden",
        404 => "Not Found",
        405 => "Method Not Allowed",
        408 => "Request Timeout",
        413 => "Content Too Large",
        416 => "Range Not Satisfiable",
        429 => "Too Many Requests",
        431 => "Request Header Fields Too Large",
        500 => "Internal Server Error",
        503 => "Service Unavailable",
        505 => "HTTP Version Not Supported",
        _ => "Status",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_with_a_hash_are_kept_for_ever() {
        for name in ["ui-0123456789abcdef.js", "ui-0123456789abcdef_bg.wasm"] {
            assert!(cache_control(name).contains("immutable"), "{name}");
        }
        for name in
            ["index.html", "models.json", "worker.js", "ui-0123456789abcde.js", "ui-0123456789abcdeg.js"]
        {
            assert_eq!(cache_control(name), "no-cache", "{name}");
        }
        assert_eq!(cache_control("SmolLM2-135M-Instruct.Q4_1.gguf"), "no-store");
    }
}
