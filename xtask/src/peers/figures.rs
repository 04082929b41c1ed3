//! From the runs of `tests/browser/peers.mjs` to rows: speeds that are worked out alike for all, and Pronk's by each
//! peer's of the same round, since a machine is not equally fast all day.
//!
//! A run says how many tokens the prompt and the answer have, the seconds from the call to the first token as the page
//! gets it, and the seconds from that to the last.

use anyhow::{Context, Result};
use serde_json::{Value, json};

use super::spread::Spread;

/// The fastest peer with so many threads, what is compared, and how many times as fast Pronk should be with as many.
const AIMS: [(u64, &str, f64); 4] =
    [(1, "prefill", 1.3), (1, "decode", 2.0), (2, "prefill", 1.0), (2, "decode", 1.0)];

/// Speeds count only where nothing else runs: the most that other programs may take of a processor meanwhile.
const MOST_BUSY: f64 = 0.1;

/// What `peers.mjs` calls us.
const PRONK: &str = "Pronk";

/// What is told of each of them: its name, its unit, and what of a run it is.
const MEASURES: [(&str, &str, Measure); 5] = [
    ("prefill", "tok/s", prefill),
    ("decode", "tok/s", decode),
    ("time to the first token", "s", |run| run.number("first_token")),
    ("downloaded by the first load", "MB", |run| Some(run.number("downloaded")? / 1e6)),
    ("memory at its largest", "MiB", |run| run.number("memory")),
];

/// What of a run is told, if it is known.
type Measure = fn(&Run) -> Option<f64>;

fn prefill(run: &Run) -> Option<f64> {
    Some((run.number("prompt_tokens")? - run.number("reused_tokens")?) / run.number("first_token")?)
}

fn decode(run: &Run) -> Option<f64> {
    Some((run.number("tokens")? - 1.0) / run.number("decode")?)
}

/// What was asked and answered, which should be the same for all.
const COUNTS: [(&str, &str); 2] = [("prompt", "prompt_tokens"), ("answer", "tokens")];

/// A turn of one of them.
struct Run<'a>(&'a Value);

impl Run<'_> {
    fn number(&self, key: &str) -> Option<f64> {
        self.0[key].as_f64()
    }

    fn round(&self) -> Option<u64> {
        self.0["round"].as_u64()
    }
}

/// Somebody who was measured, with all turns.
struct Contestant<'a> {
    name: &'a str,
    device: &'a str,
    threads: u64,
    runs: Vec<Run<'a>>,
}

/// A table for each of them, and one for the aims.
pub(super) fn rows(said: &Value) -> Result<Vec<(String, Value)>> {
    let all = contestants(said);
    let pronk = |device: &str, threads| {
        all.iter().find(|one| one.is_pronk() && (one.device, one.threads) == (device, threads))
    };
    pronk("cpu", 1).context("Pronk itself was not measured; what went wrong is said above.")?;
    let table = |one: &Contestant| {
        let beside = pronk(one.device, one.threads).filter(|_| !one.is_pronk());
        (one.title(), one.rows(beside))
    };
    let mut tables: Vec<(String, Value)> = all.iter().map(table).collect();
    tables.push(("Pronk on the CPU by the fastest peer".to_owned(), aims(&all)));
    tables.push(("Peers: what else is to be known".to_owned(), notes(said)));
    Ok(tables)
}

/// In the order of their first turns.
fn contestants(said: &Value) -> Vec<Contestant<'_>> {
    let mut all: Vec<Contestant> = Vec::new();
    for run in said["runs"].as_array().into_iter().flatten() {
        let name = run["name"].as_str().unwrap_or_default();
        let device = run["device"].as_str().unwrap_or_default();
        let threads = run["threads"].as_u64().unwrap_or(1);
        match all.iter_mut().find(|one| (one.name, one.device, one.threads) == (name, device, threads)) {
            Some(one) => one.runs.push(Run(run)),
            None => all.push(Contestant { name, device, threads, runs: vec![Run(run)] }),
        }
    }
    all
}

