//! The loop on a tiny model: what it answers, what it reuses, and how it ends.

#![allow(clippy::unwrap_used, reason = "A test that cannot go on says so by panicking.")]

use std::cell::RefCell;
use std::future::ready;
use std::rc::Rc;

use engine::{Answer, Device, Engine, EngineError, GenerateEvent, LoadOptions, Origin, Speculate, StopFlag};
use gpu::TierChoice;
use llama::KvType;
use pollster::block_on;
use protocol::{
    Conversation, FailureKind, FinishReason, GenerateOptions, Json, LoadProgress, LoadStage, Message, Role,
    Sampling,
};
use store::{MemoryFiles, MemoryStore};

const GOLDEN: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/golden/gguf/tiny-basic-quants");

const PLAIN: Device = Device::Gpu(TierChoice::Plain);
const SUBGROUPS: Device = Device::Gpu(TierChoice::Subgroups);
const INT8: Device = Device::Gpu(TierChoice::Int8);

/// Loads the model; gives the progress that was reported, too.
fn load(device: Device, context: usize) -> (Engine, Vec<LoadProgress>) {
    let files = MemoryFiles::single("tiny.gguf", std::fs::read(format!("{GOLDEN}.gguf")).unwrap());
    let store = MemoryStore::new();
    let origin = Origin { files: &files, store: &store };
    let options = LoadOptions { device, context: Some(context), kv: KvType::F32, ..LoadOptions::default() };
    let mut reports = Vec::new();
    let engine = block_on(Engine::load(origin, options, &mut |progress| reports.push(progress))).unwrap();
    (engine, reports)
}

fn generate(engine: &mut Engine, prompt: &[u32], max_tokens: u32) -> Result<Answer, EngineError> {
    let options = GenerateOptions { max_tokens: Some(max_tokens), ..GenerateOptions::default() };
    block_on(engine.generate(prompt, &options, &StopFlag::default(), &mut |_| {}))
}

/// Ids that the tiny model has, and that are no control tokens.
fn prompt(len: u32) -> Vec<u32> {
    (0..len).map(|i| 30 + i * 7 % 200).collect()
}

/// The golden's prompt of 19 ids, and the 40 that follow.
fn golden() -> (Vec<u32>, Vec<u32>) {
    let text = std::fs::read_to_string(format!("{GOLDEN}.golden.json")).unwrap();
    let golden: serde_json::Value = serde_json::from_str(&text).unwrap();
    let case = golden["cases"].as_array().unwrap().iter().find(|case| case["greedy"].is_array()).unwrap();
    let ids = |value: &serde_json::Value| {
        value.as_array().unwrap().iter().map(|id| id.as_u64().unwrap() as u32).collect::<Vec<_>>()
    };
    (ids(&case["input_ids"]), ids(&case["greedy"]))
}

#[test]
fn every_device_answers_as_hugging_face_does() {
    let (input, expected) = golden();
    for device in [SUBGROUPS, PLAIN, INT8, Device::Reference] {
        let (mut engine, _) = load(device, 256);
        let answer = generate(&mut engine, &input, 40).unwrap();
        assert_eq!(answer.ids, expected[..answer.ids.len()], "{device:?}");
        assert!(answer.ids.len() >= 10, "{device:?}: {:?} after {}", answer.reason, answer.ids.len());
    }
}

