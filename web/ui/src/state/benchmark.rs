//! How a model is measured, in the reducer.

use std::rc::Rc;

use protocol::{BenchmarkProgress, BenchmarkReport, Request, Trials};

use super::State;

/// The benchmark's life.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) enum BenchmarkPhase {
    /// None has been started, or it ended without a result.
    #[default]
    Absent,
    /// Under way.
    Running {
        /// How far; `None` until the worker has said.
        progress: Option<BenchmarkProgress>,
        /// Whether the person has asked to stop it.
        stopping: bool,
    },
    /// Done.
    Done(Rc<BenchmarkReport>),
}

impl BenchmarkPhase {
    pub(crate) fn is_running(&self) -> bool {
        matches!(self, BenchmarkPhase::Running { .. })
    }
}

impl State {
    /// Whether a benchmark may be started now: whatever keeps a question from being asked keeps it from starting too.
    pub(crate) fn can_benchmark(&self) -> bool {
        self.answer.is_none() && self.blocker().is_none()
    }

    pub(super) fn start_benchmark(&mut self, trials: Trials) {
        if !self.can_benchmark() {
            return;
        }
        self.alerts.clear();
        self.request(Request::Benchmark { trials });
        self.benchmark = BenchmarkPhase::Running { progress: None, stopping: false };
        self.status = "The benchmark is running…";
    }

    pub(super) fn stop_benchmark(&mut self) {
        if let BenchmarkPhase::Running { stopping, .. } = &mut self.benchmark
            && !*stopping
        {
            *stopping = true;
            self.request(Request::Stop);
        }
    }

    pub(super) fn benchmark_came_further(&mut self, further: BenchmarkProgress) {
        if let BenchmarkPhase::Running { progress, .. } = &mut self.benchmark {
            *progress = Some(further);
        }
    }

    pub(super) fn benchmark_done(&mut self, report: BenchmarkReport) {
        if self.benchmark.is_running() {
            self.benchmark = BenchmarkPhase::Done(Rc::new(report));
            self.status = "The benchmark is done.";
        }
    }

    /// Ends the benchmark in progress without a result, if there is one.
    pub(super) fn benchmark_ended(&mut self, status: &'static str) {
        if self.benchmark.is_running() {
            self.benchmark = BenchmarkPhase::Absent;
            self.status = status;
        }
    }
}
