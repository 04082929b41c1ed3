//! `cargo xtask dist`: the static site, for any web host, under any path, without special headers.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use crate::command::{command, output};
use crate::places::{Places, empty_folder, files_below};
use crate::report::{size, step};
use crate::{demo, site};

/// How the site is wanted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Options {
    /// The path it will have; without it all addresses are relative, which fits every path that ends with `/`.
    public_url: Option<String>,
    /// Whether the demo model is left out.
    without_model: bool,
}

impl Options {
    pub(crate) fn parse(arguments: &[&str]) -> Result<Options> {
        let mut options = Options::default();
        let mut rest = arguments;
        loop {
            rest = match rest {
                [] => return Ok(options),
                ["--without-model", rest @ ..] => {
                    options.without_model = true;
                    rest
                }
                ["--public-url", url, rest @ ..] => {
                    options.public_url = Some(checked_url(url)?);
                    rest
                }
                [unknown, ..] => bail!("cargo xtask dist does not know {unknown}."),
            };
        }
    }
}

/// It lands in HTML, so nothing that HTML could take for its own may be in it.
fn checked_url(url: &str) -> Result<String> {
    let plain = url.chars().all(|c| c.is_ascii_alphanumeric() || "/:.-_~%".contains(c));
    if !plain || !(url.starts_with('/') || url.starts_with("https://") || url.starts_with("http://")) {
        bail!("--public-url is a path such as /chat/ or a whole https address; {url} is neither.");
    }
    Ok(format!("{}/", url.trim_end_matches('/')))
}

/// Leaves the site in `dist/`.
pub(crate) fn dist(options: &Options) -> Result<()> {
    let places = Places::find()?;
    let built = site::build(&places)?;
    let dist = places.root.join("dist");
    step("Writing dist/", || {
        empty_folder(&dist)?;
        copy_all(&built, &dist)?;
        if let Some(url) = &options.public_url {
            set_public_url(&dist.join("index.html"), url)?;
        }
        if options.without_model { drop_model(&dist.join("models.json")) } else { add_model(&places, &dist) }
    })?;
    print_sizes(&dist)
}

fn copy_all(from: &Path, to: &Path) -> Result<()> {
    for file in files_below(from)? {
        let copy = to.join(file.strip_prefix(from)?);
        std::fs::create_dir_all(copy.parent().context("A file has a folder.")?)?;
        std::fs::copy(&file, &copy).with_context(|| format!("{} could not be written", copy.display()))?;
    }
    Ok(())
}

fn set_public_url(index: &Path, url: &str) -> Result<()> {
    let html = std::fs::read_to_string(index)?;
    Ok(std::fs::write(index, with_public_url(&html, url))?)
}

/// All addresses in the page begin with `./`, in quotes.
fn with_public_url(html: &str, url: &str) -> String {
    html.replace("\"./", &format!("\"{url}")).replace("'./", &format!("'{url}"))
}

fn drop_model(catalogue: &Path) -> Result<()> {
    let entries: Vec<serde_json::Value> = serde_json::from_slice(&std::fs::read(catalogue)?)?;
    let others: Vec<_> = entries
        .into_iter()
        .filter(|entry| !entry["url"].as_str().is_some_and(|url| url.ends_with(demo::FILE_NAME)))
        .collect();
    Ok(std::fs::write(catalogue, serde_json::to_string_pretty(&others)?)?)
}

fn add_model(places: &Places, dist: &Path) -> Result<()> {
    let (model, copy) = (demo::model(places)?, dist.join("models").join(demo::FILE_NAME));
    std::fs::create_dir_all(dist.join("models"))?;
    // A second name costs no space, where both lie on one disk.
    std::fs::hard_link(&model, &copy).or_else(|_| std::fs::copy(&model, &copy).map(drop))?;
    Ok(())
}

/// What a visitor downloads before a model, as it is and as hosts that compress send it.
fn print_sizes(dist: &Path) -> Result<()> {
    println!("\n{:44} {:>10} {:>10}", "file", "raw", "gzip");
    let code = |path: &PathBuf| {
        path.extension().is_some_and(|e| ["wasm", "js", "css", "html"].iter().any(|x| e == *x))
    };
    for file in files_below(dist)?.into_iter().filter(code) {
        const GZIP: &str = "import gzip, sys; print(len(gzip.compress(open(sys.argv[1], 'rb').read())))";
        let gzip: u64 = output(command("python3", ["-c", GZIP]).arg(&file))?.parse()?;
        let name = file.strip_prefix(dist)?.display().to_string();
        println!("{name:44} {:>10} {:>10}", size(file.metadata()?.len()), size(gzip));
    }
    println!("\ndist/ is ready to be copied to a web host.");
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_say_what_is_wanted() {
        let parsed = |arguments: &[&str]| Options::parse(arguments).ok();
        let url = |url: &str| Some(Options { public_url: Some(url.to_owned()), without_model: false });
        assert_eq!(parsed(&[]), Some(Options::default()));
        assert_eq!(parsed(&["--public-url", "/chat"]), url("/chat/"));
        assert_eq!(parsed(&["--public-url", "/"]), url("/"));
        assert_eq!(parsed(&["--without-model"]), Some(Options { public_url: None, without_model: true }));
        for bad in ["chat", "/\"><script>", "javascript:x"] {
            assert_eq!(parsed(&["--public-url", bad]), None, "{bad}");
        }
        assert_eq!(parsed(&["--public-url"]), None);
    }

    #[test]
    fn the_public_url_stands_before_every_address() {
        let html = r#"<link href="./ui.css"><script src="./boot.js" data-js='./ui.js'></script><a href="https://x/./y">"#;
        let wanted = r#"<link href="/s/ui.css"><script src="/s/boot.js" data-js='/s/ui.js'></script><a href="https://x/./y">"#;
        assert_eq!(with_public_url(html, "/s/"), wanted);
    }
}
