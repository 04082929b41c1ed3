//! Answers as their ids come, without a model.

use super::*;

use chat::Tokenizer;

/// A byte for each token, and Llama 3.1's control tokens.
fn tokenizer() -> Tokenizer {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let digit = |six_bits: u8| char::from(DIGITS[usize::from(six_bits % 64)]);
    let line = |byte: u8| format!("{}{}== {byte}\n", digit(byte >> 2), digit((byte & 3) << 4));
    Tokenizer::from_tiktoken((0..=255).map(line).collect::<String>().as_bytes()).unwrap()
}

/// Whether the model was given any.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Tools {
    Given,
    None,
}

/// What an answer tells, a line for each event with neighbouring texts joined; then its text, its calls and its end.
fn told(answer: &str, tools: Tools) -> Vec<String> {
    let tokenizer = tokenizer();
    let parser = (tools == Tools::Given).then(|| ToolCallParser::new(&tokenizer, 2));
    let mut run = Run::new(&[1, 2, 3], Sampling::default(), 1000, Ends::WithTheTurn, parser);
    let mut stream = tokenizer.stream();
    let (mut lines, mut figures) = (Vec::<String>::new(), 0);
    let mut on_event = |event| match event {
        GenerateEvent::Text { text, usage } => {
            figures = usage.completion_tokens;
            match lines.last_mut().filter(|line| line.starts_with("says ")) {
                Some(line) => line.push_str(&text),
                None if text.is_empty() => {}
                None => lines.push(format!("says {text}")),
            }
        }
        GenerateEvent::Tool(ToolEvent::Call { call }) => {
            lines.push(format!("{} {} {}", call.id, call.name, call.arguments.0));
        }
        GenerateEvent::Tool(other) => lines.push(format!("{other:?}")),
        GenerateEvent::LogProbs(_) => panic!("nobody has asked for them"),
        GenerateEvent::Prefill { .. } => panic!("there is no prompt to read"),
    };
    let ids = tokenizer.encode_with_special(answer).unwrap();
    for id in &ids {
        run.take(Chosen { id: *id, log_probs: None }, &mut stream, &mut on_event);
    }
    run.flush(&mut stream, &mut on_event);
    assert_eq!(figures as usize, ids.len(), "figures come with every token");
    let reason = run.end_of_turn();
    let answer = run.answer(reason);
    lines.push(format!("{:?}, {} calls, {reason:?}", answer.text, answer.calls.len()));
    lines
}

#[track_caller]
fn check(answer: &str, expected: &[&str]) {
    assert_eq!(told(answer, Tools::Given), expected, "{answer}");
}

#[test]
fn calls_are_told_apart_from_text() {
    check("It rains.<|eot_id|>", &["says It rains.", "\"It rains.\", 0 calls, EndOfTurn"]);
    check(
        "{\"name\": \"weather\", \"parameters\": {\"city\": \"Paris\", \"days\": 1.50}}<|eot_id|>",
        &[
            "Begun { name: \"weather\" }",
            "call_3 weather {\"city\": \"Paris\", \"days\": 1.50}",
            "\"\", 1 calls, ToolCalls",
        ],
    );
    check(
        "Let me see: <function=f>{}</function> and <function=g>{}</function><|eom_id|>",
        &[
            "says Let me see: ",
            "Begun { name: \"f\" }",
            "call_3 f {}",
            "says  and ",
            "Begun { name: \"g\" }",
            "call_4 g {}",
            "\"Let me see:  and \", 2 calls, ToolCalls",
        ],
    );
    check(
        "<|python_tag|>brave_search.call(query=\"rain\")<|eom_id|>",
        &[
            "Begun { name: \"brave_search\" }",
            "call_3 brave_search {\"query\": \"rain\"}",
            "\"\", 1 calls, ToolCalls",
        ],
    );
    check("<|python_tag|>print(1)<|eom_id|>", &["Code { code: \"print(1)\" }", "\"\", 0 calls, ToolCalls"]);
}

#[test]
fn what_is_no_call_stays_text() {
    check("{\"a\": 1}<|eot_id|>", &["says {\"a\": 1}", "\"{\\\"a\\\": 1}\", 0 calls, EndOfTurn"]);
    check(
        "<function=f>{\"a\": }</function><|eot_id|>",
        &[
            "Begun { name: \"f\" }",
            "Malformed { text: \"<function=f>{\\\"a\\\": }</function>\", reason: \"expected an object of arguments in JSON: \
             expected value at line 1 column 7\" }",
            "\"<function=f>{\\\"a\\\": }</function>\", 0 calls, EndOfTurn",
        ],
    );
    // Cut off by a limit: nothing is to be run.
    check(
        "{\"name\": \"f\", \"par",
        &[
            "Begun { name: \"f\" }",
            "Malformed { text: \"{\\\"name\\\": \\\"f\\\", \\\"par\", reason: \"expected a call in JSON: EOF while parsing a string at \
         line 1 column 18\" }",
            "\"{\\\"name\\\": \\\"f\\\", \\\"par\", 0 calls, EndOfTurn",
        ],
    );
    // Half a character at the end is told, too.
    let half = told("é<|eot_id|>", Tools::Given);
    assert_eq!(half, ["says é", "\"é\", 0 calls, EndOfTurn"]);
}

#[test]
fn without_tools_everything_is_text() {
    let answer = "{\"name\": \"f\", \"parameters\": {}}";
    let expected = [format!("says {answer}"), format!("{answer:?}, 0 calls, EndOfTurn")];
    assert_eq!(told(&format!("<|python_tag|>{answer}<|eom_id|>"), Tools::None), expected);
}
