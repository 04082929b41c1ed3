//! The tools of the web build, in pinned versions: taken from PATH where they are there, else fetched once
//! into the user's cache folder.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use crate::command::{answer, command, run};
use crate::places::{Places, empty_folder, remove};
use crate::report::step;

const WASM_TARGET: &str = "wasm32-unknown-unknown";
/// 0.22 asks for a newer Rust than ours.
const TRUNK: &str = "0.21.14";
/// npm's, since Debian's wasm-opt is too old for what today's rustc writes.
const BINARYEN: &str = "132.0.0";
/// The newest that runs on node 18 and 20, which Debian and many machines have.
const PUPPETEER_CORE: &str = "24.43.1";

/// What the web build needs, found.
pub(crate) struct Tools {
    /// Folders to put in front of PATH, so that trunk finds exactly these.
    folders: Vec<PathBuf>,
}

impl Tools {
    /// Finds or fetches everything that builds the page and the worker.
    pub(crate) fn set_up(places: &Places) -> Result<Tools> {
        wasm_target()?;
        let wasm_bindgen = locked_version(places, "wasm-bindgen")?;
        let trunk = CargoTool {
            binary: "trunk",
            package: "trunk",
            version: TRUNK,
            // Newer versions of its dependencies do not build together.
            options: &["--locked", "--no-default-features", "--features", "rustls"],
        };
        let wasm_bindgen = CargoTool {
            binary: "wasm-bindgen",
            package: "wasm-bindgen-cli",
            version: &wasm_bindgen,
            // The versions that it was published with are no longer all there.
            options: &[],
        };
        let binaryen = npm_package(places, "binaryen", BINARYEN)?;
        let folders =
            vec![trunk.folder(places)?, wasm_bindgen.folder(places)?, binaryen.join("node_modules/.bin")];
        Ok(Tools { folders: folders.into_iter().filter(|folder| !folder.as_os_str().is_empty()).collect() })
    }

    /// PATH with these tools first.
    pub(crate) fn path(&self) -> Result<OsString> {
        let path = std::env::var_os("PATH").unwrap_or_default();
        let all = self.folders.iter().cloned().chain(std::env::split_paths(&path));
        std::env::join_paths(all).context("A folder on PATH has a name that PATH cannot hold.")
    }
}

/// The folder of puppeteer-core's entry, for a script to import.
pub(crate) fn puppeteer(places: &Places) -> Result<PathBuf> {
    let folder = npm_package(places, "puppeteer-core", PUPPETEER_CORE)?;
    Ok(folder.join("node_modules/puppeteer-core/lib/esm/puppeteer/puppeteer-core.js"))
}

/// Lets rustc build for browsers.
pub(crate) fn wasm_target() -> Result<()> {
    let folder = answer(&mut command("rustc", ["--print", "target-libdir", "--target", WASM_TARGET]));
    if folder.is_some_and(|folder| Path::new(&folder).is_dir()) {
        return Ok(());
    }
    if answer(&mut command("rustup", ["--version"])).is_none() {
        bail!(
            "Rust's standard library for {WASM_TARGET} is missing, and there is no rustup to add it. \
             Install Rust with rustup, or your system's package with that target (Debian: libstd-rust-dev-wasm32)."
        );
    }
    step(format!("Adding the Rust target {WASM_TARGET}"), || {
        run(&mut command("rustup", ["target", "add", WASM_TARGET]))
    })
}

/// A program that cargo can install.
struct CargoTool<'a> {
    binary: &'a str,
    package: &'a str,
    version: &'a str,
    /// Further words for `cargo install`.
    options: &'a [&'a str],
}

impl CargoTool<'_> {
    /// The folder that holds it; empty if PATH leads to it already.
    fn folder(&self, places: &Places) -> Result<PathBuf> {
        if self.is_at(Path::new(self.binary)) {
            return Ok(PathBuf::new());
        }
        let home = places.cache.join(format!("{}-{}", self.binary, self.version));
        if !self.is_at(&home.join("bin").join(self.binary)) {
            let what = format!("Building {} {}, once, in about 4 minutes", self.binary, self.version);
            step(what, || self.install(places, &home))?;
        }
        Ok(home.join("bin"))
    }

    fn is_at(&self, program: &Path) -> bool {
        let version = answer(&mut command(program, ["--version"]));
        version.is_some_and(|version| version.split_whitespace().nth(1) == Some(self.version))
    }

    /// Unoptimized it builds in a third of the time, and is as fast for what we ask of it.
    fn install(&self, places: &Places, home: &Path) -> Result<()> {
        let build = places.cache.join(format!("build-{}", self.binary));
        let mut install = command("cargo", ["install", "--force", self.package, "--version"]);
        install.arg(format!("={}", self.version)).arg("--root").arg(home);
        install.args(self.options);
        install
            .env("CARGO_TARGET_DIR", &build)
            .env("CARGO_PROFILE_RELEASE_LTO", "off")
            .env("CARGO_PROFILE_RELEASE_OPT_LEVEL", "0")
            .env("CARGO_PROFILE_RELEASE_CODEGEN_UNITS", "16")
            .env("CARGO_PROFILE_RELEASE_PANIC", "unwind")
            // Made for our crates, or for another target, they would change this build.
            .env_remove("RUSTFLAGS")
            .env_remove("CARGO_BUILD_TARGET")
            .current_dir(&places.cache);
        run(&mut install)?;
        remove(&build)
    }
}

/// The folder with `node_modules` that holds an npm package, fetched if it is not there.
fn npm_package(places: &Places, name: &str, version: &str) -> Result<PathBuf> {
    let home = places.cache.join(format!("{name}-{version}"));
    if home.is_dir() {
        return Ok(home);
    }
    step(format!("Getting {name} {version} from npm"), || {
        let part = places.cache.join(format!("{name}-{version}.part"));
        empty_folder(&part)?;
        let mut install =
            command("npm", ["install", "--no-audit", "--no-fund", "--ignore-scripts", "--loglevel=error"]);
        run(install.arg("--prefix").arg(&part).arg(format!("{name}@{version}")))?;
        // Only now, so that a folder of this name is always whole.
        std::fs::rename(&part, &home).with_context(|| format!("{} could not be made", home.display()))
    })?;
    Ok(home)
}

/// The version of `package` in Cargo.lock: the tool must be of the very same.
fn locked_version(places: &Places, package: &str) -> Result<String> {
    let path = places.root.join("Cargo.lock");
    let lock =
        std::fs::read_to_string(&path).with_context(|| format!("{} could not be read", path.display()))?;
    version_in(&lock, package).with_context(|| format!("Cargo.lock names no version of {package}."))
}

fn version_in(lock: &str, package: &str) -> Option<String> {
    let name = format!("name = \"{package}\"");
    let mut lines = lock.lines().skip_while(|line| *line != name);
    let version = lines.nth(1)?.strip_prefix("version = \"")?.strip_suffix('"')?;
    Some(version.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_come_from_the_lock_file() {
        let lock = "[[package]]\nname = \"wasm-bindgen-futures\"\nversion = \"0.4.80\"\n\n\
                    [[package]]\nname = \"wasm-bindgen\"\nversion = \"0.2.130\"\nsource = \"registry\"\n";
        assert_eq!(version_in(lock, "wasm-bindgen").as_deref(), Some("0.2.130"));
        assert_eq!(version_in(lock, "wasm-bindgen-futures").as_deref(), Some("0.4.80"));
        assert_eq!(version_in(lock, "wasm"), None);
    }
}