/// Greedy, and drawn with a penalty, which depends on what was chosen before. An answer that ends early leaves steps behind
/// that ran in vain; the next one must not see them.
#[test]
fn tokens_do_not_depend_on_the_steps_in_flight() {
    let drawn = Sampling {
        temperature: Some(0.8),
        presence_penalty: Some(0.5),
        seed: Some(7),
        ..Sampling::default()
    };
    for sampling in [Sampling::default(), drawn] {
        let mut expected = None;
        for steps in [1, 2, 4, 100] {
            let (mut engine, _) = load(PLAIN, 256);
            engine.keep_in_flight(steps);
            let mut answer = |prompt: &[u32], max_tokens| {
                let options = GenerateOptions { max_tokens: Some(max_tokens), sampling: sampling.clone() };
                block_on(engine.generate(prompt, &options, &StopFlag::default(), &mut |_| {})).unwrap().ids
            };
            let first = answer(&prompt(20), 24);
            let second = answer(&[prompt(20), first.clone()].concat(), 8);
            let answers = [first, second];
            assert_eq!(*expected.get_or_insert_with(|| answers.clone()), answers, "{steps} steps in flight");
        }
    }
}

/// The prompt repeats itself, so that there is something to guess, and the tiny model does so too. On the GPU choices are checked
/// that depend on logits alone; on the CPU all, to the bit.
#[test]
fn tokens_do_not_depend_on_guesses() {
    let drawn = Sampling {
        temperature: Some(0.7),
        presence_penalty: Some(0.2),
        logprobs: Some(2),
        seed: Some(7),
        ..Sampling::default()
    };
    let cool = Sampling { temperature: Some(0.1), seed: Some(3), ..Sampling::default() };
    let repeated = prompt(12).repeat(3);
    for (device, sampling) in [
        (SUBGROUPS, Sampling::default()),
        (PLAIN, Sampling::default()),
        (PLAIN, cool.clone()),
        (PLAIN, drawn.clone()),
        (Device::Cpu, Sampling::default()),
        (Device::Cpu, drawn.clone()),
    ] {
        let (mut engine, _) = load(device, 256);
        let mut answer = |speculate, prompt: &[u32], max_tokens| {
            engine.speculate(speculate);
            let options = GenerateOptions { max_tokens: Some(max_tokens), sampling: sampling.clone() };
            block_on(engine.generate(prompt, &options, &StopFlag::default(), &mut |_| {})).unwrap()
        };
        for max_tokens in [1, 2, 5, 60] {
            let expected = answer(Speculate::Never, &repeated, max_tokens);
            let got = answer(Speculate::Always, &repeated, max_tokens);
            assert_eq!(got.ids, expected.ids, "{device:?} {sampling:?}");
            assert_eq!((&got.text, got.reason), (&expected.text, expected.reason), "{device:?}");
            if device == Device::Cpu {
                assert_eq!(got.logprobs, expected.logprobs, "{device:?}");
            }
            assert_eq!(expected.usage.guessed_tokens, 0, "{device:?}");
            let can_guess = device == Device::Cpu || sampling != drawn;
            if max_tokens == 60 && can_guess {
                assert!(got.usage.guessed_tokens > 5, "{device:?}: {:?}", got.usage);
            }
            // What was guessed wrong has left nothing behind.
            let longer = [repeated.clone(), got.ids].concat();
            let on = answer(Speculate::Always, &longer, 8);
            assert!(on.usage.reused_tokens as usize >= longer.len() - 1, "{:?}", on.usage);
            let (mut fresh, _) = load(device, 256);
            let options = GenerateOptions { max_tokens: Some(8), sampling: sampling.clone() };
            let (stop, mut on_event) = (StopFlag::default(), |_| {});
            let fresh = block_on(fresh.generate(&longer, &options, &stop, &mut on_event)).unwrap();
            assert_eq!(on.ids, fresh.ids, "{device:?} after {max_tokens}");
        }
    }
}

