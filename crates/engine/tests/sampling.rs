//! Drawing in the whole loop, on a tiny model: what repeats, what a stop leaves behind, what it costs.

#![allow(clippy::unwrap_used, reason = "A test that cannot go on says so by panicking.")]

use engine::{Answer, Backend, Device, Engine, EngineError, GenerateEvent, LoadOptions, Origin, StopFlag};
use gpu::TierChoice;
use llama::KvType;
use pollster::block_on;
use protocol::{FailureKind, GenerateOptions, Sampling};
use store::{MemoryFiles, MemoryStore};

/// Its logits lie close together, so that every setting matters.
const MODEL: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/golden/gguf/tiny-mixed-quants.gguf");

const PLAIN: Device = Device::Gpu(TierChoice::Plain);
const SUBGROUPS: Device = Device::Gpu(TierChoice::Subgroups);

fn load(device: Device) -> Engine {
    let files = MemoryFiles::single("tiny.gguf", std::fs::read(MODEL).unwrap());
    let origin = Origin { files: &files, store: &MemoryStore::new() };
    let options = LoadOptions { device, context: Some(256), kv: KvType::F32, ..LoadOptions::default() };
    block_on(Engine::load(origin, options, &mut |_| {})).unwrap()
}

fn generate(
    engine: &mut Engine,
    prompt: &[u32],
    max_tokens: u32,
    sampling: &Sampling,
) -> Result<Answer, EngineError> {
    let options = GenerateOptions { max_tokens: Some(max_tokens), sampling: sampling.clone() };
    block_on(engine.generate(prompt, &options, &StopFlag::default(), &mut |_| {}))
}

fn prompt(len: u32) -> Vec<u32> {
    (0..len).map(|i| 30 + i * 7 % 200).collect()
}

/// Draws among many, and looks back at what was there.
fn warm(seed: u64) -> Sampling {
    Sampling {
        temperature: Some(1.2),
        top_k: Some(50),
        top_p: Some(0.95),
        min_p: Some(0.01),
        repetition_penalty: Some(1.3),
        frequency_penalty: Some(0.2),
        presence_penalty: Some(0.1),
        penalty_window: Some(25),
        logit_bias: vec![(40, 1.5), (319, -100.0)],
        seed: Some(seed),
        ..Sampling::default()
    }
}

#[test]
fn a_seed_repeats_its_answer_and_another_gives_another() {
    let reference = generate(&mut load(Device::Reference), &prompt(20), 24, &warm(5)).unwrap();
    for device in [PLAIN, SUBGROUPS, Device::Cpu, Device::Reference] {
        let mut engine = load(device);
        let first = generate(&mut engine, &prompt(20), 24, &warm(5)).unwrap();
        assert_eq!(first.usage.seed, Some(5));
        assert!(first.ids.len() > 10, "{:?} after {:?}", first.reason, first.ids);
        let other = generate(&mut engine, &prompt(20), 24, &warm(6)).unwrap();
        assert_ne!(first.ids, other.ids, "{device:?}");
        let again = generate(&mut engine, &prompt(20), 24, &warm(5)).unwrap();
        assert_eq!(first.ids, again.ids, "{device:?}");
        // The noise is the same everywhere, and the logits nearly so.
        assert_eq!(first.ids, reference.ids, "{device:?}");
    }
}

#[test]
fn a_seed_that_nobody_chose_is_told_and_repeats_the_answer_too() {
    let mut engine = load(PLAIN);
    let drawn = Sampling { temperature: Some(1.5), ..Sampling::default() };
    let first = generate(&mut engine, &prompt(9), 20, &drawn).unwrap();
    let again = Sampling { seed: first.usage.seed, ..drawn };
    assert!(again.seed.is_some());
    assert_eq!(generate(&mut engine, &prompt(9), 20, &again).unwrap().ids, first.ids);
}

