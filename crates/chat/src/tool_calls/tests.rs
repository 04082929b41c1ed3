use std::sync::LazyLock;

use super::candidate::MAX_BYTES;
use super::*;
use crate::tokenizer::tests::{tokenizer, vocabulary};
use protocol::Json;

static LLAMA: LazyLock<Tokenizer> = LazyLock::new(llama);

/// The test vocabulary with `<|python_tag|>` in the place of `<tool>`.
fn llama() -> Tokenizer {
    let mut vocabulary = vocabulary("llama-bpe");
    let place = vocabulary.tokens.iter_mut().find(|token| *token == "<tool>").unwrap();
    *place = "<|python_tag|>".into();
    Tokenizer::from_vocabulary(vocabulary).unwrap()
}

/// Neighbouring pieces of text are one: how an answer is cut shows in nothing else.
fn joined(events: Vec<ToolEvent>) -> Vec<ToolEvent> {
    let mut joined = Vec::new();
    for event in events {
        match event {
            ToolEvent::Text { text } => say(&text, &mut joined),
            event => joined.push(event),
        }
    }
    joined
}

/// `answer` has its control tokens spelled out. Each token comes alone, then all text of a stretch in pieces of
/// `size` characters.
fn parse(answer: &str, size: usize) -> Vec<ToolEvent> {
    let mut parser = ToolCallParser::new(&LLAMA, 0);
    let mut events = Vec::new();
    let mut rest = answer;
    while !rest.is_empty() {
        let control = ["<|python_tag|>", "<|eom_id|>", "<|eot_id|>", "<|im_start|>"];
        let next = control.iter().filter_map(|name| Some((rest.find(name)?, *name))).min();
        let (at, name) = next.unwrap_or((rest.len(), ""));
        let characters: Vec<char> = rest[..at].chars().collect();
        for piece in characters.chunks(size) {
            // An ordinary token's id: any that is no control token.
            events.extend(parser.push(7, &piece.iter().collect::<String>()));
        }
        if let Some(id) = LLAMA.control_id(name) {
            events.extend(parser.push(id, ""));
        }
        rest = &rest[at + name.len()..];
    }
    events.extend(parser.finish(""));
    joined(events)
}

#[track_caller]
fn check(answer: &str, expected: &[ToolEvent]) {
    for size in [1, 2, 3, 5, 1000] {
        assert_eq!(parse(answer, size), expected, "{answer:?} in pieces of {size}");
    }
}

fn text(text: &str) -> ToolEvent {
    ToolEvent::Text { text: text.into() }
}

fn begun(name: &str) -> ToolEvent {
    ToolEvent::Begun { name: name.into() }
}

fn call(number: usize, name: &str, arguments: &str) -> ToolEvent {
    let (id, name) = (format!("call_{number}"), name.into());
    ToolEvent::Call { call: ToolCall { id, name, arguments: Json(arguments.into()) } }
}

fn code(code: &str) -> ToolEvent {
    ToolEvent::Code { code: code.into() }
}

fn malformed(text: &str, reason: &str) -> ToolEvent {
    ToolEvent::Malformed { text: text.into(), reason: format!("expected {reason}") }
}

#[test]
fn plain_answers_stay_text() {
    for answer in
        ["Hello!", " \n Hello {\"name\": 1}", "a < b <function", "[1, 2]", "日本 🙂", " \n", "x<|im_start|>y"]
    {
        check(&format!("{answer}<|eot_id|>"), &[text(&answer.replace("<|im_start|>", ""))]);
        check(answer, &[text(&answer.replace("<|im_start|>", ""))]);
    }
    check("", &[]);
    check("<|eot_id|>", &[]);
    // Spelled out, a control token is text.
    let mut parser = ToolCallParser::new(&tokenizer("llama-bpe"), 0);
    assert_eq!(parser.push(7, "<|python_tag|>print(1)"), [text("<|python_tag|>print(1)")]);
}

