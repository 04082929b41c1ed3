//! Many tokens in halves and in whole numbers, tried beside floats.

use super::*;

/// What a token's do: subgroups are the fastest.
const ONE: [Does; 3] = [Give(0.0, 50.0), Give(1e-4, 40.0), Give(1e-3, 60.0)];

/// Slower than floats.
const SLOW: Does = Give(1e-3, 30.0);

/// What many tokens are multiplied in, and what is excluded.
#[track_caller]
fn check(many: [Does; 2], chosen: Kernels, excluded: &[(Kernels, &str)]) {
    let aside = MemoryAside::default();
    let (report, asked, found) = try_many(&aside, ONE, many, Subgroups);
    let round = Round::Prefill(Subgroups);
    let expected = [Subgroups, Halves, Int8].map(|kernels| (round, kernels));
    assert_eq!((report.chosen, asked.ends_with(&expected)), (Subgroups, true), "{many:?}: {asked:?}");
    let prefill = report.prefill.clone().unwrap();
    assert_eq!(prefill.chosen, chosen, "{many:?}: {prefill:?}");
    let rows: Vec<Kernels> = prefill.rows.iter().map(|row| row.kernels).collect();
    assert_eq!(rows, [Subgroups, Halves, Int8]);
    // A token's part of what all take.
    let time = prefill.rows[0].microseconds.unwrap() * prefill.tokens as f64;
    assert!((time - 20.0).abs() < 1e-6, "{time}");
    let found: Vec<_> = found.iter().map(|it| (it.kernels, it.reason.as_str())).collect();
    assert_eq!(found, excluded, "{many:?}");
    // A later visit knows, and takes the same.
    let later = known(&aside).0.and_then(|report| report.prefill);
    assert_eq!(later.map(|prefill| prefill.chosen), Some(chosen), "{many:?}");
}

#[test]
fn the_fastest_of_those_that_are_right_is_chosen() {
    check([Give(5e-3, 15.0), SLOW], Halves, &[]);
    check([SLOW, Give(5e-3, 15.0)], Int8, &[]);
    check([Give(5e-3, 16.0), Give(5e-3, 15.0)], Int8, &[]);
    check([Give(5e-3, 25.0), SLOW], Subgroups, &[]);
    check([Give(5e-3, 19.8), Give(5e-3, 19.7)], Subgroups, &[]); // A tie.
    check([NotExist, NotExist], Subgroups, &[]);
}

#[test]
fn wrong_ones_are_excluded_however_fast_they_are() {
    check([Nan, SLOW], Subgroups, &[(Halves, "What they compute is not a number.")]);
    check([NotCompile, SLOW], Subgroups, &[(Halves, "The GPU refused a plan.")]);
    const WRONG: &str = "They compute wrongly: off by 2.0e-2 standard deviations, where 1e-2 is allowed.";
    check([Give(2e-2, 1.0), SLOW], Subgroups, &[(Halves, WRONG)]);
    check([SLOW, Give(2e-2, 1.0)], Subgroups, &[(Int8, WRONG)]);
}

#[test]
fn they_are_tried_whatever_a_token_is_multiplied_in() {
    let does = [Give(0.0, 50.0), Give(1e-4, 40.0), Give(1e-3, 20.0)];
    for (many, chosen) in [([Give(0.0, 1.0), SLOW], Halves), ([SLOW; 2], Plain), ([NotExist; 2], Plain)] {
        let (report, asked, _) = try_many(&MemoryAside::default(), does, many, Subgroups);
        let prefill = report.prefill.unwrap();
        assert_eq!((report.chosen, prefill.chosen), (Int8, chosen), "{many:?}");
        assert_eq!(asked.last(), Some(&(Round::Prefill(Plain), Int8)));
    }
}

#[test]
fn a_token_is_not_multiplied_in_what_is_wrong_for_many() {
    let does = [Give(0.0, 50.0), Give(1e-4, 40.0), Give(1e-3, 20.0)];
    let (report, _, excluded) = try_many(&MemoryAside::default(), does, [SLOW, Nan], Plain);
    assert_eq!((report.chosen, report.prefill.unwrap().chosen), (Subgroups, Plain));
    assert_eq!(excluded.iter().map(|it| it.kernels).collect::<Vec<_>>(), [Int8]);
}

#[test]
fn halves_that_hang_twice_are_excluded_and_no_others_are() {
    let aside = MemoryAside::default();
    let visit = |halves| try_many(&aside, [Give(0.0, 40.0); 3], [halves, SLOW], Subgroups);
    for (hangs, excluded) in [(Hang, false), (HangAt(2), true), (Give(0.0, 1.0), true)] {
        let (report, _, found) = visit(hangs);
        assert_eq!((report.chosen, report.prefill.unwrap().chosen), (Subgroups, Subgroups), "{hangs:?}");
        let found: Vec<Kernels> = found.iter().map(|it| it.kernels).collect();
        assert_eq!(found, if excluded { vec![Halves] } else { vec![] }, "{hangs:?}");
        assert_eq!(known(&aside).0.is_some(), excluded, "{hangs:?}");
    }
    // Those that were chosen once, and have taken the page down twice since.
    let aside = MemoryAside::default();
    try_many(&aside, [Give(0.0, 40.0); 3], [Give(0.0, 1.0), SLOW], Subgroups);
    for known in [true, true, false] {
        assert_eq!(self::known(&aside).0.is_some(), known);
        go_down_with(&aside, Halves);
    }
}
