//! What happens over several actions: answers in all the orders in which their events can come, alerts, chats put away.

use protocol::{ChatMessage, Content, Sampling};

use super::*;

/// What it was waiting for need not come, and then it stays in the composer.
#[test]
fn a_question_that_is_sent_while_a_model_loads_is_asked_once_it_is_there() {
    let asked = after(&phase("loading"), [Action::Send]);
    assert_eq!(
        (asked.can_send(), asked.blocker().is_some(), talk(&asked.conversation)),
        (false, true, "[]".to_owned())
    );
    const ANSWERS: &str =
        r#"model loaded; choosing false; talk [draft? …]; answer None; draft ""; posts [generate]"#;
    const WAITS: &str = "model loaded; choosing false";
    let changed = Action::DraftChanged("draft".to_owned());
    for (actions, event, expected) in [
        (vec![], loaded(), ANSWERS),
        (vec![changed.clone()], loaded(), WAITS),
        (vec![changed, Action::Send], loaded(), ANSWERS),
        (vec![], Event::LoadStopped, "model absent"),
        (vec![], failed(None, FailureKind::Network), "model absent; alerts [Network:Retry]"),
    ] {
        let before = after(&asked, actions.clone());
        assert_eq!(difference(&before, &hears(&before, vec![event])), expected, "{actions:?}");
    }
    // Nothing waits that is empty.
    let empty = after(&phase("loading"), [Action::DraftChanged(" ".to_owned()), Action::Send]);
    assert_eq!((empty.can_send(), empty.outbox.len()), (true, 0));
    // What the load had to say is not taken for something that the answer has settled.
    let Event::Loaded { model, device, .. } = loaded() else { panic!("not loaded") };
    let failure = Failure { kind: FailureKind::Storage, message: "full".to_owned() };
    let full = hears(&asked, vec![Event::Loaded { model, device, not_stored: Some(failure) }]);
    assert_eq!((full.alerts.len(), full.answer.is_some()), (1, true));
}

#[test]
fn a_failed_answer_keeps_its_text() {
    for (kind, expected) in [
        (FailureKind::Internal, "talk [q? a!]; answer none; alerts [Internal:-]"),
        (FailureKind::Prompt, "talk [q? a!]; answer none; alerts [Prompt:New chat]"),
        (
            FailureKind::DeviceLost,
            "model absent; talk [q? a!]; answer none; alerts [DeviceLost:Reload the model]",
        ),
    ] {
        let before = phase("answering");
        let got = difference(&before, &hears(&before, vec![failed(Some(turn(&before)), kind)]));
        assert_eq!(got, expected, "{kind:?}");
    }
}

#[test]
fn the_next_answer_is_drawn_as_was_typed_last() {
    let typed = |setting, text: &str| Action::SettingTyped(setting, text.to_owned());
    let asks = Action::Ask("q".to_owned());
    let sampling = |state: &State| match &state.outbox.last().expect("a request").request {
        Request::Generate { options, .. } => options.sampling.clone(),
        other => panic!("{other:?}"),
    };
    let warm =
        [typed(Setting::Temperature, "0.9"), typed(Setting::Seed, "0"), typed(Setting::Temperature, "0.5")];
    let asked = after(&after(&phase("loaded"), warm), [asks.clone()]);
    let expected = Sampling { temperature: Some(0.5), seed: Some(0), ..Sampling::default() };
    assert_eq!(sampling(&asked), expected);
    // Another model, another chat: what was typed stays for this visit.
    let refused = hears(&asked, vec![failed(Some(turn(&asked)), FailureKind::Sampling)]);
    assert_eq!((refused.draft.as_str(), &refused.sampling), ("q\n\ndraft", &expected));
    let reset = after(&refused, [Action::NewChat, Action::SamplingReset, asks]);
    assert_eq!(sampling(&reset), Sampling::default());
}