#[test]
fn a_temperature_of_zero_is_greedy_whatever_else_is_asked_for() {
    for device in [PLAIN, Device::Cpu, Device::Reference] {
        let mut engine = load(device);
        let greedy = generate(&mut engine, &prompt(20), 20, &Sampling::default()).unwrap();
        assert_eq!(greedy.usage.seed, None);
        let cold = Sampling { temperature: Some(0.0), top_k: Some(3), seed: Some(1), ..Sampling::default() };
        assert_eq!(generate(&mut engine, &prompt(20), 20, &cold).unwrap().ids, greedy.ids, "{device:?}");
        // And what was drawn before leaves nothing behind.
        generate(&mut engine, &prompt(20), 20, &warm(1)).unwrap();
        let again = generate(&mut engine, &prompt(20), 20, &Sampling::default()).unwrap();
        assert_eq!(again.ids, greedy.ids, "{device:?}");
    }
}

/// Steps that ran ahead have counted tokens that nobody wanted; none of that is left.
#[test]
fn stop_leaves_no_trace_in_draws_and_penalties() {
    for (device, sampling) in [
        (PLAIN, warm(3)),
        (Device::Reference, warm(3)),
        (PLAIN, Sampling { temperature: Some(0.0), seed: None, ..warm(0) }),
    ] {
        let mut engine = load(device);
        let whole = generate(&mut engine, &prompt(20), 16, &sampling).unwrap();
        let mut different = whole.ids.clone();
        different.sort_unstable();
        different.dedup();
        assert!(different.len() > 5, "an answer of {:?} shows nothing", whole.ids);
        for stop_after in [1, 2, 7] {
            let stop = StopFlag::default();
            let mut tokens = 0;
            let on_event = &mut |event| {
                tokens += usize::from(matches!(event, GenerateEvent::Text { .. }));
                if tokens == stop_after {
                    stop.stop();
                }
            };
            let options = GenerateOptions { max_tokens: Some(16), sampling: sampling.clone() };
            let begun = block_on(engine.generate(&prompt(20), &options, &stop, on_event)).unwrap();
            assert_eq!(begun.ids, whole.ids[..stop_after], "{device:?}");
            let on = [prompt(20), begun.ids].concat();
            let rest = generate(&mut engine, &on, 16 - stop_after as u32, &sampling).unwrap();
            assert_eq!(rest.ids, whole.ids[stop_after..], "{device:?}, stopped after {stop_after}");
        }
        // Nor does it matter who counted what came before.
        let on = [prompt(20), whole.ids[..7].to_vec()].concat();
        let rest = generate(&mut load(device), &on, 9, &sampling).unwrap();
        assert_eq!(rest.ids, whole.ids[7..], "{device:?}, begun anew");
    }
}

#[test]
fn penalties_change_what_the_likeliest_is_as_on_the_cpu() {
    let penalized =
        Sampling { repetition_penalty: Some(1.5), presence_penalty: Some(0.5), ..Sampling::default() };
    let plain = generate(&mut load(PLAIN), &prompt(40), 20, &Sampling::default()).unwrap();
    let expected = generate(&mut load(Device::Reference), &prompt(40), 20, &penalized).unwrap();
    assert_ne!(plain.ids, expected.ids);
    for device in [PLAIN, SUBGROUPS] {
        assert_eq!(
            generate(&mut load(device), &prompt(40), 20, &penalized).unwrap().ids,
            expected.ids,
            "{device:?}"
        );
    }
}

#[test]
fn nothing_but_what_is_allowed_is_chosen_on_any_device() {
    let allowed = vec![40, 47, 96, 128, 200, 201];
    let greedy = Sampling { allowed_tokens: Some(allowed.clone()), ..Sampling::default() };
    // Every draw is from all of them.
    let hot = Sampling { temperature: Some(5.0), seed: Some(3), ..greedy.clone() };
    // Another mask before it leaves nothing behind.
    let others = Sampling { allowed_tokens: Some((202..320).collect()), ..hot.clone() };
    let settings = [greedy, others, hot];
    let answers = |device| {
        let mut engine = load(device);
        settings.each_ref().map(|sampling| generate(&mut engine, &prompt(20), 16, sampling).unwrap().ids)
    };
    let expected = answers(Device::Reference);
    for device in [PLAIN, SUBGROUPS, Device::Cpu] {
        assert_eq!(answers(device), expected, "{device:?}");
    }
    // Bytes are rounded, so that others may come, but none that is not allowed.
    for [greedy, _, hot] in [expected, answers(Device::Gpu(TierChoice::Int8))] {
        let ids = [greedy, hot].concat();
        assert!(ids.len() == 32 && ids.iter().all(|id| allowed.contains(id)), "{ids:?}");
    }
}

