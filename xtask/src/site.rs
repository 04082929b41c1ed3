//! Builds the page and the worker into one folder of static files, with the hash of its content in every name.
//!
//! trunk builds both. What it leaves undone is done here: it gives workers no hashed names, and a page that is
//! new must not meet a worker that is old. Then the page gets its content security policy as a `<meta>`, for
//! hosts that send no headers.

use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use anyhow::{Context, Result, ensure};
use sha2::{Digest, Sha256};
use xtask::serve::META_CONTENT_SECURITY_POLICY;

use crate::command::{command, run};
use crate::places::{Places, files_below, remove};
use crate::pypi::hex;
use crate::report::step;
use crate::tools::Tools;

/// All that the site is made of. A change to any of these builds it anew.
const INPUTS: [&str; 10] = [
    "crates",
    "web",
    "index.html",
    "Trunk.toml",
    "Cargo.toml",
    "Cargo.lock",
    ".cargo",
    "rust-toolchain.toml",
    "xtask/src/site.rs",
    "xtask/src/serve/header.rs",
];

/// Files that trunk leaves without a hash in their names. Each may name those before it, in this order.
const UNHASHED: [&str; 4] = ["worker_bg.wasm", "worker.js", "worker_loader.js", "boot.js"];

/// The line of index.html that the content security policy is put behind.
const ENCODING: &str = "<meta charset=\"utf-8\">";

/// How trunk's links to what wasm-bindgen copies for a program begin.
const SNIPPET_LINK: &str = "<link rel=\"modulepreload\" href=\"./snippets/";

/// The built site, without models. Builds it if anything has changed since the last time.
pub(crate) fn build(places: &Places) -> Result<PathBuf> {
    let site = places.target.join("site");
    let stamp_path = places.target.join("site.stamp");
    let stamp = stamp(places)?;
    if site.join("index.html").is_file() && std::fs::read_to_string(&stamp_path).is_ok_and(|old| old == stamp)
    {
        return Ok(site);
    }
    let tools = Tools::set_up(places)?;
    let new = places.target.join("site.new");
    remove(&new)?;
    step("Building the page and the worker (a few minutes the first time)", || trunk(places, &tools, &new))?;
    hash_names(&new)?;
    remove(&site)?;
    std::fs::rename(&new, &site)?;
    std::fs::write(&stamp_path, stamp)?;
    Ok(site)
}

fn trunk(places: &Places, tools: &Tools, dist: &Path) -> Result<()> {
    // trunk's `offline` forbids cargo to download too, so what it needs has to be here already.
    run(command("cargo", ["fetch", "--locked", "--quiet"]).current_dir(&places.root))?;
    let mut trunk = command("trunk", ["build", "--skip-version-check"]);
    trunk.arg("--dist").arg(dist).current_dir(&places.root).env("PATH", tools.path()?);
    // trunk takes NO_COLOR for an option with the values true and false, and fails on others.
    run(trunk.env_remove("NO_COLOR").env("RUST_BACKTRACE", "0"))
}

/// Names, sizes and times of all inputs.
fn stamp(places: &Places) -> Result<String> {
    let mut stamp = String::new();
    for input in INPUTS {
        let path = places.root.join(input);
        let files = if path.is_dir() { files_below(&path)? } else { vec![path] };
        for file in files.iter().filter(|file| file.is_file()) {
            let metadata = file.metadata()?;
            let modified = metadata.modified()?.duration_since(UNIX_EPOCH).unwrap_or_default();
            writeln!(stamp, "{} {} {}", file.display(), metadata.len(), modified.as_nanos())?;
        }
    }
    Ok(stamp)
}

