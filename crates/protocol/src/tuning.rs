//! What trying kernels on a device gives.

use serde::{Deserialize, Serialize};

use crate::Kernels;

/// Kernels that are not used on a device.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Excluded {
    /// Which.
    pub kernels: Kernels,
    /// Why: a sentence.
    pub reason: String,
}

/// All that was tried, on one made-up layer of the model.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TuningReport {
    /// A row for each kind of kernels, those that the others are compared with first.
    pub rows: Vec<TuningRow>,
    /// What is used, unless other kernels are asked for by name.
    pub chosen: Kernels,
    /// What many tokens are multiplied in. None where that was not tried.
    #[serde(default)]
    pub prefill: Option<PrefillReport>,
    /// Seconds that all of it took, most of them for compiling.
    pub seconds: f64,
}

/// Floats against halves and whole numbers, for many tokens at once.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PrefillReport {
    /// Kernels that multiply floats, the chosen ones if they do, and then the others.
    pub rows: Vec<TuningRow>,
    /// One of them.
    pub chosen: Kernels,
    /// So many tokens.
    pub tokens: usize,
}

/// What was found out about one kind of kernels.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TuningRow {
    /// Which.
    pub kernels: Kernels,
    /// Whether they compute what the plain ones do.
    pub verdict: Verdict,
    /// What a token takes them in one layer, alone or among many, in the best of some runs; only of those that are right.
    pub microseconds: Option<f64>,
}

/// Whether kernels compute right. Deviations are the largest of any output, in standard deviations of all.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "is", try_from = "FlatVerdict")]
pub enum Verdict {
    /// What the others are compared with.
    Reference,
    /// They do.
    Right {
        /// How far they are off.
        deviation: f64,
    },
    /// They do not.
    Wrong {
        /// How far they are off; `None` if something was not a number.
        deviation: Option<f64>,
        /// How far they may be.
        bound: f64,
    },
    /// They gave nothing to compare.
    Failed {
        /// What they did instead: a sentence.
        reason: String,
    },
    /// They were not tried, which says nothing about them.
    Untried {
        /// Why not: a sentence.
        reason: String,
    },
}

/// A verdict as people find it in a benchmark's JSON: `{"is": "right", "deviation": 2e-7}`.
#[derive(Deserialize)]
struct FlatVerdict {
    is: Is,
    deviation: Option<f64>,
    bound: Option<f64>,
    reason: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum Is {
    Reference,
    Right,
    Wrong,
    Failed,
    Untried,
}

impl TryFrom<FlatVerdict> for Verdict {
    type Error = &'static str;

    fn try_from(flat: FlatVerdict) -> Result<Verdict, &'static str> {
        let FlatVerdict { is, deviation, bound, reason } = flat;
        let reason = reason.ok_or("no reason");
        Ok(match is {
            Is::Reference => Verdict::Reference,
            Is::Right => Verdict::Right { deviation: deviation.ok_or("no deviation")? },
            Is::Wrong => Verdict::Wrong { deviation, bound: bound.ok_or("no bound")? },
            Is::Failed => Verdict::Failed { reason: reason? },
            Is::Untried => Verdict::Untried { reason: reason? },
        })
    }
}
