//! Where a folder is written, and the folder in memory that can fail at any call.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// A folder. Errors are said in words that follow a colon.
pub trait Output: Sync {
    /// The names of all that is in it; none if the folder is not there yet.
    fn names(&self) -> Result<Vec<String>, String>;

    /// All of a file; none if there is no such file.
    fn read(&self, name: &str) -> Result<Option<Vec<u8>>, String>;

    /// Writes a file and makes it reach the disk. It may be left cut if this fails.
    fn write(&self, name: &str, bytes: &[u8]) -> Result<(), String>;

    /// Gives a file another name, whose file is replaced at once.
    fn rename(&self, from: &str, to: &str) -> Result<(), String>;

    /// Removes a file; one that is not there is none to remove.
    fn remove(&self, name: &str) -> Result<(), String>;
}

/// A folder in memory.
#[derive(Debug, Default)]
pub struct MemoryOutput {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    files: BTreeMap<String, Vec<u8>>,
    calls: u64,
    fail_from: Option<u64>,
}

impl MemoryOutput {
    /// An empty folder.
    pub fn new() -> MemoryOutput {
        MemoryOutput::default()
    }

    /// The same with a file in it.
    pub fn with(self, name: &str, bytes: &[u8]) -> MemoryOutput {
        self.lock().files.insert(name.to_owned(), bytes.to_vec());
        self
    }

    /// Lets the `call`-th change from now on fail, from 0, and all after it: as if the power had gone.
    /// A write that fails leaves half a file.
    pub fn fail_from(&self, call: Option<u64>) {
        let mut state = self.lock();
        (state.calls, state.fail_from) = (0, call);
    }

    /// Changes since [`MemoryOutput::fail_from`], or since the beginning.
    pub fn calls(&self) -> u64 {
        self.lock().calls
    }

    /// What is in it.
    pub fn files(&self) -> BTreeMap<String, Vec<u8>> {
        self.lock().files.clone()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn check(&mut self) -> Result<(), String> {
        let call = self.calls;
        self.calls += 1;
        if self.fail_from.is_some_and(|from| call >= from) { Err("a planned fault".into()) } else { Ok(()) }
    }
}

impl Output for MemoryOutput {
    fn names(&self) -> Result<Vec<String>, String> {
        Ok(self.lock().files.keys().cloned().collect())
    }

    fn read(&self, name: &str) -> Result<Option<Vec<u8>>, String> {
        Ok(self.lock().files.get(name).cloned())
    }

    fn write(&self, name: &str, bytes: &[u8]) -> Result<(), String> {
        let mut state = self.lock();
        let checked = state.check();
        let (half, _) = bytes.split_at(bytes.len() / 2);
        let written = if checked.is_ok() { bytes } else { half };
        state.files.insert(name.to_owned(), written.to_vec());
        checked
    }

    fn rename(&self, from: &str, to: &str) -> Result<(), String> {
        let mut state = self.lock();
        state.check()?;
        let bytes = state.files.remove(from).ok_or_else(|| format!("there is no {from}"))?;
        state.files.insert(to.to_owned(), bytes);
        Ok(())
    }

    fn remove(&self, name: &str) -> Result<(), String> {
        let mut state = self.lock();
        state.check()?;
        state.files.remove(name);
        Ok(())
    }
}
