//! Running `pronk` and looking at what it leaves.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

use serde_json::Value;

pub(crate) const MODEL: &str =
    concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/golden/gguf/tiny-basic-quants.gguf");

/// What a run left.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

/// Runs `pronk` with nothing on stdin.
pub(crate) fn pronk(arguments: &[&str]) -> Ran {
    run(Command::new(env!("CARGO_BIN_EXE_pronk")).args(arguments), "")
}

/// Runs `pronk` with text on stdin.
pub(crate) fn pronk_reading(stdin: &str, arguments: &[&str]) -> Ran {
    run(Command::new(env!("CARGO_BIN_EXE_pronk")).args(arguments), stdin)
}

/// Runs `pronk` with a cache of its own.
pub(crate) fn pronk_caching(cache: &Path, arguments: &[&str]) -> Ran {
    run(Command::new(env!("CARGO_BIN_EXE_pronk")).args(arguments).env("XDG_CACHE_HOME", cache), "")
}

fn run(command: &mut Command, stdin: &str) -> Ran {
    // A proxy, even one that is not there, is not asked for what is on this machine.
    command
        .env("HTTP_PROXY", "http://127.0.0.1:9")
        .env_remove("NO_PROXY")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    // One who fails early does not read it.
    let _ = child.stdin.take().unwrap().write_all(stdin.as_bytes());
    let output = child.wait_with_output().unwrap();
    Ran {
        code: output.status.code(),
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: String::from_utf8(output.stderr).unwrap(),
    }
}

impl Ran {
    /// The JSON it printed, having ended well.
    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        assert_eq!((self.code, self.stderr.as_str()), (Some(0), ""), "{self:?}");
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// What it printed, having ended well.
    #[track_caller]
    pub(crate) fn text(&self) -> &str {
        assert_eq!((self.code, self.stderr.as_str()), (Some(0), ""), "{self:?}");
        &self.stdout
    }

    /// That it failed with one line that has `found` in it, and printed nothing.
    #[track_caller]
    pub(crate) fn failed_with(&self, found: &str) {
        assert_eq!((self.code, self.stdout.as_str()), (Some(1), ""), "{self:?}");
        let line = self.stderr.strip_suffix(".\n").unwrap_or_else(|| panic!("not a sentence: {self:?}"));
        let sentence = line.strip_prefix("pronk: ").unwrap_or_else(|| panic!("{self:?}"));
        assert!(!sentence.contains('\n'), "several lines: {self:?}");
        assert!(sentence.contains(found), "expected {found:?}: {self:?}");
    }
}

/// The fields of an object, in the order they stand in.
#[track_caller]
pub(crate) fn fields(object: &Value) -> Vec<&str> {
    object.as_object().unwrap().keys().map(String::as_str).collect()
}

/// Ids out of JSON.
#[track_caller]
pub(crate) fn ids(list: &Value) -> Vec<u32> {
    list.as_array().unwrap().iter().map(|id| id.as_u64().unwrap() as u32).collect()
}

/// As on a command line.
pub(crate) fn list(ids: &[u32]) -> String {
    ids.iter().map(u32::to_string).collect::<Vec<_>>().join(",")
}

/// A folder that is gone with this value.
pub(crate) struct Scratch(PathBuf);

impl Scratch {
    pub(crate) fn new() -> Scratch {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let folder = std::env::temp_dir().join(format!("pronk-cli-{}-{count}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        Scratch(folder)
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }

    /// The path of a new file with these bytes.
    pub(crate) fn file(&self, name: &str, bytes: impl AsRef<[u8]>) -> String {
        let path = self.0.join(name);
        std::fs::write(&path, bytes).unwrap();
        path.to_str().unwrap().to_owned()
    }

    /// The path of a new folder with these files.
    pub(crate) fn folder<'a>(
        &self,
        name: &str,
        files: impl IntoIterator<Item = (&'a str, Vec<u8>)>,
    ) -> String {
        std::fs::create_dir(self.0.join(name)).unwrap();
        for (file, bytes) in files {
            self.file(&format!("{name}/{file}"), bytes);
        }
        self.0.join(name).to_str().unwrap().to_owned()
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
