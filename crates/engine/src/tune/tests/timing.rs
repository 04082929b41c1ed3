//! How long kernels are timed.

use super::*;

/// Three turns at the end of each round, so that whatever disturbs one kind disturbs the others, too.
#[test]
fn all_are_timed_in_turns_within_a_second() {
    // The last takes longest up to a run that is long enough: what comes before it is nearly as long.
    for microseconds in [0.5, 50.0, 5_000.0, 15_999.0, 31_999.0, 62.49] {
        let layer = Give(0.0, microseconds);
        let (aside, underway) = (MemoryAside::default(), Underway::default());
        let stand = FakeStand::new([layer; 3], [layer; 2], &StopFlag::default());
        let runs = stand.runs.clone();
        let mut book = block_on(Book::open(&aside, &underway, "here"));
        let trials = Trials::new(stand, &mut book, SOON, pause(), &StopFlag::default());
        assert!(block_on(trials.run(Subgroups)).is_some());

        let (timed, seconds): (Vec<Way>, Vec<f64>) = runs.take().into_iter().unzip();
        assert!(seconds.iter().sum::<f64>() <= 1.0, "{microseconds} µs a layer: {seconds:?}");
        let of = |round: Round| {
            timed.iter().filter(|(of, _)| *of == round).map(|(_, kernels)| *kernels).collect::<Vec<_>>()
        };
        let (one, many) = (of(Round::Decode), of(Round::Prefill(Subgroups)));
        for (turn, timed) in [([Plain, Subgroups, Int8], one), ([Subgroups, Halves, Int8], many)] {
            assert!(timed.ends_with(&turn.repeat(3)), "{microseconds} µs a layer: {timed:?}");
        }
    }
}
