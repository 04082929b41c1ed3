//! The repository as text, and its crates as cargo sees them.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

/// What a file is written in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Rust,
    Wgsl,
    Script,
    Style,
    /// Manifests, HTML, Markdown.
    Other,
}

/// A file of ours.
pub(crate) struct Source {
    /// From the repository's root, with `/`.
    pub(crate) path: String,
    pub(crate) kind: Kind,
    pub(crate) text: String,
}

/// A function, for its length.
pub(crate) struct Function {
    pub(crate) place: String,
    pub(crate) lines: usize,
}

/// A crate of the workspace.
pub(crate) struct Package {
    pub(crate) name: String,
    pub(crate) manifest: PathBuf,
    /// Names of what it depends on, for building and not for tests alone.
    pub(crate) dependencies: Vec<String>,
}

fn root() -> PathBuf {
    let tests = Path::new(env!("CARGO_MANIFEST_DIR"));
    tests.parent().expect("tests/ lies in the repository").to_owned()
}

/// All files of ours that people write.
pub(crate) fn sources() -> Vec<Source> {
    let root = root();
    let mut folders: Vec<PathBuf> =
        ["crates", "web", "xtask", "tests", ".cargo", ".ci"].map(|name| root.join(name)).into();
    let mut files: Vec<PathBuf> = ["Cargo.toml", "index.html", "Trunk.toml", "README.md", "ARCHITECTURE.md"]
        .map(|name| root.join(name))
        .into_iter()
        .filter(|path| path.is_file())
        .collect();
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).expect("a folder of the repository") {
            let path = entry.expect("an entry of it").path();
            let name = path.file_name().unwrap_or_default();
            if path.is_dir() && !["golden", "node_modules", "target"].iter().any(|skipped| name == *skipped) {
                folders.push(path);
            } else if path.is_file() {
                files.push(path);
            }
        }
    }
    files.sort();
    files.iter().filter_map(|path| read(&root, path)).collect()
}

fn read(root: &Path, path: &Path) -> Option<Source> {
    let kind = match path.extension().and_then(|extension| extension.to_str()) {
        Some("rs") => Kind::Rust,
        Some("wgsl") => Kind::Wgsl,
        Some("js" | "mjs" | "ts") => Kind::Script,
        Some("css") => Kind::Style,
        Some("toml" | "html" | "md" | "json") | None => Kind::Other,
        Some(_) => return None,
    };
    let text = std::fs::read_to_string(path).ok()?;
    let path = path.strip_prefix(root).ok()?.to_str()?.replace('\\', "/");
    Some(Source { path, kind, text })
}

impl Source {
    pub(crate) fn is_below(&self, folder: &str) -> bool {
        self.path == folder || self.path.starts_with(&format!("{folder}/"))
    }

    /// Number of lines before the tests at the file's end.
    pub(crate) fn lines(&self) -> usize {
        self.text.lines().take_while(|line| !is_start_of_tests(line)).count()
    }

    /// The file's name without what follows the dot.
    pub(crate) fn stem(&self) -> Option<&str> {
        Path::new(&self.path).file_stem()?.to_str()
    }

    /// Whether it holds nothing but tests.
    pub(crate) fn is_test(&self) -> bool {
        self.path.contains("/tests/") || self.path.ends_with("/tests.rs") || self.is_below("tests")
    }

    /// Lines of the program itself with their numbers: no comments, no tests.
    fn program(&self) -> impl Iterator<Item = (usize, &str)> {
        let lines = self.text.lines().take_while(|line| !is_start_of_tests(line)).enumerate();
        let program = lines.filter(|(_, line)| !self.is_test() && !line.trim_start().starts_with("//"));
        program.map(|(index, line)| (index + 1, line))
    }

    /// Every function, found by the indentation that rustfmt gives it and its closing brace.
    pub(crate) fn functions(&self) -> Vec<Function> {
        let lines: Vec<&str> = self.text.lines().collect();
        let mut functions = Vec::new();
        for (start, line) in lines.iter().enumerate() {
            let indent = line.len() - line.trim_start().len();
            let words = line.trim_start().trim_start_matches("pub(crate) ").trim_start_matches("pub(super) ");
            let words =
                words.trim_start_matches("pub ").trim_start_matches("const ").trim_start_matches("async ");
            if !words.starts_with("fn ") {
                continue;
            }
            let closes = |line: &&str| **line == format!("{}}}", " ".repeat(indent));
            if let Some(len) = lines[start..].iter().position(closes) {
                let place =
                    format!("{}:{} {}", self.path, start + 1, words.split('(').next().unwrap_or(words));
                functions.push(Function { place, lines: len + 1 });
            }
        }
        functions
    }
}

/// By house style `mod tests` is the last thing in a file.
fn is_start_of_tests(line: &str) -> bool {
    line == "mod tests {"
}

/// Fails if a program line of a file that `concerns` picks holds one of `words`, unless the file lies below `allowed`.
#[track_caller]
pub(crate) fn check_nowhere(words: &[&str], allowed: &[&str], concerns: impl Fn(&Source) -> bool) {
    let sources = sources();
    let mut concerned = sources.iter().filter(|source| concerns(source)).peekable();
    assert!(concerned.peek().is_some(), "this test looks at no file at all");
    let mut found = Vec::new();
    for source in concerned.filter(|source| !allowed.iter().any(|path| source.path.starts_with(path))) {
        for (number, line) in source.program() {
            let word = words.iter().find(|word| line.contains(*word));
            found.extend(word.map(|word| format!("{}:{number} names {word}: {}", source.path, line.trim())));
        }
    }
    assert!(found.is_empty(), "found where it must not be:\n{}", found.join("\n"));
}

/// The crates of the workspace.
pub(crate) fn packages() -> Vec<Package> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let arguments = ["metadata", "--no-deps", "--format-version", "1", "--offline"];
    let output =
        Command::new(cargo).args(arguments).current_dir(root()).output().expect("cargo can be started");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let metadata: Value = serde_json::from_slice(&output.stdout).expect("cargo writes JSON");
    metadata["packages"].as_array().expect("a list").iter().map(package).collect()
}

fn package(package: &Value) -> Package {
    let text = |value: &Value| value.as_str().expect("a string").to_owned();
    let dependencies = package["dependencies"].as_array().expect("a list").iter();
    Package {
        name: text(&package["name"]),
        manifest: text(&package["manifest_path"]).into(),
        dependencies: dependencies.filter(|d| d["kind"] != "dev").map(|d| text(&d["name"])).collect(),
    }
}