impl Contestant<'_> {
    fn is_pronk(&self) -> bool {
        self.name == PRONK
    }

    fn title(&self) -> String {
        format!("{}, {}", self.name, place(self.device, self.threads))
    }

    fn rows(&self, pronk: Option<&Contestant>) -> Value {
        let mut rows = Vec::new();
        for (name, key) in COUNTS {
            let spread = Spread::of(self.runs.iter().filter_map(|run| run.number(key)));
            rows.extend(spread.map(|spread| spread.row(name, "tokens", None)));
        }
        for (name, unit, measure) in MEASURES {
            rows.extend(self.spread(measure).map(|spread| spread.row(name, unit, None)));
        }
        for (name, _, measure) in MEASURES {
            let ratio = pronk.and_then(|pronk| pronk.by(self, measure));
            rows.extend(ratio.map(|ratio| ratio.row(&format!("Pronk's by this: {name}"), "x", None)));
        }
        Value::Array(rows)
    }

    fn spread(&self, measure: Measure) -> Option<Spread> {
        Spread::of(self.runs.iter().filter_map(measure))
    }

    /// Its figures by another's of the same rounds.
    fn by(&self, other: &Contestant, measure: Measure) -> Option<Spread> {
        let of_round = |round| other.runs.iter().find(|run| run.round() == round).and_then(measure);
        Spread::of(self.runs.iter().filter_map(|run| Some(measure(run)? / of_round(run.round())?)))
    }
}

fn place(device: &str, threads: u64) -> String {
    match (device, threads) {
        ("gpu", _) => "WebGPU".to_owned(),
        (_, 1) => "1 thread".to_owned(),
        (_, threads) => format!("{threads} threads"),
    }
}

/// Pronk by whoever is fastest at each thing, on the CPU.
fn aims(all: &[Contestant]) -> Value {
    let rows = AIMS.iter().filter_map(|&(threads, name, wanted)| {
        let (_, _, measure) = MEASURES.iter().find(|(measured, ..)| *measured == name)?;
        let median = |one: &&Contestant| one.spread(*measure).map_or(0.0, |spread| spread.median());
        let with_threads = |one: &&Contestant| one.device == "cpu" && one.threads == threads;
        let (ours, peers): (Vec<_>, Vec<_>) = all.iter().filter(with_threads).partition(|one| one.is_pronk());
        let pronk = ours.first()?;
        let fastest = peers.into_iter().max_by(|a, b| median(a).total_cmp(&median(b)))?;
        Some(pronk.by(fastest, *measure)?.row(&format!("{name}, by {}", fastest.title()), "x", Some(wanted)))
    });
    rows.collect()
}

