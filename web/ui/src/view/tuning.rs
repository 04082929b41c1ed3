//! What came of trying kernels on this device.

use protocol::{Excluded, Kernels, PrefillReport, TuningReport, TuningRow, Verdict};
use yew::{Html, html};

use crate::state::Loaded;

/// A table: each kind of kernels, whether they are right, and how fast they are; then the same for many tokens at once.
pub(super) fn tuning(report: &TuningReport) -> Html {
    let row = |row: &TuningRow| tuning_row(row.kernels.words().to_owned(), row, report.chosen);
    let many = |PrefillReport { rows, chosen, tokens }: &PrefillReport| {
        let row =
            |row: &TuningRow| tuning_row(format!("{tokens} tokens, {}", row.kernels.numbers()), row, *chosen);
        html! { <tbody>{ for rows.iter().map(row) }</tbody> }
    };
    html! {
        <>
            <h3>{ "Kernels, tried on one made-up layer" }</h3>
            <table class="figures tuning" data-testid="tuning">
                <thead>
                    <tr>
                        <th scope="col">{ "Kernels" }</th>
                        <th scope="col">{ "Compared with the first" }</th>
                        <th scope="col">{ "µs a token" }</th>
                    </tr>
                </thead>
                <tbody>{ for report.rows.iter().map(row) }</tbody>
                { for report.prefill.iter().map(many) }
            </table>
        </>
    }
}

fn tuning_row(name: String, row: &TuningRow, chosen: Kernels) -> Html {
    let is_chosen = row.kernels == chosen;
    let time = row.microseconds.map_or("–".to_owned(), |time| format!("{time:.1}"));
    html! {
        <tr data-testid="tuning-row" aria-current={is_chosen.then_some("true")}>
            <th scope="row">{ name }{ if is_chosen { " (chosen)" } else { "" } }</th>
            <td><bdi>{ verdict(&row.verdict) }</bdi></td>
            <td>{ time }</td>
        </tr>
    }
}

/// A line for each kind of kernels that are not used on this device. None on most.
pub(super) fn excluded_note(loaded: Option<&Loaded>) -> Html {
    let Some(loaded) = loaded else { return Html::default() };
    let line = |Excluded { kernels, reason }: &Excluded| {
        html! {
            <p class="slow" data-testid="excluded">
                { format!("Kernels {} are not used on this device. ", kernels.words()) }
                <bdi>{ reason }</bdi>
            </p>
        }
    };
    html! { <>{ for loaded.device.excluded.iter().map(line) }</> }
}

fn verdict(verdict: &Verdict) -> String {
    match verdict {
        Verdict::Reference => "–".to_owned(),
        Verdict::Right { deviation } => format!("Right, off by {deviation:.1e}"),
        Verdict::Wrong { deviation: Some(deviation), bound } => {
            format!("Wrong: off by {deviation:.1e}, where {bound:.0e} is allowed")
        }
        Verdict::Wrong { deviation: None, .. } => "Wrong: not a number".to_owned(),
        Verdict::Failed { reason } | Verdict::Untried { reason } => reason.clone(),
    }
}
