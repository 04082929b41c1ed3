//! Trials on a stand whose kernels do as they are told. Those for many tokens, and those on a device, are in files of their own.

mod device;
mod many;
mod timing;

use std::cell::{Cell, RefCell};
use std::future::{pending, poll_fn};
use std::pin::pin;
use std::rc::Rc;
use std::task::Poll;

use format::{Checkpoint, Gguf};
use llama::KvType;
use pollster::block_on;
use protocol::{TuningRow, Verdict};
use store::{Fault as StoreFault, MemoryAside, StoreError};

use super::stand::{Fault, Round, Stand};
use super::*;

use Kernels::{Halves, Int8, Plain, Subgroups};

const SOON: Duration = Duration::from_millis(20);

pub(super) fn pause() -> Pause {
    Rc::new(|| Box::pin(async { std::thread::sleep(Duration::from_millis(1)) }))
}

/// What kernels do.
#[derive(Clone, Copy, Debug)]
enum Does {
    /// Are off by so many standard deviations, and take so many microseconds a layer.
    Give(f32, f64),
    Nan,
    Hang,
    /// Hang once they have computed right.
    HangLater,
    /// Compute right, and hang the so manieth time that they are timed.
    HangAt(usize),
    /// Lose the device.
    Lose,
    NotCompile,
    NotExist,
}

use Does::{Give, Hang, HangAt, HangLater, Lose, Nan, NotCompile, NotExist};

/// What the plain kernels give: of standard deviation 1.
const OUTPUT: [f32; 4] = [1.0, -1.0, 1.0, -1.0];

/// What floats take for many tokens.
const FLOATS: Does = Give(0.0, 20.0);

/// What is tried, and for what.
type Way = (Round, Kernels);

struct FakeStand {
    does: [Does; 3],
    /// What halves and whole numbers do beside [`FLOATS`].
    many: [Does; 2],
    asked: Rc<RefCell<Vec<Way>>>,
    /// What was timed, and what it took.
    runs: Rc<RefCell<Vec<(Way, f64)>>>,
    timed: usize,
    /// Whether they hang.
    hangs: Rc<Cell<bool>>,
    /// Set by those that hang.
    stop: StopFlag,
}

impl FakeStand {
    fn new(does: [Does; 3], many: [Does; 2], stop: &StopFlag) -> FakeStand {
        let (asked, runs, hangs) = (Rc::default(), Rc::default(), Rc::default());
        FakeStand { does, many, asked, runs, timed: 0, hangs, stop: stop.clone() }
    }

    fn does(&self, round: Round, kernels: Kernels) -> Does {
        match (round, kernels, self.many) {
            (Round::Prefill(_), Halves, [does, _]) | (Round::Prefill(_), Int8, [_, does]) => return does,
            (Round::Prefill(_), ..) => return FLOATS,
            (Round::Decode, ..) => {}
        }
        self.does[[Plain, Subgroups, Int8].iter().position(|known| *known == kernels).unwrap()]
    }

    async fn hang<T>(&self) -> T {
        self.hangs.set(true);
        self.stop.stop();
        pending().await
    }
}

impl Stand for FakeStand {
    async fn output(&mut self, round: Round, kernels: Kernels) -> Result<Vec<f32>, Fault> {
        self.asked.borrow_mut().push((round, kernels));
        let off_by =
            |error: f32| OUTPUT.iter().enumerate().map(move |(at, x)| if at == 2 { x + error } else { *x });
        match self.does(round, kernels) {
            Give(error, _) => Ok(off_by(error).collect()),
            Nan => Ok(off_by(f32::NAN).collect()),
            HangLater | HangAt(_) => Ok(OUTPUT.to_vec()),
            Hang => self.hang().await,
            Lose => Err(Fault::Lost("The GPU was lost.".to_owned())),
            NotCompile => Err(Fault::Failed("The GPU refused a plan.".to_owned())),
            NotExist => Err(Fault::Unable("There are none.".to_owned())),
        }
    }

    async fn seconds(&mut self, round: Round, kernels: Kernels, times: usize) -> Result<f64, Fault> {
        match self.does(round, kernels) {
            Give(_, microseconds) => {
                let seconds = microseconds * 1e-6 * times as f64;
                self.runs.borrow_mut().push(((round, kernels), seconds));
                Ok(seconds)
            }
            HangAt(time) => {
                self.timed += 1;
                if self.timed == time { self.hang().await } else { Ok(RUN) }
            }
            _ => self.hang().await,
        }
    }

    fn abandon(&mut self, _fault: &Fault) {}
}

/// Seconds of a run that is long enough.
const RUN: f64 = 0.04;