/// Puts hashes into the names that have none, and the new names wherever the old ones stood.
fn hash_names(site: &Path) -> Result<()> {
    let index_path = site.join("index.html");
    let mut index = std::fs::read_to_string(&index_path).context("trunk left no index.html.")?;
    let mut renamed: Vec<(&str, String)> = Vec::new();
    for old in UNHASHED {
        let path = site.join(old);
        let mut content = std::fs::read(&path).with_context(|| format!("trunk left no {old}."))?;
        if old.ends_with(".js") {
            let text = with_new_names(&String::from_utf8(content)?, &renamed);
            // So that whoever drives the browser can see how large the worker's heap has grown.
            content =
                text.replace("await init();", "globalThis.pronkMemory = (await init()).memory;").into_bytes();
        }
        let new = hashed_name(old, &content);
        std::fs::write(site.join(&new), content)?;
        std::fs::remove_file(path)?;
        renamed.push((old, new));
    }
    index = without_snippets(&with_new_names(&index, &renamed));
    let policy =
        format!("<meta http-equiv=\"Content-Security-Policy\" content=\"{META_CONTENT_SECURITY_POLICY}\">");
    ensure!(
        index.contains(ENCODING),
        "index.html has no {ENCODING} to put the content security policy behind."
    );
    // Behind the encoding, which has to stand within the first 1024 bytes, and before anything that loads.
    index = index.replacen(ENCODING, &format!("{ENCODING}\n    {policy}"), 1);
    ensure!(!index.contains("<script>"), "index.html has an inline script, which its policy forbids.");
    std::fs::write(index_path, index)?;
    Ok(())
}

/// The page without links to what only the worker imports: trunk lets the page load that too, with the digest of what an
/// earlier build left, so that the browser blocks it and complains.
fn without_snippets(index: &str) -> String {
    let mut links = index.split(SNIPPET_LINK);
    let first = links.next().unwrap_or_default().to_owned();
    links.fold(first, |page, after| page + after.split_once('>').map_or("", |(_, after)| after))
}

fn with_new_names(text: &str, renamed: &[(&str, String)]) -> String {
    renamed.iter().fold(text.to_owned(), |text, (old, new)| text.replace(old, new))
}

/// `worker_bg.wasm` becomes `worker_bg-0123456789abcdef.wasm`.
fn hashed_name(name: &str, content: &[u8]) -> String {
    let hash: String = hex(&Sha256::digest(content)).chars().take(16).collect();
    let (stem, extension) = name.split_once('.').unwrap_or((name, ""));
    format!("{stem}-{hash}.{extension}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_gets_the_hash_of_what_it_leads_to() {
        let site = std::env::temp_dir().join(format!("pronk-site-{}", std::process::id()));
        std::fs::create_dir_all(&site).unwrap();
        let index = "<head><meta charset=\"utf-8\"><meta name=pronk-worker content=./worker_loader.js></head><script src=./boot.js></script>";
        for (name, content) in [
            ("index.html", index),
            ("boot.js", "boot"),
            ("worker_bg.wasm", "wasm"),
            ("worker.js", "new URL('worker_bg.wasm', import.meta.url)"),
            ("worker_loader.js", "import init from './worker.js';await init();"),
        ] {
            std::fs::write(site.join(name), content).unwrap();
        }
        hash_names(&site).unwrap();

        let names: Vec<_> = files_below(&site).unwrap();
        let name_of = |start: &str| {
            let names = names.iter().map(|path| path.file_name().unwrap().to_str().unwrap());
            names.filter(|name| name.starts_with(start)).collect::<Vec<_>>().join(" ")
        };
        let read = |name: &str| std::fs::read_to_string(site.join(name)).unwrap();
        assert_eq!(names.len(), 5, "{names:?}");
        let (wasm, worker, loader) = (name_of("worker_bg-"), name_of("worker-"), name_of("worker_loader-"));
        assert_eq!(read(&worker), format!("new URL('{wasm}', import.meta.url)"));
        assert_eq!(
            read(&loader),
            format!("import init from './{worker}';globalThis.pronkMemory = (await init()).memory;")
        );
        let index = read("index.html");
        assert!(index.contains(&format!("content=./{loader}")), "{index}");
        assert!(index.contains(&format!("src=./{}", name_of("boot-"))), "{index}");
        assert!(index.contains("script-src 'self' 'wasm-unsafe-eval'"), "{index}");
        std::fs::remove_dir_all(&site).unwrap();
    }
    #[test]
    fn the_page_loads_nothing_that_only_the_worker_imports() {
        #[track_caller]
        fn check(links: &[&str], expected: &[&str]) {
            let page = |links: &[&str]| {
                let link =
                    |href: &&str| format!("<link rel=\"modulepreload\" href=\"{href}\" integrity=\"a\">");
                format!("<head>{}</head>", links.iter().map(link).collect::<String>())
            };
            assert_eq!(without_snippets(&page(links)), page(expected));
        }
        check(&[], &[]);
        check(&["./ui.js"], &["./ui.js"]);
        check(&["./ui.js", "./snippets/worker-1/a.js", "./b.js", "./snippets/c.js"], &["./ui.js", "./b.js"]);
    }
}