#[test]
fn log_probabilities_are_those_of_the_logits() {
    for device in [PLAIN, Device::Cpu, Device::Reference] {
        let mut engine = load(device);
        let asked = Sampling { logprobs: Some(4), ..warm(2) };
        let answer = generate(&mut engine, &prompt(20), 6, &asked).unwrap();
        assert_eq!(answer.logprobs.len(), 6);
        for (index, told) in answer.logprobs.iter().enumerate() {
            let before = [prompt(20), answer.ids[..index].to_vec()].concat();
            let (logits, choices) = block_on(engine.logits(&before)).unwrap();
            let total = logits.iter().map(|logit| f64::from(*logit).exp()).sum::<f64>().ln();
            assert_eq!((told.chosen.id, told.top.len()), (answer.ids[index], 4));
            assert_eq!(told.top[0].id, choices[before.len() - 1], "{device:?}, token {index}");
            for told in told.top.iter().chain([&told.chosen]) {
                let expected = f64::from(logits[told.id as usize]) - total;
                let error = (f64::from(told.logprob) - expected).abs();
                // Both are of floats whose sums were made in other orders.
                assert!(error < 1e-4, "{device:?}, token {index}: {told:?}, expected {expected}");
            }
        }
        let none =
            generate(&mut engine, &prompt(20), 2, &Sampling { logprobs: Some(0), ..Sampling::default() });
        assert!(none.unwrap().logprobs.iter().all(|told| told.top.is_empty()), "{device:?}");
    }
}

/// Dispatches, submits, bytes read and objects created a token.
#[track_caller]
fn cost(engine: &mut Engine, sampling: &Sampling) -> [u64; 4] {
    let counts = |engine: &Engine| match engine.backend() {
        Backend::Gpu(model) => model.gpu().counts(),
        Backend::Cpu(_) => panic!("not on the GPU"),
    };
    let mut spent = |tokens: u32| {
        let before = counts(engine);
        let answer = generate(engine, &prompt(20), tokens, sampling).unwrap();
        assert_eq!(answer.ids.len() as u32, tokens, "the answer ended early");
        counts(engine) - before
    };
    spent(12); // What is made once.
    let (few, many) = (spent(4), spent(12));
    let cost = many - few;
    [cost.dispatches, cost.submits, cost.bytes_read, cost.objects_created].map(|count| {
        assert_eq!(count % 8, 0, "tokens differ");
        count / 8
    })
}

#[test]
fn a_drawn_token_costs_two_dispatches_more_at_most_and_creates_nothing() {
    let mut engine = load(PLAIN);
    let plain = Sampling { logit_bias: vec![], ..Sampling::default() };
    let [dispatches, submits, bytes, objects] = cost(&mut engine, &plain);
    assert_eq!((submits, bytes, objects), (1, 4, 0));
    let drawn = Sampling { temperature: Some(0.2), seed: Some(1), ..plain.clone() };
    let penalized = Sampling { repetition_penalty: Some(1.1), ..drawn.clone() };
    let told = Sampling { logprobs: Some(3), ..penalized.clone() };
    for (sampling, more, bytes) in [(&drawn, 0, 4), (&penalized, 1, 4), (&told, 2, 32), (&plain, 0, 4)] {
        assert_eq!(cost(&mut engine, sampling), [dispatches + more, 1, bytes, 0], "{sampling:?}");
    }
}

#[test]
fn settings_out_of_bounds_are_refused_and_do_no_harm() {
    let mut engine = load(PLAIN);
    let before = generate(&mut engine, &prompt(10), 3, &Sampling::default()).unwrap();
    let hot = Sampling { temperature: Some(7.0), ..Sampling::default() };
    let failure = generate(&mut engine, &prompt(10), 3, &hot).unwrap_err().failure();
    assert_eq!(failure.kind, FailureKind::Sampling);
    assert_eq!(failure.message, "Temperature is 7, but must be 0 to 5; change it and ask again.");
    assert_eq!(generate(&mut engine, &prompt(10), 3, &Sampling::default()).unwrap().ids, before.ids);
}