/// What comes of trying, which kernels were asked for an output of a token, and what is excluded after it; on a device that
/// has nothing but floats for many.
fn try_with(
    aside: &MemoryAside,
    does: [Does; 3],
    untried: Kernels,
) -> (TuningReport, Vec<Kernels>, Vec<Excluded>) {
    let (report, asked, excluded) = try_many(aside, does, [NotExist; 2], untried);
    let of_one = asked.into_iter().filter(|(round, _)| *round == Round::Decode);
    (report, of_one.map(|(_, kernels)| kernels).collect(), excluded)
}

/// The same on one that has others, and for both rounds.
fn try_many(
    aside: &MemoryAside,
    does: [Does; 3],
    many: [Does; 2],
    untried: Kernels,
) -> (TuningReport, Vec<Way>, Vec<Excluded>) {
    let underway = Underway::default();
    let stand = FakeStand::new(does, many, &StopFlag::default());
    let asked = stand.asked.clone();
    let mut book = block_on(Book::open(aside, &underway, "here"));
    let trials = Trials::new(stand, &mut book, SOON, pause(), &StopFlag::default());
    let report = block_on(trials.run(untried)).unwrap();
    assert!(underway.take().is_none());
    (report, asked.take(), known(aside).1)
}

/// What a later visit knows: what came of trying all, and what is excluded.
fn known(aside: &MemoryAside) -> (Option<TuningReport>, Vec<Excluded>) {
    let underway = Underway::default();
    let book = block_on(Book::open(aside, &underway, "here"));
    (book.report().cloned(), book.all_excluded().to_vec())
}

#[track_caller]
fn check(does: [Does; 3], chosen: Kernels, excluded: &[(Kernels, &str)]) {
    let (report, _, found) = try_with(&MemoryAside::default(), does, Subgroups);
    assert_eq!(report.chosen, chosen, "{does:?}: {report:?}");
    let found: Vec<_> = found.iter().map(|it| (it.kernels, it.reason.as_str())).collect();
    assert_eq!(found, excluded, "{does:?}");
    for TuningRow { kernels, verdict, microseconds } in &report.rows {
        let is_right = matches!(verdict, Verdict::Reference | Verdict::Right { .. });
        assert_eq!(microseconds.is_some(), is_right, "{does:?}: {kernels:?}");
    }
}

#[test]
fn the_fastest_of_those_that_are_right_is_chosen() {
    check([Give(0.0, 50.0), Give(1e-4, 40.0), Give(1e-3, 60.0)], Subgroups, &[]);
    check([Give(0.0, 30.0), Give(1e-4, 40.0), Give(1e-3, 60.0)], Plain, &[]);
    check([Give(0.0, 50.0), Give(1e-4, 40.0), Give(9e-3, 20.0)], Int8, &[]);
    // A tie changes nothing.
    check([Give(0.0, 39.0), Give(1e-4, 40.0), Give(1e-3, 39.5)], Subgroups, &[]);
    // What is not there is not held against it.
    check([Give(0.0, 50.0), NotExist, Give(1e-3, 60.0)], Plain, &[]);
    check([Give(0.0, 50.0), NotExist, NotExist], Plain, &[]);
}

#[test]
fn wrong_ones_are_excluded_however_fast_they_are() {
    let wrong = |found: &str, allowed: &str| {
        format!("They compute wrongly: off by {found} standard deviations, where {allowed} is allowed.")
    };
    check(
        [Give(0.0, 50.0), Give(2e-3, 1.0), Give(1e-3, 60.0)],
        Plain,
        &[(Subgroups, &wrong("2.0e-3", "1e-3"))],
    );
    check(
        [Give(0.0, 50.0), Give(1e-4, 40.0), Give(0.5, 1.0)],
        Subgroups,
        &[(Int8, &wrong("5.0e-1", "1e-2"))],
    );
    check([Give(0.0, 50.0), Nan, NotExist], Plain, &[(Subgroups, "What they compute is not a number.")]);
}

#[test]
fn those_that_do_not_compile_are_excluded() {
    const REFUSED: &str = "The GPU refused a plan.";
    check([Give(0.0, 50.0), NotCompile, NotCompile], Plain, &[(Subgroups, REFUSED), (Int8, REFUSED)]);
}