/// Who did not run, and how much of the machine others took.
fn notes(said: &Value) -> Value {
    let failures = said["failures"].as_array().into_iter().flatten().map(|failure| {
        let text = |key: &str| failure[key].as_str().unwrap_or_default();
        let (name, reason) = (text("name"), text("reason").trim_end_matches('.'));
        let place = place(text("device"), failure["threads"].as_u64().unwrap_or(1));
        let name = format!("{name}, {place}, does not run: {reason}. Given up after");
        json!({ "name": name, "value": failure["seconds"], "unit": "s" })
    });
    let busy = said["runs"].as_array().into_iter().flatten().filter_map(|run| Run(run).number("others"));
    let most = busy.max_by(f64::total_cmp);
    let others = most.map(|most| {
        json!({ "name": "processors kept busy by other programs, at most", "value": most, "unit": "", "wanted": MOST_BUSY })
    });
    failures.chain(others).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A run in which both speeds are easy to see: a prompt of 103 tokens of which 3 were there, and 11 tokens.
    fn run(name: &str, device: &str, threads: u64, round: u64, [prefill, decode]: [f64; 2]) -> Value {
        json!({
            "name": name, "device": device, "threads": threads, "round": round,
            "prompt_tokens": 103, "reused_tokens": 3, "tokens": 11,
            "first_token": 100.0 / prefill, "decode": 10.0 / decode,
            "downloaded": 99e6, "memory": null, "others": 0.25,
        })
    }

    /// The value, the unit and the ends of the row of this name.
    #[track_caller]
    fn check(tables: &[(String, Value)], title: &str, name: &str, expected: Option<[f64; 3]>) {
        let table = tables.iter().find(|(found, _)| found == title);
        let rows = table.and_then(|(_, rows)| rows.as_array()).into_iter().flatten();
        let row = rows.clone().find(|row| row["name"] == name);
        let got = row.map(|row| {
            let value = row["value"].as_f64().unwrap();
            [row["least"].as_f64().unwrap_or(value), value, row["most"].as_f64().unwrap_or(value)]
        });
        assert_eq!(got, expected, "{title}: {name}, among {:?}", rows.collect::<Vec<_>>());
    }

    #[test]
    fn speeds_are_worked_out_alike_and_divided_round_by_round() {
        let said = json!({ "runs": [
            run("Pronk", "cpu", 1, 0, [80.0, 40.0]), run("other 1.0", "cpu", 1, 0, [20.0, 10.0]),
            run("other 1.0", "cpu", 2, 0, [40.0, 10.0]), run("third", "cpu", 1, 0, [40.0, 5.0]),
            run("Pronk", "cpu", 2, 0, [120.0, 20.0]), run("Pronk", "cpu", 2, 1, [60.0, 30.0]),
            run("Pronk", "cpu", 1, 1, [40.0, 20.0]), run("other 1.0", "cpu", 1, 1, [20.0, 10.0]),
            run("other 1.0", "cpu", 2, 1, [40.0, 10.0]), run("third", "cpu", 1, 1, [40.0, 5.0]),
            run("Pronk", "cpu", 1, 2, [80.0, 80.0]), run("other 1.0", "cpu", 1, 2, [10.0, 10.0]),
            run("Pronk", "gpu", 1, 0, [10.0, 5.0]),
        ], "failures": [
            { "name": "other 1.0", "device": "gpu", "threads": 1, "reason": "no shader-f16", "seconds": 2.5 },
        ] });
        let tables = rows(&said).unwrap();
        let (pronk, other) = ("Pronk, 1 thread", "other 1.0, 1 thread");
        check(&tables, pronk, "prompt", Some([103.0; 3]));
        check(&tables, pronk, "answer", Some([11.0; 3]));
        check(&tables, pronk, "prefill", Some([40.0, 80.0, 80.0]));
        check(&tables, pronk, "decode", Some([20.0, 40.0, 80.0]));
        check(&tables, pronk, "downloaded by the first load", Some([99.0; 3]));
        check(&tables, pronk, "memory at its largest", None);
        check(&tables, pronk, "Pronk's by this: decode", None);
        check(&tables, other, "Pronk's by this: prefill", Some([2.0, 4.0, 8.0]));
        check(&tables, other, "Pronk's by this: decode", Some([2.0, 4.0, 8.0]));
        // It had no third turn.
        check(&tables, "other 1.0, 2 threads", "Pronk's by this: decode", Some([2.0, 2.5, 3.0]));
        check(&tables, "Pronk, WebGPU", "decode", Some([5.0; 3]));

        let aims = "Pronk on the CPU by the fastest peer";
        check(&tables, aims, "prefill, by third, 1 thread", Some([1.0, 1.5, 2.0]));
        check(&tables, aims, "decode, by other 1.0, 1 thread", Some([2.0, 4.0, 8.0]));
        check(&tables, aims, "decode, by other 1.0, 2 threads", Some([2.0, 2.5, 3.0]));
        check(&tables, aims, "prefill, by other 1.0, 2 threads", Some([1.5, 2.25, 3.0]));

        let notes = "Peers: what else is to be known";
        let failure = "other 1.0, WebGPU, does not run: no shader-f16. Given up after";
        check(&tables, notes, failure, Some([2.5; 3]));
        check(&tables, notes, "processors kept busy by other programs, at most", Some([0.25; 3]));
    }

    #[test]
    fn without_pronk_there_is_nothing_to_compare() {
        let error = rows(&json!({ "runs": [run("other", "cpu", 1, 0, [1.0, 1.0])], "failures": [] }));
        assert!(error.unwrap_err().to_string().contains("Pronk itself"));
    }
}