/// The best draft is the model itself: all that it guesses is right. One of other tokens is refused.
#[test]
fn a_draft_guesses_and_changes_nothing() {
    for device in [PLAIN, Device::Cpu] {
        let (mut engine, _) = load(device, 256);
        let expected = generate(&mut engine, &prompt(20), 12).unwrap();
        engine.assist_by(load(device, 256).0).unwrap();
        engine.speculate(Speculate::Always);
        let got = generate(&mut engine, &prompt(20), 12).unwrap();
        assert_eq!((got.ids, got.reason), (expected.ids, expected.reason), "{device:?}");
        assert!(got.usage.guessed_tokens >= 8, "{device:?}: {:?}", got.usage);
    }
    let other =
        std::fs::read(concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/golden/gguf/tiny-mixed-quants.gguf"));
    let files = MemoryFiles::single("other.gguf", other.unwrap());
    let origin = Origin { files: &files, store: &MemoryStore::new() };
    let options = LoadOptions { device: Device::Reference, ..LoadOptions::default() };
    let other = block_on(Engine::load(origin, options, &mut |_| {})).unwrap();
    let refused = load(PLAIN, 256).0.assist_by(other).unwrap_err();
    assert!(matches!(refused, EngineError::OtherVocabulary { .. }), "{refused}");
}

#[test]
fn what_the_cache_agrees_with_is_not_computed_again() {
    for device in [PLAIN, INT8, Device::Reference] {
        let (mut engine, _) = load(device, 256);
        let first = generate(&mut engine, &prompt(30), 8).unwrap();
        assert_eq!(first.usage.reused_tokens, 0);

        // The conversation goes on: prompt, answer, some more.
        let longer = [prompt(30), first.ids.clone(), prompt(5)].concat();
        let second = generate(&mut engine, &longer, 8).unwrap();
        assert!(second.usage.reused_tokens >= 30 + 7, "{device:?}: {:?}", second.usage);
        let (mut fresh, _) = load(device, 256);
        assert_eq!(second.ids, generate(&mut fresh, &longer, 8).unwrap().ids, "{device:?}");

        // An edit in the middle: what lies before it is kept, what lies behind it is not believed.
        let mut edited = prompt(30);
        edited[12] = 99;
        let third = generate(&mut engine, &edited, 8).unwrap();
        assert_eq!(third.usage.reused_tokens, 12, "{device:?}");
        let (mut fresh, _) = load(device, 256);
        assert_eq!(third.ids, generate(&mut fresh, &edited, 8).unwrap().ids, "{device:?}");

        // The same again: only the last token is read again.
        let fourth = generate(&mut engine, &edited, 8).unwrap();
        assert_eq!(fourth.usage.reused_tokens, 29, "{device:?}");
        assert_eq!(fourth.ids, third.ids, "{device:?}");
    }
}

#[test]
fn stop_ends_with_the_token_in_hand_and_leaves_no_trace() {
    for device in [PLAIN, INT8, Device::Reference] {
        let (mut engine, _) = load(device, 256);
        let whole = generate(&mut engine, &prompt(20), 12).unwrap();
        for stop_after in [1, 2, 5] {
            let stop = StopFlag::default();
            let mut tokens = 0;
            let on_event = &mut |event| {
                if matches!(event, GenerateEvent::Text { .. }) {
                    tokens += 1;
                    if tokens == stop_after {
                        stop.stop();
                    }
                }
            };
            let options = GenerateOptions { max_tokens: Some(12), ..GenerateOptions::default() };
            let answer = block_on(engine.generate(&prompt(20), &options, &stop, on_event)).unwrap();
            assert_eq!((answer.reason, answer.ids.len()), (FinishReason::Stopped, stop_after), "{device:?}");
            assert_eq!(answer.ids, whole.ids[..stop_after], "{device:?}");

            // Steps that ran ahead of the stop have left nothing in the cache.
            let on = [prompt(20), answer.ids].concat();
            let rest = generate(&mut engine, &on, 12 - stop_after as u32).unwrap();
            assert_eq!(rest.ids, whole.ids[stop_after..], "{device:?}, stopped after {stop_after}");
        }
    }
}

/// Where there are tools, calls are looked for in what the model says; what is none is told as without them.
#[test]
fn a_conversation_may_have_tools() {
    let (mut engine, _) = load(Device::Reference, 2048);
    let question = Message { role: Role::User, content: "Is it raining?".to_owned() };
    let plain = Conversation::from(vec![question.into()]);
    let tools = Json("[{\"type\": \"function\", \"function\": {\"name\": \"weather\"}}]".to_owned());
    let with_tools = Conversation { tools: Some(tools), ..plain.clone() };
    assert!(engine.call_parser(&plain).is_none() && engine.call_parser(&with_tools).is_some());
    let options = GenerateOptions { max_tokens: Some(6), ..GenerateOptions::default() };
    for conversation in [&plain, &with_tools] {
        let mut told = String::new();
        let on_event = &mut |event| {
            if let GenerateEvent::Text { text, .. } = event {
                told.push_str(&text);
            }
        };
        let stop = StopFlag::default();
        let answer = block_on(engine.chat(conversation, &options, &stop, on_event)).unwrap();
        let prompt = engine.render_turn(conversation).unwrap();
        let same = generate(&mut engine, &prompt.ids, 6).unwrap();
        // The tiny model says nothing that is a call.
        assert_eq!((&answer.ids, &answer.text, answer.calls.len()), (&same.ids, &same.text, 0));
        assert_eq!(told, answer.text);
    }
    let unanswerable = Conversation::from(Vec::new());
    let stop = StopFlag::default();
    assert!(block_on(engine.chat(&unanswerable, &options, &stop, &mut |_| {})).is_err());
}

/// The first question finds its beginning in the cache, and is answered as without it; so it is where reading was stopped.
#[test]
fn what_every_conversation_begins_with_can_be_read_before_it_is_asked() {
    let ask = |engine: &mut Engine| {
        let question = Message { role: Role::User, content: "Is it raining?".to_owned() };
        let conversation = Conversation::from(vec![question.into()]);
        let options = GenerateOptions { max_tokens: Some(6), ..GenerateOptions::default() };
        block_on(engine.chat(&conversation, &options, &StopFlag::default(), &mut |_| {})).unwrap()
    };
    for device in [PLAIN, Device::Cpu] {
        let expected = ask(&mut load(device, 256).0);
        let (mut engine, _) = load(device, 256);
        block_on(engine.read_beginning(&StopFlag::default())).unwrap();
        let got = ask(&mut engine);
        assert_eq!(got.ids, expected.ids, "{device:?}");
        assert!(got.usage.reused_tokens > 3, "{device:?}: {:?}", got.usage);
        assert!(got.usage.reused_tokens < got.usage.prompt_tokens - 3, "{device:?}: {:?}", got.usage);

        let (mut engine, _) = load(device, 256);
        let stop = StopFlag::default();
        stop.stop();
        block_on(engine.read_beginning(&stop)).unwrap();
        let got = ask(&mut engine);
        assert_eq!(
            (got.ids, got.usage.reused_tokens),
            (expected.ids.clone(), 0),
            "{device:?}, stopped before"
        );

        let (mut engine, _) = load(device, 256);
        let stop = stopped_by_its_first_breath();
        block_on(engine.read_beginning(&stop)).unwrap();
        assert!(stop.is_set(), "{device:?}: it was read at once");
        assert_eq!(ask(&mut engine).ids, expected.ids, "{device:?}, stopped");
    }
}

/// Somebody asks while a step is computed.
fn stopped_by_its_first_breath() -> StopFlag {
    let flag = Rc::new(RefCell::new(StopFlag::default()));
    let shared = flag.clone();
    let stop = StopFlag::with_breath(Rc::new(move || {
        shared.borrow().stop();
        Box::pin(ready(()))
    }));
    *flag.borrow_mut() = stop.clone();
    stop
}

#[test]
fn stop_is_heard_while_the_prompt_is_read() {
    let (mut engine, _) = load(PLAIN, 256);
    let stop = StopFlag::default();
    let mut read = 0;
    let on_event = &mut |event| {
        if let GenerateEvent::Prefill { done, total } = event {
            assert_eq!(total, 200);
            read = done;
            stop.stop();
        }
    };
    let answer =
        block_on(engine.generate(&prompt(200), &GenerateOptions::default(), &stop, on_event)).unwrap();
    assert_eq!((answer.reason, answer.ids.len()), (FinishReason::Stopped, 0));
    assert!(read > 0 && read < 200, "{read}");
    // What was read is kept, and is right.
    let again = generate(&mut engine, &prompt(200), 3).unwrap();
    assert_eq!(again.usage.reused_tokens, read);
    let (mut fresh, _) = load(PLAIN, 256);
    assert_eq!(again.ids, generate(&mut fresh, &prompt(200), 3).unwrap().ids);
}

#[test]
fn answers_end_at_their_limit_or_with_the_context() {
    let (mut engine, _) = load(PLAIN, 24);
    for (len, max_tokens, expected) in [
        (10, 3, (FinishReason::MaxTokens, 3)),
        (10, 1, (FinishReason::MaxTokens, 1)),
        (10, 0, (FinishReason::MaxTokens, 0)),
        (20, 100, (FinishReason::ContextFull, 4)),
        (23, 100, (FinishReason::ContextFull, 1)),
    ] {
        let answer = generate(&mut engine, &prompt(len), max_tokens).unwrap();
        assert_eq!((answer.reason, answer.ids.len()), expected, "{len} ids, at most {max_tokens} more");
        assert_eq!(answer.usage.context_used, len + answer.ids.len() as u32);
    }
}

#[test]
fn a_prompt_that_cannot_be_answered_is_refused_and_does_no_harm() {
    let (mut engine, _) = load(PLAIN, 24);
    let before = generate(&mut engine, &prompt(10), 3).unwrap();
    for (prompt, start) in [
        (vec![], "The prompt is empty"),
        (
            prompt(24),
            "The conversation takes 24 tokens, and an answer at least one more, but the context holds 24; start",
        ),
        (vec![5, 330], "Token 330 does not exist; this model has tokens 0 to 329"),
    ] {
        let failure = generate(&mut engine, &prompt, 3).unwrap_err().failure();
        assert_eq!(failure.kind, FailureKind::Prompt);
        assert!(failure.message.starts_with(start), "{}", failure.message);
    }
    assert_eq!(generate(&mut engine, &prompt(10), 3).unwrap().ids, before.ids);
}

#[test]
fn a_context_that_the_model_does_not_have_is_refused() {
    let files = MemoryFiles::single("tiny.gguf", std::fs::read(format!("{GOLDEN}.gguf")).unwrap());
    let store = MemoryStore::new();
    for context in [0, 131_073] {
        let origin = Origin { files: &files, store: &store };
        let options =
            LoadOptions { device: PLAIN, context: Some(context), kv: KvType::F16, ..LoadOptions::default() };
        let error = block_on(Engine::load(origin, options, &mut |_| {})).unwrap_err();
        let message = error.failure().message;
        assert!(
            message.contains(&format!("context of {context} tokens")) && message.contains("131072"),
            "{message}"
        );
    }
}

#[test]
fn progress_goes_forward_through_the_stages() {
    let (engine, reports) = load(PLAIN, 64);
    let stages: Vec<LoadStage> = reports.iter().map(|report| report.stage).collect();
    assert_eq!(stages.first(), Some(&LoadStage::Opening));
    assert!(stages.contains(&LoadStage::Downloading), "{stages:?}");
    assert_eq!(stages.last(), Some(&LoadStage::Preparing));
    assert!(reports.is_sorted_by_key(|report| report.done_bytes), "{reports:?}");
    let last = reports.last().unwrap();
    assert_eq!((last.done_bytes, last.total_bytes), (engine.info().bytes, engine.info().bytes));
    assert_eq!((engine.info().name.as_str(), engine.info().context), ("tiny mixed quants", 64));
}