/// A computer sleeps, a driver is updated, a browser has no time for a page that nobody sees: none of that comes twice.
#[test]
fn those_that_hang_or_lose_the_device_twice_are_excluded() {
    const IN_VAIN: &str = "They did not answer within 0 seconds.";
    let right = Give(0.0, 40.0);
    for (does, reason) in
        [(Hang, IN_VAIN), (HangLater, IN_VAIN), (HangAt(3), IN_VAIN), (Lose, "The GPU was lost.")]
    {
        let aside = MemoryAside::default();
        let visit = |does| try_with(&aside, [Give(0.0, 50.0), does, Give(1e-3, 60.0)], Subgroups);
        let (report, _, excluded) = visit(does);
        assert_eq!((report.chosen, excluded), (Plain, Vec::new()), "{does:?}");
        assert!(
            matches!(&report.rows[1].verdict, Verdict::Failed { reason: it } if it == reason),
            "{report:?}"
        );
        assert_eq!(known(&aside).0, None, "{does:?}: they are tried again");

        // Once they have done well, all is forgiven.
        assert_eq!(visit(right).0.chosen, Subgroups, "{does:?}");
        assert!(known(&aside).0.is_some(), "{does:?}");
        assert_eq!(visit(does).2, [], "{does:?}");
        let (report, asked, excluded) = visit(does);
        let expected = Excluded { kernels: Subgroups, reason: reason.to_owned() };
        assert_eq!((report.chosen, asked.contains(&Subgroups), excluded), (Plain, true, vec![expected]));
        assert_eq!(known(&aside).0, Some(report), "{does:?}");
    }
}

/// Without any that may be used the device keeps what it has; else it gets another kind.
#[test]
fn none_that_are_excluded_are_chosen_while_there_are_others() {
    for (down, untried, chosen) in [
        (&[Plain][..], Plain, Subgroups),
        (&[Plain], Subgroups, Subgroups),
        (&[Plain, Subgroups], Subgroups, Int8),
        (&[Subgroups], Subgroups, Plain),
        (&[Plain, Subgroups, Int8], Subgroups, Subgroups),
    ] {
        let aside = MemoryAside::default();
        down.iter().for_each(|kernels| (0..2).for_each(|_| go_down_with(&aside, *kernels)));
        let does = if down.contains(&Plain) { [Give(0.0, 9.0); 3] } else { [NotExist; 3] };
        assert_eq!(try_with(&aside, does, untried).0.chosen, chosen, "{down:?}");
    }
}

/// A visit in which kernels hang and nobody waits: what tried them is let go of, or the page goes down.
fn let_go_of(aside: &MemoryAside, does: [Does; 3]) -> Underway {
    let underway = Underway::default();
    let stand = FakeStand::new(does, [NotExist; 2], &StopFlag::default());
    let hangs = stand.hangs.clone();
    {
        let mut book = block_on(Book::open(aside, &underway, "here"));
        let endless: Pause = Rc::new(|| Box::pin(pending()));
        let trials = Trials::new(stand, &mut book, SOON, endless, &StopFlag::default());
        let mut trials = pin!(trials.run(Subgroups));
        block_on(poll_fn(|context| match trials.as_mut().poll(context) {
            Poll::Pending if hangs.get() => Poll::Ready(()),
            Poll::Pending => Poll::Pending,
            Poll::Ready(report) => panic!("not let go of: {report:?}"),
        }));
    }
    underway
}

/// Whoever is tried when the page goes down, compared or timed, has the only mark; and none if the page lives on.
#[test]
fn a_trial_that_is_let_go_of_leaves_a_mark_only_where_the_page_went_down() {
    let gives = Give(0.0, 40_000.0);
    for (does, down) in [
        ([gives, Hang, gives], Subgroups),
        ([gives, HangLater, gives], Subgroups),
        ([gives, HangAt(3), gives], Subgroups),
        ([HangAt(4), gives, gives], Plain),
        ([gives, gives, HangAt(2)], Int8),
    ] {
        let (crashed, cancelled) = (MemoryAside::default(), MemoryAside::default());
        for _ in 0..2 {
            let_go_of(&crashed, does);
            let underway = let_go_of(&cancelled, does);
            block_on(book::take_back(&cancelled, &underway));
        }
        let excluded: Vec<Kernels> = known(&crashed).1.iter().map(|it| it.kernels).collect();
        assert_eq!((excluded, known(&cancelled).1), (vec![down], Vec::new()), "{does:?}");
    }
    // What was marked before stays so.
    let aside = MemoryAside::default();
    go_down_with(&aside, Subgroups);
    block_on(book::take_back(&aside, &let_go_of(&aside, [gives, Hang, gives])));
    go_down_with(&aside, Subgroups);
    assert_eq!(known(&aside).1.len(), 1);
}

