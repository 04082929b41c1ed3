//! The trials: each kind of kernels is compared with the plain ones, and those that are right run against each other. Then
//! halves and whole numbers are tried against floats in the same way, for many tokens.

use std::time::Duration;

use gpu::Pause;
use protocol::{Kernels, PrefillReport, TuningReport, TuningRow, Verdict};
use store::Aside;
use web_time::Instant;

use super::book::Book;
use super::judge::{choose, judge};
use super::stand::{Fault, Round, Stand};
use super::within::within;
use crate::StopFlag;
use crate::error::EngineError;

/// Seconds that may be spent on timing in all.
const BUDGET: f64 = 1.0;

/// Those of them for a token alone. What it leaves is for many: three kinds, too.
const DECODE_BUDGET: f64 = 0.5;

/// A run takes so long that the way to the GPU and back counts little, and no driver loses patience. Doubling until one does
/// takes less than four times as long, and a run then less than twice: three turns at least fit the budget, unless already
/// a layer by itself takes too long.
const RUN_SECONDS: f64 = 0.016;

/// Most layers in a run.
const MOST_TIMES: usize = 512;

/// Most runs of each.
const MOST_RUNS: usize = 16;

/// Tries kernels on a stand.
pub(super) struct Trials<'t, 'a, S, A> {
    stand: S,
    book: &'t mut Book<'a, A>,
    limit: Duration,
    pause: Pause,
    stop: StopFlag,
    round: Round,
    /// Seconds of timing so far.
    spent: f64,
}

/// What has been found out about kernels.
struct Found {
    kernels: Kernels,
    verdict: Verdict,
    /// None of those that are not right.
    run: Option<Run>,
}

/// What kernels are in a round.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Role {
    /// What the others are compared with.
    Reference,
    /// One of the others.
    Compared,
}

/// The fastest run.
struct Run {
    times: usize,
    seconds: f64,
}

impl<'t, 'a, S: Stand, A: Aside> Trials<'t, 'a, S, A> {
    pub(super) fn new(
        stand: S,
        book: &'t mut Book<'a, A>,
        limit: Duration,
        pause: Pause,
        stop: &StopFlag,
    ) -> Self {
        Trials { stand, book, limit, pause, stop: stop.clone(), round: Round::Decode, spent: 0.0 }
    }

    /// Tries all of them, and writes down what came of it. `untried` is what the device would get otherwise. None if it was
    /// stopped.
    pub(super) async fn run(mut self, untried: Kernels) -> Option<TuningReport> {
        let report = self.report(untried).await;
        self.book.conclude(report.as_ref()).await;
        report
    }

    async fn report(&mut self, untried: Kernels) -> Option<TuningReport> {
        let started = Instant::now();
        let rows = self.rows(Round::Decode).await?;
        let chosen = self.choose(&rows, untried);
        let floats = if chosen == Kernels::Subgroups { chosen } else { Kernels::Plain };
        let prefill = Some(self.prefill(floats).await?);
        // What many tokens have shown to be wrong is nothing for one.
        let chosen = if self.book.excluded(chosen).is_some() { self.choose(&rows, untried) } else { chosen };
        Some(TuningReport { rows, chosen, prefill, seconds: started.elapsed().as_secs_f64() })
    }

    /// The fastest of those for a token that are not excluded. Where all are, one has to be taken all the same.
    fn choose(&self, rows: &[TuningRow], untried: Kernels) -> Kernels {
        let is_excluded = |kernels| self.book.excluded(kernels).is_some();
        let mut others = [untried].into_iter().chain(Round::Decode.kernels());
        let untried = others.find(|it| !is_excluded(*it)).unwrap_or(untried);
        let rows: Vec<TuningRow> = rows.iter().filter(|row| !is_excluded(row.kernels)).cloned().collect();
        choose(&rows, untried)
    }

    async fn prefill(&mut self, floats: Kernels) -> Option<PrefillReport> {
        let round = Round::Prefill(floats);
        let rows = self.rows(round).await?;
        Some(PrefillReport { chosen: choose(&rows, floats), rows, tokens: round.tokens() })
    }

    /// What comes of a round. None if it was stopped.
    async fn rows(&mut self, round: Round) -> Option<Vec<TuningRow>> {
        self.round = round;
        let (mut found, mut reference) = (Vec::new(), None);
        for kernels in round.kernels() {
            found.push(self.check(kernels, &mut reference).await);
        }
        self.race(&mut found).await;
        if self.stop.is_set() {
            return None;
        }
        // Only those that did well to the end are forgiven what they did before.
        found.iter().filter(|found| found.run.is_some()).for_each(|found| self.book.end(found.kernels));
        Some(found.into_iter().map(|found| found.row(round)).collect())
    }

    /// Compares kernels with the reference, or makes it, and finds out how many layers make a run.
    async fn check(&mut self, kernels: Kernels, reference: &mut Option<Vec<f32>>) -> Found {
        let without = |verdict| Found { kernels, verdict, run: None };
        if self.stop.is_set() {
            return without(Fault::Stopped.verdict(self.role(kernels), self.limit));
        }
        if let Some(reason) = self.book.excluded(kernels) {
            return without(Verdict::Failed { reason: reason.to_owned() });
        }
        if reference.is_none() && self.role(kernels) == Role::Compared {
            return without(Verdict::Untried { reason: "There is nothing to compare them with.".to_owned() });
        }
        if let Err(error) = self.book.begin(kernels).await {
            return without(Verdict::Untried { reason: EngineError::from(error).failure().message });
        }
        match self.attempt(kernels, reference).await {
            Ok(found) => {
                self.book.withdraw();
                self.exclude_if_wrong(&found);
                found
            }
            Err(fault) => without(self.blame(kernels, fault)),
        }
    }