#[test]
fn what_is_no_setting_is_named_and_nothing_is_sent_until_it_is_mended() {
    let typed = |setting, text: &str| Action::SettingTyped(setting, text.to_owned());
    let refused = |setting, text| {
        let state = after(&phase("loaded"), [typed(setting, text)]);
        assert_eq!(difference(&state, &after(&state, [Action::Send, Action::Regenerate])), "", "{text}");
        state.blocker()
    };
    const TOP_K: &str = "Top-k must be a whole number, 0 to 4294967295.";
    const SEED: &str = "Seed must be a whole number, 0 to 9007199254740991.";
    for (setting, text, expected) in [
        (Setting::TopK, "-1", Some(TOP_K)),
        (Setting::TopK, "4.5", Some(TOP_K)),
        (Setting::Seed, "9007199254740992", Some(SEED)),
        (Setting::TopP, "x", Some("Top-p must be a number, above 0 and at most 1.")),
    ] {
        assert_eq!(refused(setting, text), expected);
    }
    let wrong = || [typed(Setting::TopK, "-1"), typed(Setting::Seed, "x")];
    for mended in [vec![typed(Setting::TopK, "1"), typed(Setting::Seed, "")], vec![Action::SamplingReset]] {
        let state = after(&phase("loaded"), wrong());
        assert_eq!(after(&state, mended).blocker(), None);
    }
}

#[test]
fn a_prompt_that_cannot_be_answered_goes_back_to_the_composer() {
    for (meanwhile, expected) in [("", "long"), ("next", "long\n\nnext")] {
        let asked = after(
            &phase("answered"),
            [
                Action::DraftChanged("long".to_owned()),
                Action::Send,
                Action::DraftChanged(meanwhile.to_owned()),
            ],
        );
        let state = hears(&asked, vec![failed(Some(turn(&asked)), FailureKind::Prompt)]);
        assert_eq!(state.draft, expected);
        assert_eq!(talk(&state.conversation), "[q? a.EndOfTurn]");
    }
}

#[test]
fn events_of_an_answer_left_behind_change_nothing() {
    let before = phase("answering");
    let old = turn(&before);
    for leave in [Action::NewChat, Action::Stop] {
        let mut state = after(&before, [leave.clone()]);
        if leave == Action::Stop {
            state = hears(&state, vec![finished(old, FinishReason::Stopped)]);
        }
        state = post(&after(&state, [Action::Ask("new".to_owned())]));
        for late in [
            text(old, "late"),
            Event::Prefill { turn: old, done: 1, total: 2 },
            finished(old, FinishReason::EndOfTurn),
            failed(Some(old), FailureKind::Internal),
        ] {
            assert_eq!(
                difference(&state, &hears(&state, vec![late.clone()])),
                "",
                "{late:?} after {leave:?}"
            );
        }
        let lost = hears(&state, vec![failed(Some(old), FailureKind::DeviceLost)]);
        assert_eq!(model(&lost), "absent", "a lost device matters whosever answer it ended");
        let answered =
            hears(&state, vec![text(turn(&state), "b"), finished(turn(&state), FinishReason::MaxTokens)]);
        assert!(
            talk(&answered.conversation).ends_with("new? b.MaxTokens]"),
            "{}",
            talk(&answered.conversation)
        );
    }
}

#[test]
fn an_answer_streams() {
    let before = phase("answering");
    let number = turn(&before);
    let state = hears(
        &before,
        vec![Event::Prefill { turn: number, done: 3, total: 9 }, text(number, "b"), text(number, "c")],
    );
    assert_eq!(difference(&before, &state), "talk [q? abc…]; answer Some((3, 9))");
    assert_eq!((state.status, state.usage.map(|usage| usage.completion_tokens)), ("Generating…", Some(1)));
    for (reason, status) in [
        (FinishReason::EndOfTurn, "Answer complete."),
        (FinishReason::MaxTokens, "Answer complete."),
        (FinishReason::ContextFull, "Answer complete."),
        (FinishReason::Stopped, "Answer stopped."),
    ] {
        let state = hears(&state, vec![finished(number, reason)]);
        assert_eq!((state.status, state.usage.map(|usage| usage.completion_tokens)), (status, Some(7)));
    }
}

/// What the last `Generate` in the outbox carries: who said what, and called which tools.
fn sent_messages(state: &State) -> Vec<(Role, String)> {
    let messages = state.outbox.iter().rev().find_map(|outgoing| match &outgoing.request {
        Request::Generate { messages, .. } => Some(messages.clone()),
        _ => None,
    });
    let said = |message: ChatMessage| {
        let Some(Content::Text(mut text)) = message.content else { panic!("a message without text") };
        message.tool_calls.iter().for_each(|call| text += &format!("+{}", call.name));
        (message.role, text)
    };
    messages.expect("a Generate").into_iter().map(said).collect()
}