#[test]
fn json_calls() {
    let arguments = r#"{"b": [1.0, "}\"{"], "a": {"é": 12345678901234567890123}}"#;
    for end in ["<|eot_id|>", "<|eom_id|>", ""] {
        for (answer, name, arguments) in [
            (format!(r#"{{"name": "f", "parameters": {arguments}}}"#), "f", arguments),
            (
                format!(r#"{{"type": "function", "name": "f.g-1", "parameters": {arguments}}}"#),
                "f.g-1",
                arguments,
            ),
            (
                format!("\n {{\n\"parameters\":{arguments},\"name\":\"f\",\"type\":\"function\"}}\n "),
                "f",
                arguments,
            ),
            (r#"{"name": "f", "arguments": {}}"#.into(), "f", "{}"),
            (r#"{"name": "f", "arguments": "{\"a\": \"\\u00e9\\n\"}"}"#.into(), "f", r#"{"a": "\u00e9\n"}"#),
            (r#"{"n\u0061me": "\u00e9", "parameters": {}}"#.into(), "é", "{}"),
        ] {
            check(&format!("{answer}{end}"), &[begun(name), call(1, name, arguments)]);
            check(&format!("<|python_tag|>{answer}{end}"), &[begun(name), call(1, name, arguments)]);
        }
    }
}

#[test]
fn objects_that_are_no_calls_stay_text() {
    for answer in
        [r#"{"a": 1}"#, "{}", r#"{"parameters": {}}"#, "{not JSON}", "{", r#"{"name": 1, "parameters": {}}"#]
    {
        check(&format!("{answer}<|eot_id|>"), &[text(answer)]);
        check(answer, &[text(answer)]);
    }
}

#[test]
fn calls_that_are_not_exactly_so_are_malformed() {
    for (answer, reason) in [
        (r#"{"name": "f"}"#, "a call in JSON with parameters"),
        (r#"{"name": "f", "parameters": null}"#, "an object of arguments in JSON"),
        (r#"{"name": "f", "parameters": [1]}"#, "an object of arguments in JSON"),
        (
            r#"{"name": "f", "parameters": "x"}"#,
            "an object of arguments in JSON: expected value at line 1 column 1",
        ),
        (r#"{"name": "f", "parameters": {}, "arguments": {}}"#, "a call in JSON with one arguments"),
        (r#"{"name": "f", "name": "g", "parameters": {}}"#, "a call in JSON with one name"),
        (r#"{"name": "f", "parameters": {}, "id": 1}"#, "a call in JSON without the key id"),
        (r#"{"name": "f", "parameters": {}, "type": "tool"}"#, "a call in JSON of the type \"function\""),
        (
            r#"{"name": "f", "parameters": {'a': 1}}"#,
            "a call in JSON: key must be a string at line 1 column 30",
        ),
        (
            r#"{"name": "f", "parameters": {"a": 1,}}"#,
            "a call in JSON: key must be a string at line 1 column 37",
        ),
        (
            r#"{"name": "f", "parameters": {"#,
            "a call in JSON: EOF while parsing an object at line 1 column 29",
        ),
    ] {
        check(&format!("{answer}<|eot_id|>"), &[begun("f"), malformed(answer, reason)]);
        check(&format!("<|python_tag|>{answer}<|eom_id|>"), &[begun("f"), malformed(answer, reason)]);
    }
    let call = r#"{"name": "f", "parameters": {}}"#;
    check(
        &format!("{call}; {call}<|eot_id|>"),
        &[begun("f"), malformed(&format!("{call};"), "nothing behind the call"), text(&format!(" {call}"))],
    );
    let deep = format!(r#"{{"name": "f", "parameters": {{"a": {}{}}}}}"#, "[".repeat(100), "]".repeat(100));
    check(
        &deep,
        &[
            begun("f"),
            malformed(
                &deep,
                "an object of arguments in JSON: The conversation has arguments that can't be read as JSON: it has more than 64 levels.",
            ),
        ],
    );
}

#[test]
fn tags_are_found_anywhere() {
    let tag = r#"<function=get_it>{"a": "</function>"}</function>"#;
    let arguments = r#"{"a": "</function>"}"#;
    check(&format!("{tag}<|eot_id|>"), &[begun("get_it"), call(1, "get_it", arguments)]);
    check(
        &format!("Let me look.\n{tag}\n<{tag}"),
        &[
            text("Let me look.\n"),
            begun("get_it"),
            call(1, "get_it", arguments),
            text("\n<"),
            begun("get_it"),
            call(2, "get_it", arguments),
        ],
    );
    check(&format!("<|python_tag|>{tag}<|eom_id|>"), &[begun("get_it"), call(1, "get_it", arguments)]);
    check("<function=f> {} \n</function>", &[begun("f"), call(1, "f", "{}")]);
    // The end of the answer closes it too.
    check("<function=f>{}<|eot_id|>", &[begun("f"), call(1, "f", "{}")]);
    for (answer, expected) in [
        (
            "<function=f>[]</function>",
            vec![begun("f"), malformed("<function=f>[", "an object of arguments"), text("]</function>")],
        ),
        (
            "<function=f>{}<function>",
            vec![
                begun("f"),
                malformed("<function=f>{}<f", "</function> behind the arguments"),
                text("unction>"),
            ],
        ),
        (
            "<function=f>{'a': 1}</function>",
            vec![
                begun("f"),
                malformed(
                    "<function=f>{'a': 1}</function>",
                    "an object of arguments in JSON: key must be a string at line 1 column 2",
                ),
            ],
        ),
        (
            "<function=f>{",
            vec![
                begun("f"),
                malformed(
                    "<function=f>{",
                    "an object of arguments in JSON: EOF while parsing an object at line 1 column 1",
                ),
            ],
        ),
        ("<function=>{}", vec![text("<function=>{}")]),
        ("<function=a b>", vec![text("<function=a b>")]),
        ("<function=a{b>", vec![text("<function=a{b>")]),
        ("<function=a", vec![text("<function=a")]),
        ("<<function=f>{}", vec![text("<"), begun("f"), call(1, "f", "{}")]),
        ("<func<function=f>{}", vec![text("<func"), begun("f"), call(1, "f", "{}")]),
    ] {
        check(answer, &expected);
    }
    let long = format!("<function={}", "x".repeat(300));
    check(&long, &[text(&long)]);
}

#[test]
fn tools_that_the_model_was_trained_with() {
    for (answer, name, arguments) in [
        (r#"brave_search.call(query="gold price")"#, "brave_search", r#"{"query": "gold price"}"#),
        (r#" wolfram_alpha.call(query="x^2\n=1, 日") "#, "wolfram_alpha", r#"{"query": "x^2\\n=1, 日"}"#),
        (r#"brave_search.call(query="a", count="2")"#, "brave_search", r#"{"query": "a", "count": "2"}"#),
        (r#"brave_search.call(query="")"#, "brave_search", r#"{"query": ""}"#),
    ] {
        check(&format!("<|python_tag|>{answer}<|eom_id|>"), &[begun(name), call(1, name, arguments)]);
        // Without the control token it is text.
        check(&format!("{answer}<|eot_id|>"), &[text(answer)]);
    }
    for answer in [
        "brave_search.call(query='a')",
        "brave_search.call(query=\"a\"",
        "brave_search.call()",
        "brave_search.call(query=\"a\")\nprint(1)",
        "brave_search.call(query=\"a\",count=\"2\")",
        "brave_search.call(query=\"a\", query=\"b\")",
        "brave_search.call(a b=\"a\")",
        "brave_search.call(query=\"a\"b\")",
    ] {
        let reason = "brave_search.call(query=\"…\") and nothing behind it";
        check(
            &format!("<|python_tag|>{answer}<|eom_id|>"),
            &[begun("brave_search"), malformed(answer, reason)],
        );
    }
}

#[test]
fn anything_else_behind_the_python_tag_is_code() {
    for answer in [
        "print(1)",
        "\nimport math\nmath.sqrt(2)\n",
        "my_search.call(query=\"a\")",
        "x = brave_search.call(query=\"a\")",
        "{1: 2}",
        "{\"a\": [x for x in y]}",
        "日本 = \"🙂\"",
        "if a < b: f('<function=f>')",
    ] {
        check(&format!("<|python_tag|>{answer}<|eom_id|>"), &[code(answer)]);
        check(&format!("Look:<|python_tag|>{answer}<|eot_id|>"), &[text("Look:"), code(answer)]);
        // Half a program is not to be run.
        check(&format!("<|python_tag|>{answer}"), &[malformed(answer, "the end of the code")]);
    }
    check("<|python_tag|><|eom_id|>", &[malformed("", "a call or code")]);
    check("<|python_tag|> \n<|eom_id|>", &[malformed(" \n", "a call or code")]);
    check(
        "{\"name\": \"f\", \"par<|python_tag|>print(1)<|eom_id|>",
        &[
            begun("f"),
            malformed(
                "{\"name\": \"f\", \"par",
                "a call in JSON: EOF while parsing a string at line 1 column 18",
            ),
            code("print(1)"),
        ],
    );
    check("<|python_tag|>a<|python_tag|>b<|eom_id|>", &[malformed("a", "the end of the code"), code("b")]);
}

#[test]
fn ids_go_on_from_the_calls_before() {
    let mut parser = ToolCallParser::new(&LLAMA, 4);
    let events = parser.push(7, "<function=f>{}</function><function=f>{}</function>");
    assert_eq!(events, [begun("f"), call(5, "f", "{}"), begun("f"), call(6, "f", "{}")]);
}

#[test]
fn text_is_handed_on_as_it_comes() {
    let mut parser = ToolCallParser::new(&LLAMA, 0);
    for (piece, expected) in [
        (" ", vec![]),
        ("Hi", vec![text(" Hi")]),
        (" <fun", vec![text(" ")]),
        ("ny>", vec![text("<funny>")]),
        ("<function=f", vec![]),
        (">", vec![begun("f")]),
        ("{}</function", vec![]),
        (">!", vec![call(1, "f", "{}"), text("!")]),
    ] {
        assert_eq!(parser.push(7, piece), expected, "{piece}");
    }
}

#[test]
fn what_never_ends_is_given_up() {
    let long = format!(r#"{{"name": "f", "parameters": {{"a": "{}"#, "x".repeat(MAX_BYTES));
    let events = parse(&long, 1000);
    let [
        ToolEvent::Begun { .. },
        ToolEvent::Malformed { text: held, reason },
        ToolEvent::Text { text: rest },
    ] = &events[..]
    else {
        panic!("{} events", events.len())
    };
    assert_eq!((held.len(), reason.as_str()), (MAX_BYTES + 1, "expected at most 1 MiB"));
    assert!(held.clone() + rest == long);
}

/// Nothing that a model can say makes it panic, loses a character of text, or depends on the cuts.
#[test]
fn any_answer_in_any_cuts() {
    const PIECES: [&str; 24] = [
        "<function=",
        "f",
        ">",
        "{",
        "}",
        "\"name\"",
        "\"parameters\"",
        ":",
        ",",
        "\"",
        "\\",
        "</function>",
        " ",
        "\n",
        "<",
        "<|python_tag|>",
        "<|eom_id|>",
        "<|eot_id|>",
        "brave_search",
        ".call(query=\"",
        "\")",
        "[",
        "]",
        "🙂",
    ];
    let mut state = 7u32;
    for _ in 0..3000 {
        let mut answer = String::new();
        for _ in 0..12 {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            answer.push_str(PIECES[(state >> 16) as usize % PIECES.len()]);
        }
        let whole = parse(&answer, 1000);
        assert_eq!(parse(&answer, 1), whole, "{answer}");
        assert_eq!(parse(&answer, 3), whole, "{answer}");
    }
}
