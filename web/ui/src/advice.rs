//! What to do about a failure: a heading, a button, and where needed the steps.

use protocol::{FailureKind, ModelSource};

use crate::state::{ModelPhase, State, WorkerPhase};

/// What the button of an alert does.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Remedy {
    /// Load the same model again; only what is missing is fetched.
    Retry(ModelSource),
    /// Load the model that was on the device.
    Reload(ModelSource),
    /// Start from an empty context.
    NewChat,
    /// Start another worker.
    RestartWorker,
}

impl Remedy {
    /// What the button says.
    pub(crate) fn label(&self) -> &'static str {
        match self {
            Remedy::Retry(_) => "Retry",
            Remedy::Reload(_) => "Reload the model",
            Remedy::NewChat => "New chat",
            Remedy::RestartWorker => "Restart",
        }
    }
}

/// The remedy for a failure of `kind`, given what was going on when it happened.
pub(crate) fn remedy(state: &State, kind: FailureKind) -> Option<Remedy> {
    if state.worker == WorkerPhase::Crashed {
        return Some(Remedy::RestartWorker);
    }
    match (&state.model, kind) {
        (_, FailureKind::NoWebGpu | FailureKind::Caveat) => None,
        (ModelPhase::Loaded(_), FailureKind::Prompt) => Some(Remedy::NewChat),
        (ModelPhase::Loaded(loaded), FailureKind::DeviceLost) => Some(Remedy::Reload(loaded.source.clone())),
        (ModelPhase::Loaded(_), FailureKind::OutOfMemory) => Some(Remedy::NewChat),
        (
            ModelPhase::Loading(_),
            FailureKind::ModelFile | FailureKind::LoadOptions | FailureKind::OutOfMemory,
        ) => None,
        (ModelPhase::Loading(loading), _) => Some(Remedy::Retry(loading.source.clone())),
        _ => None,
    }
}

/// What happened, in a few words.
pub(crate) fn heading(kind: FailureKind) -> &'static str {
    match kind {
        FailureKind::NoWebGpu => "This browser offers no WebGPU",
        FailureKind::Network => "The model could not be fetched",
        FailureKind::Storage => "The browser’s storage failed",
        FailureKind::ModelFile => "This model cannot be loaded",
        FailureKind::LoadOptions => "The model cannot be loaded like this",
        FailureKind::OutOfMemory => "The device ran out of memory",
        FailureKind::DeviceLost => "The device was lost",
        FailureKind::Prompt => "This cannot be answered as it is",
        FailureKind::Sampling => "Nothing can be drawn like this",
        FailureKind::Caveat => "The model runs, with one reservation",
        FailureKind::Internal => "Something went wrong in Pronk",
    }
}

/// Steps that help with a failure of this kind, beyond its own message.
pub(crate) fn steps(kind: FailureKind) -> &'static [&'static str] {
    match kind {
        FailureKind::NoWebGpu => &[
            "Use Chrome or Edge 113 or newer, Safari 26, or Firefox 141 on Windows (145 on recent Macs).",
            "If this is one of them, switch on hardware acceleration in its settings and update the graphics driver.",
            "On Linux: Chrome with chrome://flags/#enable-unsafe-webgpu, or Firefox with dom.webgpu.enabled in about:config.",
        ],
        FailureKind::Storage => &[
            "Private windows and full disks leave little room: try a normal window, or remove a stored model.",
        ],
        FailureKind::LoadOptions => &["Choose otherwise under Options, and load the model again."],
        FailureKind::OutOfMemory => {
            &["Close other tabs, choose a smaller model, or a shorter context under Options."]
        }
        FailureKind::Sampling => &["Choose otherwise under Sampling; your text is still in the composer."],
        FailureKind::Prompt => &["Your text is still in the composer."],
        _ => &[],
    }
}

/// How the page was opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PageContext {
    /// Over https or from localhost.
    Secure,
    /// Otherwise; browsers keep WebGPU and the clipboard to themselves.
    Insecure,
}