#[test]
fn trials_that_are_stopped_end_at_once_and_change_nothing() {
    for does in [[Hang; 3], [Give(0.0, 40_000.0), HangAt(3), NotExist]] {
        let aside = MemoryAside::default();
        let before = try_with(&aside, [Give(0.0, 50.0), Give(0.0, 40.0), NotExist], Subgroups).0;
        for _ in 0..2 {
            let (underway, stop) = (Underway::default(), StopFlag::default());
            let stand = FakeStand::new(does, [NotExist; 2], &stop);
            let mut book = block_on(Book::open(&aside, &underway, "here"));
            let trials = Trials::new(stand, &mut book, Duration::MAX, pause(), &stop);
            assert_eq!(block_on(trials.run(Subgroups)), None, "{does:?}");
        }
        assert_eq!(known(&aside), (Some(before), Vec::new()), "{does:?}");
    }
}

#[test]
fn without_the_plain_ones_nothing_is_known() {
    for does in [Nan, Hang, Lose, NotCompile, NotExist] {
        let aside = MemoryAside::default();
        for _ in 0..3 {
            let does = [does, Give(0.0, 1.0), Give(0.0, 1.0)];
            let (report, asked, excluded) = try_with(&aside, does, Subgroups);
            assert_eq!((report.chosen, asked, excluded), (Subgroups, vec![Plain], Vec::new()), "{does:?}");
            let is_untried = |row: &TuningRow| matches!(row.verdict, Verdict::Untried { .. });
            assert!(report.rows.iter().all(is_untried), "{report:?}");
            assert_eq!(known(&aside).0, None, "{does:?}: it is tried again");
        }
    }
}

#[test]
fn those_that_are_excluded_are_not_tried_again() {
    let aside = MemoryAside::default();
    let (_, asked, first) = try_with(&aside, [Give(0.0, 50.0), Nan, Give(1e-3, 60.0)], Subgroups);
    assert_eq!(asked, [Plain, Subgroups, Int8]);
    let (report, asked, again) =
        try_with(&aside, [Give(0.0, 50.0), Give(0.0, 1.0), Give(1e-3, 60.0)], Subgroups);
    assert_eq!((report.chosen, asked, again), (Plain, vec![Plain, Int8], first));
}

/// A visit that ends in the middle of a trial.
fn go_down_with(aside: &MemoryAside, kernels: Kernels) {
    let underway = Underway::default();
    block_on(block_on(Book::open(aside, &underway, "here")).begin(kernels)).unwrap();
}

#[test]
fn those_that_take_the_page_down_twice_are_excluded() {
    let right = [Give(0.0, 50.0), Give(0.0, 1.0), Give(1e-3, 60.0)];
    for (visits, excluded) in [(1, false), (2, true), (3, true)] {
        let aside = MemoryAside::default();
        (0..visits).for_each(|_| go_down_with(&aside, Subgroups));
        let (report, asked, found) = try_with(&aside, right, Subgroups);
        assert_eq!(asked.contains(&Subgroups), !excluded, "{visits}");
        assert_eq!(report.chosen, if excluded { Plain } else { Subgroups }, "{visits}");
        assert_eq!(found.iter().any(|it| it.kernels == Subgroups), excluded, "{visits}");
    }
    // Even if an earlier visit has chosen them.
    let aside = MemoryAside::default();
    assert_eq!(try_with(&aside, right, Subgroups).0.chosen, Subgroups);
    for known in [true, true, false] {
        assert_eq!(self::known(&aside).0.is_some(), known);
        go_down_with(&aside, Subgroups);
    }
    // A trial that ends takes the marks back.
    let aside = MemoryAside::default();
    for _ in 0..2 {
        go_down_with(&aside, Int8);
        assert_eq!(try_with(&aside, right, Subgroups).2, []);
    }
}

#[test]
fn what_cannot_be_marked_is_not_tried() {
    let aside = MemoryAside::default();
    // The first call opens the book, the second would be the mark.
    aside.plan(1, StoreFault::Fail(StoreError::Storage { detail: "full".into() }));
    let (report, asked, _) = try_with(&aside, [Give(0.0, 50.0); 3], Subgroups);
    assert_eq!((report.chosen, asked), (Subgroups, Vec::new()));
}

#[test]
fn damaged_notes_are_none() {
    let changes: [fn(&mut Vec<u8>); 5] = [
        |bytes| bytes[0] ^= 1,
        |bytes| bytes[100] ^= 1,
        |bytes| bytes.truncate(80),
        Vec::clear,
        |bytes| bytes.fill(0xFF),
    ];
    for (index, change) in changes.into_iter().enumerate() {
        let aside = MemoryAside::default();
        let (report, _, excluded) = try_with(&aside, [Give(0.0, 50.0), Nan, Give(1e-3, 60.0)], Subgroups);
        assert_eq!((known(&aside), excluded.len()), ((Some(report), excluded), 1));
        aside.damage(change);
        assert_eq!(known(&aside), (None, Vec::new()), "change {index}");
    }
}
