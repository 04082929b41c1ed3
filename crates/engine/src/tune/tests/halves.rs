//! Many tokens in halves, tried beside floats.

use super::*;

/// Whether many tokens are multiplied in halves, and what is excluded.
#[track_caller]
fn check_halves(halves: Does, chosen: Kernels, excluded: &[&str]) {
    let does = [Give(0.0, 50.0), Give(1e-4, 40.0), Give(1e-3, 60.0)];
    let aside = MemoryAside::default();
    let (report, asked, found) = try_halves(&aside, does, halves, Subgroups);
    assert_eq!((report.chosen, asked.last()), (Subgroups, Some(&Halves)), "{halves:?}");
    let prefill = report.prefill.clone().unwrap();
    assert_eq!(prefill.chosen, chosen, "{halves:?}: {prefill:?}");
    assert_eq!((prefill.rows[0].kernels, prefill.rows[1].kernels), (Subgroups, Halves));
    // A token's part of what all take.
    let time = prefill.rows[0].microseconds.unwrap() * prefill.tokens as f64;
    assert!((time - 20.0).abs() < 1e-6, "{time}");
    let found: Vec<_> = found.iter().map(|it| (it.kernels, it.reason.as_str())).collect();
    let excluded: Vec<_> = excluded.iter().map(|reason| (Halves, *reason)).collect();
    assert_eq!(found, excluded, "{halves:?}");
    // A later visit knows, and takes the same.
    let later = known(&aside).0.and_then(|report| report.prefill);
    assert_eq!(later.map(|prefill| prefill.chosen), Some(chosen), "{halves:?}");
}

#[test]
fn halves_are_chosen_if_they_are_right_and_faster_than_floats() {
    check_halves(Give(5e-3, 15.0), Halves, &[]);
    check_halves(Give(5e-3, 25.0), Subgroups, &[]);
    check_halves(Give(5e-3, 19.8), Subgroups, &[]); // A tie.
    check_halves(NotExist, Subgroups, &[]);
    check_halves(Nan, Subgroups, &["What they compute is not a number."]);
    check_halves(NotCompile, Subgroups, &["The GPU refused a plan."]);
    const WRONG: &str = "They compute wrongly: off by 2.0e-2 standard deviations, where 1e-2 is allowed.";
    check_halves(Give(2e-2, 1.0), Subgroups, &[WRONG]);
}

#[test]
fn whole_numbers_leave_nothing_to_halves() {
    let does = [Give(0.0, 50.0), Give(1e-4, 40.0), Give(1e-3, 20.0)];
    let (report, asked, _) = try_halves(&MemoryAside::default(), does, Give(0.0, 1.0), Subgroups);
    assert_eq!((report.chosen, report.prefill, asked), (Int8, None, vec![Plain, Subgroups, Int8]));
}

#[test]
fn halves_that_hang_twice_are_excluded_and_no_others_are() {
    let aside = MemoryAside::default();
    let visit = |halves| try_halves(&aside, [Give(0.0, 40.0); 3], halves, Subgroups);
    for (hangs, excluded) in [(Hang, false), (HangAt(2), true), (Give(0.0, 1.0), true)] {
        let (report, _, found) = visit(hangs);
        assert_eq!((report.chosen, report.prefill.unwrap().chosen), (Subgroups, Subgroups), "{hangs:?}");
        let found: Vec<Kernels> = found.iter().map(|it| it.kernels).collect();
        assert_eq!(found, if excluded { vec![Halves] } else { vec![] }, "{hangs:?}");
        assert_eq!(known(&aside).0.is_some(), excluded, "{hangs:?}");
    }
    // Those that were chosen once, and have taken the page down twice since.
    let aside = MemoryAside::default();
    try_halves(&aside, [Give(0.0, 40.0); 3], Give(0.0, 1.0), Subgroups);
    for known in [true, true, false] {
        assert_eq!(self::known(&aside).0.is_some(), known);
        go_down_with(&aside, Halves);
    }
}
