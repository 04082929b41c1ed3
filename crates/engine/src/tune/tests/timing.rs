//! How long kernels are timed.

use super::*;

/// Three turns at the end of each round, so that whatever disturbs one kind disturbs the others, too.
#[test]
fn all_are_timed_in_turns_within_a_second() {
    // The last takes longest up to a run that is long enough: what comes before it is nearly as long.
    for microseconds in [0.5, 50.0, 5_000.0, 19_999.0, 39_999.0, 78.12] {
        let layer = Give(0.0, microseconds);
        let (aside, underway) = (MemoryAside::default(), Underway::default());
        let stand = FakeStand::new([layer; 3], layer, &StopFlag::default());
        let runs = stand.runs.clone();
        let mut book = block_on(Book::open(&aside, &underway, "here"));
        let trials = Trials::new(stand, &mut book, SOON, pause(), &StopFlag::default());
        assert!(block_on(trials.run(Subgroups)).is_some());

        let (timed, seconds): (Vec<Kernels>, Vec<f64>) = runs.take().into_iter().unzip();
        assert!(seconds.iter().sum::<f64>() <= 1.0, "{microseconds} µs a layer: {seconds:?}");
        let token = timed.iter().rposition(|kernels| *kernels == Int8).unwrap();
        for (turn, timed) in
            [(&[Plain, Subgroups, Int8][..], &timed[..=token]), (&[Subgroups, Halves], &timed)]
        {
            assert!(timed.ends_with(&turn.repeat(3)), "{microseconds} µs a layer: {timed:?}");
        }
    }
}
