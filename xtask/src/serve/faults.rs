//! What a test wants to go wrong, and the list of what was asked for.
//!
//! A test asks over HTTP, so that a script beside a browser can do it; all are GET, and answer with JSON:
//!
//! | address | does |
//! |---|---|
//! | `/__test__/requests` | lists the answers since the start or the last reset: `[{"path", "range", "status", "sent"}]` |
//! | `/__test__/reset` | empties that list and ends all faults |
//! | `/__test__/fault?path=SUFFIX&kind=KIND&value=N&times=N` | breaks the next answers for paths with this end; without `times`, all of them |
//!
//! Kinds: `status` (answer N instead), `html` (a 200 with a page, as of a sign-in wall), `whole` (ignore `Range`),
//! `cut` (close the connection after N bytes of the body), `corrupt` (flip byte N of the file),
//! `slow` (N bytes a second). A fault that would not change an answer, such as a changed byte outside its range,
//! waits for the next one.

use std::sync::{Mutex, MutexGuard, PoisonError};

use serde_json::{Value, json};

/// Where tests ask.
pub(super) const PREFIX: &str = "/__test__/";

/// One thing that goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    Status(u16),
    Html,
    Whole,
    Cut(u64),
    Corrupt(u64),
    Slow(u64),
}

/// One answer, for the list.
pub(super) struct Served {
    pub(super) path: String,
    pub(super) range: Option<String>,
    pub(super) status: u16,
    /// Bytes of the body that were handed to the network.
    pub(super) sent: u64,
}

/// All faults that wait, and all answers.
#[derive(Default)]
pub(super) struct Faults {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    armed: Vec<Armed>,
    served: Vec<Served>,
}

struct Armed {
    path: String,
    fault: Fault,
    /// How often still; `None` is always.
    times: Option<u64>,
}

impl Faults {
    /// The first fault for `path` that would change the answer, if there is one. Counts as once.
    pub(super) fn take(&self, path: &str, bites: impl Fn(Fault) -> bool) -> Option<Fault> {
        let mut state = self.lock();
        let waits =
            |armed: &&mut Armed| path.ends_with(&armed.path) && armed.times != Some(0) && bites(armed.fault);
        let armed = state.armed.iter_mut().find(waits)?;
        armed.times = armed.times.map(|times| times - 1);
        Some(armed.fault)
    }

    pub(super) fn record(&self, served: Served) {
        self.lock().served.push(served);
    }

    /// Answers a question under [`PREFIX`]; `None` where it is not understood.
    pub(super) fn ask(&self, question: &str) -> Option<Value> {
        let (verb, query) = question.split_once('?').unwrap_or((question, ""));
        let mut state = self.lock();
        match verb {
            "requests" => {}
            "reset" => *state = State::default(),
            "fault" => state.armed.push(armed(query)?),
            _ => return None,
        }
        Some(state.served.iter().map(as_json).collect())
    }

    /// A thread that panicked while it held the lock left nothing half done.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn as_json(served: &Served) -> Value {
    json!({ "path": served.path, "range": served.range, "status": served.status, "sent": served.sent })
}

fn armed(query: &str) -> Option<Armed> {
    let value_of = |name: &str| {
        let mut pairs = query.split('&').filter_map(|pair| pair.split_once('='));
        pairs.find(|(key, _)| *key == name).map(|(_, value)| value)
    };
    let number = |name: &str| value_of(name)?.parse::<u64>().ok();
    let fault = match value_of("kind")? {
        "status" => Fault::Status(u16::try_from(number("value")?).ok()?),
        "html" => Fault::Html,
        "whole" => Fault::Whole,
        "cut" => Fault::Cut(number("value")?),
        "corrupt" => Fault::Corrupt(number("value")?),
        "slow" => Fault::Slow(number("value").filter(|rate| *rate > 0)?),
        _ => return None,
    };
    Some(Armed { path: value_of("path")?.to_owned(), fault, times: number("times") })
}
