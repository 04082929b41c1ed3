//! What crosses between page and worker comes back as it was, and what a page of an earlier day sends is still read.

#![allow(clippy::unwrap_used, reason = "A test that cannot go on says so by panicking.")]

use protocol::{
    BenchmarkProgress, BenchmarkStage, ChatMessage, Content, DeviceReason, Event, FinishReason,
    GenerateOptions, Json, Kernels, LogProb, LogProbs, PrefillReport, Request, Role, Sampling, ToolCall,
    ToolEvent, Trials, TuningReport, TuningRow, Usage, Verdict,
};
use serde_json::json;

fn call() -> ToolCall {
    ToolCall { id: "call_1".into(), name: "weather".into(), arguments: Json("{\"days\": 1.50}".into()) }
}

fn message(role: Role, text: &str) -> ChatMessage {
    let content = Some(Content::Text(text.into()));
    ChatMessage { role, content, tool_calls: Vec::new(), tool_call_id: None, name: None }
}

fn sampling() -> Sampling {
    Sampling {
        temperature: Some(0.7),
        top_k: Some(40),
        logit_bias: vec![(3, -1.5)],
        allowed_tokens: Some(vec![3, 9]),
        seed: Some(0),
        logprobs: Some(2),
        ..Sampling::default()
    }
}

#[test]
fn a_conversation_with_tools_comes_back_as_it_was() {
    let calling = ChatMessage { content: None, tool_calls: vec![call()], ..message(Role::Assistant, "") };
    let result = ChatMessage {
        content: Some(Content::Json(Json("{\"mm\": 2.0}".into()))),
        tool_call_id: Some("call_1".into()),
        ..message(Role::Tool, "")
    };
    let request = Request::Generate {
        turn: 7,
        messages: vec![message(Role::User, "Is it raining?"), calling, result],
        tools: Some(Json("[]".into())),
        options: GenerateOptions { sampling: sampling(), ..GenerateOptions::default() },
    };
    let wire = serde_json::to_value(&request).unwrap();
    assert_eq!(serde_json::from_value::<Request>(wire).unwrap(), request);
}

#[test]
fn what_is_left_out_is_nothing() {
    let wire = json!({"generate": {"turn": 1, "options": {},
        "messages": [{"role": "user", "content": {"text": "Hi"}}]}});
    let expected = Request::Generate {
        turn: 1,
        messages: vec![message(Role::User, "Hi")],
        tools: None,
        options: GenerateOptions::default(),
    };
    assert_eq!(serde_json::from_value::<Request>(wire).unwrap(), expected);
    for (list, expected) in [("[]", true), (" [\n] ", true), ("", false), ("[1]", false), ("null", false)] {
        assert_eq!(Json(list.into()).is_empty_list(), expected, "{list:?}");
    }
}

/// Floats that JSON has no short words for.
fn logprobs() -> LogProbs {
    let top = vec![LogProb { id: 4, logprob: -0.1 }, LogProb { id: 5, logprob: -1e38 }];
    LogProbs { chosen: LogProb { id: 5, logprob: -1e38 }, top }
}

#[test]
fn events_come_back_as_they_were() {
    for event in [
        Event::Tool { turn: 7, event: ToolEvent::Begun { name: "weather".into() } },
        Event::Tool { turn: 7, event: ToolEvent::Call { call: call() } },
        Event::Tool { turn: 7, event: ToolEvent::Code { code: "1".into() } },
        Event::Tool { turn: 7, event: ToolEvent::Malformed { text: "{".into(), reason: "more".into() } },
        Event::LogProbs { turn: 7, logprobs: logprobs() },
        Event::Finished { turn: 7, reason: FinishReason::ToolCalls, usage: Usage::default() },
        Event::Benchmarking {
            progress: BenchmarkProgress { stage: BenchmarkStage::Accuracy, done: 0, total: 5 },
        },
        Event::Benchmarking {
            progress: BenchmarkProgress {
                stage: BenchmarkStage::Speed { prompt_tokens: 512 },
                done: 3,
                total: 5,
            },
        },
        Event::Benchmarking {
            progress: BenchmarkProgress { stage: BenchmarkStage::Kernels, done: 0, total: 1 },
        },
        Event::BenchmarkStopped,
    ] {
        let wire = serde_json::to_value(&event).unwrap();
        assert_eq!(serde_json::from_value::<Event>(wire).unwrap(), event);
    }
}