#[test]
fn calls_of_tools_are_shown_and_go_back_to_the_model() {
    let before = phase("answering");
    let number = turn(&before);
    let begun = || tool(number, ToolEvent::Begun { name: "f".to_owned() });
    let called = || tool(number, ToolEvent::Call { call: call("f", "{}") });
    let code = || tool(number, ToolEvent::Code { code: "1".to_owned() });
    let malformed = || {
        let (text, reason) = ("{f".to_owned(), "expected more".to_owned());
        tool(number, ToolEvent::Malformed { text, reason })
    };
    for (events, expected) in [
        (vec![begun()], "[q? a+f…]"),
        (vec![begun(), called()], "[q? a+f{}…]"),
        (vec![called(), code()], "[q? a+f{}+`1`…]"),
        (vec![begun(), malformed()], "[q? a{f…]"),
        (
            vec![begun(), called(), text(number, "b"), finished(number, FinishReason::ToolCalls)],
            "[q? ab+f{}.ToolCalls]",
        ),
        // What had only begun when the answer ended is no call.
        (vec![begun(), failed(Some(number), FailureKind::Internal)], "[q? a!]"),
        (vec![tool(number + 1, ToolEvent::Begun { name: "f".to_owned() })], "[q? a…]"),
    ] {
        assert_eq!(talk(&hears(&before, events.clone()).conversation), expected, "{events:?}");
    }
    let called = hears(&before, vec![called(), finished(number, FinishReason::ToolCalls)]);
    assert_eq!(called.status, "The model has called a tool.");
    let sent = sent_messages(&after(&called, [Action::Ask("x".to_owned())]));
    let expected = [(Role::User, "q"), (Role::Assistant, "a+f"), (Role::User, "x")];
    assert_eq!(sent, expected.map(|(role, text)| (role, text.to_owned())));
}

#[test]
fn the_model_gets_turns_that_alternate() {
    let answered = phase("answered");
    let unanswered = after(&answered, [Action::Ask("lost".to_owned())]);
    let unanswered = hears(&unanswered, vec![failed(Some(turn(&unanswered)), FailureKind::Internal)]);
    assert_eq!(talk(&unanswered.conversation), "[q? a.EndOfTurn lost? !]");
    let row = |role: Role, words: &str| (role, words.to_owned());
    let (question, reply) = (row(Role::User, "q"), row(Role::Assistant, "a"));
    for (state, action, expected) in [
        (&phase("loaded"), Action::Send, vec![row(Role::User, "draft")]),
        (&answered, Action::Send, vec![question.clone(), reply.clone(), row(Role::User, "draft")]),
        (&answered, Action::Regenerate, vec![question.clone()]),
        (&unanswered, Action::Send, vec![question.clone(), reply.clone(), row(Role::User, "draft")]),
        (&unanswered, Action::Regenerate, vec![question.clone(), reply.clone(), row(Role::User, "lost")]),
    ] {
        assert_eq!(sent_messages(&after(state, [action.clone()])), expected, "{action:?}");
    }
}

#[test]
fn a_chat_put_away_can_be_brought_back_until_the_next_one_begins() {
    let away = after(&phase("answered"), [Action::NewChat]);
    assert_eq!(talk(&after(&away, [Action::BringBack]).conversation), "[q? a.EndOfTurn]");
    assert_eq!(talk(&after(&away, [Action::NewChat]).put_away), "[q? a.EndOfTurn]");
    assert_eq!(talk(&after(&away, [Action::Ask("x".to_owned())]).put_away), "[]");
}

#[test]
fn stored_models_are_marked() {
    let state = phase("loaded");
    assert!(state.catalogue.iter().all(|entry| entry.stored));
    let forgotten = hears(&state, vec![Event::Forgotten { url: DEMO.to_owned() }]);
    assert!(forgotten.catalogue.iter().all(|entry| !entry.stored));
    let other = hears(&state, vec![Event::Forgotten { url: "other".to_owned() }]);
    assert!(other.catalogue.iter().all(|entry| entry.stored));
}

