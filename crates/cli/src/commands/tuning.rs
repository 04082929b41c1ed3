//! What came of trying kernels, as a table.

use std::fmt::Write;

use protocol::{Kernels, PrefillReport, TuningReport, TuningRow, Verdict};

/// A line for each kind of kernels, and the one that was chosen; then the same for many tokens.
pub(super) fn table(report: &TuningReport) -> String {
    let mut table = format!("kernels, tried in {:.1} s on one made-up layer\n", report.seconds);
    for row in &report.rows {
        add_line(&mut table, row.kernels.words(), row, report.chosen);
    }
    if let Some(PrefillReport { rows, chosen, tokens }) = &report.prefill {
        for row in rows {
            add_line(&mut table, &format!("{tokens} tokens, {}", row.kernels.numbers()), row, *chosen);
        }
    }
    table
}

fn add_line(table: &mut String, name: &str, row: &TuningRow, chosen: Kernels) {
    let TuningRow { kernels, verdict, microseconds } = row;
    let time = microseconds.map_or("–".to_owned(), |time| format!("{time:.1}"));
    let mark = if *kernels == chosen { "  <- chosen" } else { "" };
    // Writing to a `String` cannot fail.
    let _ = writeln!(table, "  {name:38} {time:>10} µs a token and layer  {}{mark}", words(verdict));
}

fn words(verdict: &Verdict) -> String {
    match verdict {
        Verdict::Reference => "what the others are compared with".to_owned(),
        Verdict::Right { deviation } => format!("right, off by {deviation:.1e}"),
        Verdict::Wrong { deviation: Some(deviation), bound } => {
            format!("wrong, off by {deviation:.1e} where {bound:.0e} is allowed")
        }
        Verdict::Wrong { deviation: None, .. } => "wrong, not a number".to_owned(),
        Verdict::Failed { reason } => format!("failed: {reason}"),
        Verdict::Untried { reason } => format!("not tried: {reason}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_has_a_line_and_one_is_chosen() {
        let row = |kernels, verdict, microseconds| TuningRow { kernels, verdict, microseconds };
        let wrong = Verdict::Wrong { deviation: Some(0.25), bound: 1e-3 };
        let rows = vec![
            row(Kernels::Plain, Verdict::Reference, Some(123.45)),
            row(Kernels::Subgroups, wrong, None),
            row(Kernels::Int8, Verdict::Right { deviation: 1e-4 }, Some(99.0)),
        ];
        let many = vec![
            row(Kernels::Plain, Verdict::Reference, Some(7.0)),
            row(Kernels::Halves, Verdict::Right { deviation: 1e-3 }, Some(4.0)),
        ];
        let prefill = Some(PrefillReport { rows: many, chosen: Kernels::Halves, tokens: 64 });
        let table = table(&TuningReport { rows, chosen: Kernels::Int8, prefill, seconds: 1.25 });
        let lines: Vec<&str> = table.lines().collect();
        assert_eq!(lines.len(), 6, "{table}");
        assert!(lines[4].contains("64 tokens, in floats") && !lines[4].contains("chosen"), "{table}");
        assert!(lines[5].contains("64 tokens, in halves") && lines[5].ends_with("<- chosen"), "{table}");
        assert!(lines[1].contains("without subgroups") && lines[1].contains("123.5 µs a token"), "{table}");
        assert!(lines[2].contains("– µs") && lines[2].contains("wrong, off by 2.5e-1 where 1e-3"), "{table}");
        assert!(lines[3].ends_with("right, off by 1.0e-4  <- chosen"), "{table}");
    }
}