    fn role(&self, kernels: Kernels) -> Role {
        if kernels == self.round.reference() { Role::Reference } else { Role::Compared }
    }

    /// Notes what a fault says of kernels: what they can't help, nothing; what may be anybody's, a mark.
    fn blame(&mut self, kernels: Kernels, fault: Fault) -> Verdict {
        let is_anybodys = matches!(fault, Fault::Lost(_) | Fault::NoAnswer);
        let is_stopped = fault == Fault::Stopped;
        let verdict = fault.verdict(self.role(kernels), self.limit);
        match &verdict {
            Verdict::Failed { reason } if is_anybodys => self.book.strike(kernels, reason.clone()),
            Verdict::Failed { reason } => self.book.exclude(kernels, reason.clone()),
            _ if is_stopped => self.book.withdraw(),
            _ => self.book.end(kernels),
        }
        verdict
    }

    async fn attempt(&mut self, kernels: Kernels, reference: &mut Option<Vec<f32>>) -> Result<Found, Fault> {
        let output = self.output(kernels).await?;
        let verdict = match reference {
            Some(reference) => judge(kernels, &output, reference),
            None if output.iter().all(|value| value.is_finite()) => Verdict::Reference,
            None => return Err(Fault::Failed("What they gave is not a number.".to_owned())),
        };
        let run = match verdict {
            Verdict::Reference | Verdict::Right { .. } => Some(self.first_run(kernels).await?),
            _ => None,
        };
        reference.get_or_insert(output);
        Ok(Found { kernels, verdict, run })
    }

    /// Runs twice as many layers each time until they take long enough.
    async fn first_run(&mut self, kernels: Kernels) -> Result<Run, Fault> {
        let mut run = Run { times: 1, seconds: self.seconds(kernels, 1).await? };
        while run.seconds < RUN_SECONDS && run.times < MOST_TIMES {
            let times = 2 * run.times;
            run = Run { times, seconds: self.seconds(kernels, times).await? };
        }
        Ok(run)
    }

    /// Times them in turns, so that whatever disturbs one disturbs the others. Each turn has its mark, and no other.
    async fn race(&mut self, found: &mut [Found]) {
        for _ in 0..MOST_RUNS {
            if found.iter().filter(|found| found.run.is_some()).count() < 2 {
                return;
            }
            let turn: f64 = found.iter().filter_map(|found| found.run.as_ref()).map(|run| run.seconds).sum();
            if self.spent + turn > self.budget() {
                return;
            }
            for found in found.iter_mut() {
                let Some(run) = &mut found.run else { continue };
                if self.stop.is_set() || self.book.begin(found.kernels).await.is_err() {
                    return;
                }
                match self.seconds(found.kernels, run.times).await {
                    Ok(seconds) => {
                        run.seconds = run.seconds.min(seconds);
                        self.book.withdraw();
                    }
                    Err(fault) => (found.verdict, found.run) = (self.blame(found.kernels, fault), None),
                }
            }
        }
    }

    /// What may have been spent by the end of this round.
    fn budget(&self) -> f64 {
        match self.round {
            Round::Decode => DECODE_BUDGET,
            Round::Prefill(_) => BUDGET,
        }
    }

    fn exclude_if_wrong(&mut self, Found { kernels, verdict, .. }: &Found) {
        let reason = match verdict {
            Verdict::Wrong { deviation: Some(deviation), bound } => format!(
                "They compute wrongly: off by {deviation:.1e} standard deviations, where {bound:.0e} is allowed."
            ),
            Verdict::Wrong { deviation: None, .. } => "What they compute is not a number.".to_owned(),
            _ => return,
        };
        self.book.exclude(*kernels, reason);
    }

    async fn output(&mut self, kernels: Kernels) -> Result<Vec<f32>, Fault> {
        let answer =
            within(self.stand.output(self.round, kernels), self.limit, &self.pause, &self.stop).await;
        self.heard(answer)
    }

    async fn seconds(&mut self, kernels: Kernels, times: usize) -> Result<f64, Fault> {
        let seconds = self.stand.seconds(self.round, kernels, times);
        let answer = within(seconds, self.limit, &self.pause, &self.stop).await;
        let seconds = self.heard(answer)?;
        self.spent += seconds;
        Ok(seconds)
    }

    fn heard<T>(&mut self, answer: Result<Result<T, Fault>, Fault>) -> Result<T, Fault> {
        let answer = answer.flatten();
        if let Err(fault) = &answer {
            self.stand.abandon(fault);
        }
        answer
    }
}

impl Fault {
    /// A failure of what the others are compared with says more of the device, and is not held against it.
    fn verdict(self, role: Role, limit: Duration) -> Verdict {
        let in_vain = || format!("They did not answer within {} seconds.", limit.as_secs());
        match self {
            Fault::Unable(reason) => Verdict::Untried { reason },
            Fault::Stopped => Verdict::Untried { reason: "The trials were stopped.".to_owned() },
            Fault::Failed(reason) | Fault::Lost(reason) if role == Role::Reference => {
                Verdict::Untried { reason }
            }
            Fault::NoAnswer if role == Role::Reference => Verdict::Untried { reason: in_vain() },
            Fault::Failed(reason) | Fault::Lost(reason) => Verdict::Failed { reason },
            Fault::NoAnswer => Verdict::Failed { reason: in_vain() },
        }
    }
}

impl Found {
    fn row(self, round: Round) -> TuningRow {
        let Found { kernels, verdict, run } = self;
        let microseconds = run.map(|run| run.seconds / (run.times * round.tokens()) as f64 * 1e6);
        TuningRow { kernels, verdict, microseconds }
    }
}