#[test]
fn a_benchmark_tries_kernels_only_if_it_is_told_to() {
    for (wire, trials) in
        [(json!({"benchmark": {}}), Trials::Known), (json!({"benchmark": {"trials": "anew"}}), Trials::Anew)]
    {
        assert_eq!(serde_json::from_value::<Request>(wire).unwrap(), Request::Benchmark { trials });
    }
}

#[test]
fn what_came_of_trying_kernels_comes_back_as_it_was() {
    let reason = || "They did not answer within 10 seconds.".to_owned();
    let verdicts = [
        Verdict::Reference,
        Verdict::Right { deviation: 2e-7 },
        Verdict::Wrong { deviation: Some(0.5), bound: 1e-3 },
        Verdict::Wrong { deviation: None, bound: 1e-2 },
        Verdict::Failed { reason: reason() },
        Verdict::Untried { reason: reason() },
    ];
    let row = |verdict| TuningRow { kernels: Kernels::Int8, verdict, microseconds: Some(12.5) };
    let rows = verdicts.into_iter().map(row).collect();
    let many = vec![TuningRow { kernels: Kernels::Halves, verdict: Verdict::Reference, microseconds: None }];
    let prefill = Some(PrefillReport { rows: many, chosen: Kernels::Halves, tokens: 64 });
    let report = TuningReport { rows, chosen: Kernels::Plain, prefill, seconds: 1.5 };
    let wire = serde_json::to_value(&report).unwrap();
    assert_eq!(wire["rows"][1]["verdict"], json!({"is": "right", "deviation": 2e-7}));
    assert_eq!(serde_json::from_value::<TuningReport>(wire.clone()).unwrap(), report);
    // Notes that were written before halves were tried.
    let mut old = wire;
    old.as_object_mut().unwrap().remove("prefill");
    let old = serde_json::from_value::<TuningReport>(old).unwrap();
    assert_eq!(old, TuningReport { prefill: None, ..report });
}

#[test]
fn a_verdict_has_all_that_belongs_to_it() {
    let read = |wire| serde_json::from_value::<Verdict>(wire).ok();
    assert_eq!(read(json!({"is": "reference"})), Some(Verdict::Reference));
    for lacking in ["right", "wrong", "failed", "untried", "fine"] {
        assert_eq!(read(json!({"is": lacking})), None, "{lacking}");
    }
}

#[test]
fn why_a_model_runs_where_it_does_comes_back_as_it_was() {
    for (wire, reason) in [
        (json!({"why": "asked"}), DeviceReason::Asked),
        (json!({"why": "gpu"}), DeviceReason::Gpu),
        (
            json!({"why": "software_gpu", "adapter": "llvmpipe"}),
            DeviceReason::SoftwareGpu { adapter: "llvmpipe".into() },
        ),
        (json!({"why": "no_gpu", "found": "nothing"}), DeviceReason::NoGpu { found: "nothing".into() }),
        (json!({"why": "too_large_for_cpu"}), DeviceReason::TooLargeForCpu),
    ] {
        assert_eq!(serde_json::to_value(&reason).unwrap(), wire);
        assert_eq!(serde_json::from_value::<DeviceReason>(wire).unwrap(), reason);
    }
    for lacking in ["software_gpu", "no_gpu"] {
        assert!(serde_json::from_value::<DeviceReason>(json!({"why": lacking})).is_err(), "{lacking}");
    }
}