#[test]
fn an_address_of_the_catalogue_takes_its_hashes_along() {
    for (url, pieces) in [(DEMO, vec!["ab".to_owned()]), ("https://example.com/m.gguf", Vec::new())] {
        let state = after(&phase("ready"), [Action::UrlChanged(format!(" {url} ")), Action::LoadUrl]);
        let source = ModelSource::Url { url: url.to_owned(), pieces };
        let expected = Request::Load { source, options: LoadOptions::default() };
        assert_eq!(state.outbox.last().map(|outgoing| &outgoing.request), Some(&expected));
    }
}

#[test]
fn a_model_is_loaded_as_was_chosen_before_the_click() {
    let asked = |state: &State| match state.outbox.last().map(|outgoing| &outgoing.request) {
        Some(Request::Load { options, .. }) => *options,
        _ => panic!("no load"),
    };
    let chosen = after(&phase("ready"), [Action::OptionsChanged(small()), Action::Load(demo())]);
    assert_eq!(asked(&chosen), small());
    let loaded = hears(&after(&chosen, [Action::OptionsChanged(LoadOptions::default())]), vec![loaded()]);
    assert_eq!(loaded.loaded().map(|loaded| loaded.options), Some(small()));
    let again = after(&loaded, [Action::Load(demo())]);
    assert_eq!(asked(&again), LoadOptions::default());
    let restarted = after(&chosen, [Action::WorkerCrashed("m".to_owned()), Action::RestartWorker]);
    assert_eq!(restarted.options, small());
}

#[test]
fn a_failure_is_shown_once_and_only_the_latest_few() {
    let mut state = phase("loaded");
    for kind in [FailureKind::Network, FailureKind::Storage, FailureKind::Network] {
        state = hears(&state, vec![failed(None, kind)]);
    }
    assert_eq!(alerts(&state), "[Storage:- Network:-]");
    for kind in [FailureKind::ModelFile, FailureKind::Internal] {
        state = hears(&state, vec![failed(None, kind)]);
    }
    assert_eq!(alerts(&state), "[Network:- ModelFile:- Internal:-]");
    let second = state.alerts[1].id;
    assert_eq!(alerts(&after(&state, [Action::Dismiss(second)])), "[Network:- Internal:-]");
}

#[test]
fn requests_are_numbered_and_leave_once_posted() {
    let state = after(&phase("answering"), [Action::Stop, Action::NewChat, Action::Ask("x".to_owned())]);
    assert_eq!(posts(&state), "[stop generate]");
    let numbers: Vec<u32> = state.outbox.iter().map(|outgoing| outgoing.number).collect();
    assert!(numbers.is_sorted() && numbers[0] < numbers[1], "{numbers:?}");
    assert_eq!(posts(&after(&state, [Action::Sent(numbers[0])])), "[generate]");
    assert_eq!(posts(&after(&state, [Action::WorkerCrashed("m".to_owned())])), "[]");
}

#[test]
fn a_restarted_worker_starts_anew_and_the_chat_stays() {
    let crashed = after(&phase("answered"), [Action::WorkerCrashed("m".to_owned()), Action::RestartWorker]);
    assert_eq!(crashed.blocker(), Some("The engine is starting."));
    let ready = hears(&crashed, vec![Event::Ready { catalogue: catalogue() }]);
    assert_eq!(talk(&ready.conversation), "[q? a.EndOfTurn]");
    assert!(ready.can_load() && ready.shows_models());
}

#[test]
fn a_model_may_come_with_a_reservation() {
    let Event::Loaded { mut model, device, not_stored } = loaded() else { unreachable!() };
    model.warnings = vec!["It is old.".to_owned()];
    let state = hears(&phase("loading"), vec![Event::Loaded { model, device, not_stored }]);
    assert!(state.loaded().is_some());
    let said: Vec<_> = state.alerts.iter().map(|alert| (&alert.failure, &alert.remedy)).collect();
    let expected = Failure { kind: FailureKind::Caveat, message: "It is old.".to_owned() };
    assert_eq!(said, [(&expected, &None)]);
}
