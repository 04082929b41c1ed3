//! What a benchmark has found: tables for people, and JSON to be sent on.

use std::rc::Rc;

use protocol::{
    AccuracyMeasure, AccuracyReference, AccuracyReport, BenchmarkReport, Kernels, LeftOut, LeftOutReason,
    SpeedReport,
};
use yew::{Html, Properties, component, html};

use super::copy_button::CopyButton;
use super::tuning::tuning;
use crate::format::{bytes, count, rate, seconds, share, speed};
use crate::platform;

#[derive(Properties, PartialEq)]
pub(super) struct ReportProps {
    pub report: Rc<BenchmarkReport>,
}

#[component]
pub(super) fn Report(props: &ReportProps) -> Html {
    let report = &*props.report;
    let json = platform::json(report);
    let verdict = if report.accuracy.passed { "passed" } else { "failed" };
    html! {
        <section class="report" aria-label="What the benchmark found" data-testid="benchmark-report">
            <h3>{ "Correctness" }</h3>
            <p class={verdict} data-testid="benchmark-accuracy" data-verdict={verdict}>{ accuracy(&report.accuracy) }</p>
            <h3>{ "Speed" }</h3>
            { speeds(&report.speeds) }
            { for report.left_out.iter().map(left_out) }
            { for report.tuning.iter().map(tuning) }
            <h3>{ "Device and model" }</h3>
            <table>
                <tbody>
                    { for facts(report).into_iter().map(|(name, fact)| html! {
                        <tr><th scope="row">{ name }</th><td><bdi>{ fact }</bdi></td></tr>
                    }) }
                </tbody>
            </table>
            <div class="report-json">
                <details>
                    <summary>{ "All of it as JSON" }</summary>
                    <pre tabindex="0" data-testid="benchmark-json">{ &json }</pre>
                </details>
                <CopyButton text={json} label="Copy JSON" word="Copy JSON" />
            </div>
        </section>
    }
}

fn speeds(speeds: &[SpeedReport]) -> Html {
    let figure = |figure: Option<String>| figure.unwrap_or_else(|| "–".to_owned());
    let row = |speed: &SpeedReport| {
        html! {
            <tr>
                <th scope="row">{ count(speed.prompt_tokens.into()) }</th>
                <td>{ figure(rate(speed.prefill_tokens_per_second)) }</td>
                <td>{ figure(rate(speed.decode_tokens_per_second)) }</td>
                <td>{ figure(speed.bandwidth_fraction.and_then(share)) }</td>
            </tr>
        }
    };
    html! {
        <table class="figures">
            <thead>
                <tr>
                    <th scope="col">{ "Prompt, tokens" }</th>
                    <th scope="col">{ "Read, tok/s" }</th>
                    <th scope="col">{ "Written, tok/s" }</th>
                    <th scope="col" title="What writing reads a second, of what the device can read">{ "Of the limit" }</th>
                </tr>
            </thead>
            <tbody>{ for speeds.iter().map(row) }</tbody>
        </table>
    }
}

fn left_out(left_out: &LeftOut) -> Html {
    let tokens = count(left_out.prompt_tokens.into());
    let words = match left_out.reason {
        LeftOutReason::Context => format!("{tokens} tokens were left out: the context is shorter."),
        LeftOutReason::Time => format!("{tokens} tokens were left out: they would have taken too long."),
    };
    html! { <p class="note" data-testid="benchmark-left-out">{ words }</p> }
}

fn accuracy(report: &AccuracyReport) -> String {
    let verdict = if report.passed { "Right" } else { "Wrong" };
    let against = match report.against {
        AccuracyReference::Stored => "compared with what another implementation computed",
        AccuracyReference::Itself => {
            "nothing is stored for this model, so what it gives token by token was compared with what it gives for all at once"
        }
    };
    let (measured, unit) = match report.judged_by {
        AccuracyMeasure::Error => (report.error, "of the logits’ standard deviation"),
        AccuracyMeasure::Divergence => (report.divergence, "nats"),
    };
    let found = match measured {
        Some(measured) => format!("off by {measured:.1e} {unit}, where {:.0e} is allowed", report.bound),
        None => "something was not a number".to_owned(),
    };
    let ids = report.greedy.map(|ids| format!("; {} of {} tokens as expected", ids.agreed, ids.expected));
    format!("{verdict}: {against}; {found}{}.", ids.unwrap_or_default())
}

fn facts(report: &BenchmarkReport) -> Vec<(&'static str, String)> {
    let BenchmarkReport { model, device, adapter, .. } = report;
    let (computer, kernels) = match device.kernels {
        Kernels::Simd => ("the processor’s vector instructions", ""),
        Kernels::Reference => ("the processor, slowly", ""),
        of_gpu => ("the GPU, ", of_gpu.words()),
    };
    let software = if device.software { "; software stands for it" } else { "" };
    let mut facts = vec![
        ("Model", format!("{}, {}, {}", model.name, model.quantization, bytes(model.bytes))),
        ("Device", device.adapter.clone()),
        ("Computed by", format!("{computer}{kernels}{software}")),
    ];
    if let Some(adapter) = adapter {
        facts.extend(adapter.vendor.clone().map(|vendor| ("Vendor", vendor)));
        let features =
            if adapter.features.is_empty() { "none".to_owned() } else { adapter.features.join(", ") };
        facts.push(("Features", features));
        let sizes = adapter.subgroup_sizes.map(|[min, max]| format!("{min} to {max} lanes"));
        facts.extend(sizes.map(|sizes| ("Subgroups", sizes)));
        facts.push(("Largest binding", bytes(adapter.binding_bytes)));
    }
    facts.extend(report.read_bytes_per_second.and_then(speed).map(|speed| ("Memory is read at", speed)));
    facts.extend(report.weight_bytes_per_token.map(|count| ("Weights that a token reads", bytes(count))));
    facts.push((
        "Keys and values",
        format!("{}, {} a token", model.kv.name(), bytes(model.kv_bytes_per_token)),
    ));
    facts.push(("Time taken", seconds(report.seconds)));
    facts
}
