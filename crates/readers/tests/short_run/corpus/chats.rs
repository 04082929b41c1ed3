//! Templates, conversations, answers with calls.

use super::{Case, case};

pub(super) fn chat_template() -> Vec<Case> {
    let endless = "The model's chat template does not come to an end";
    vec![
        case(
            "healthy",
            "{{ bos_token }}{% for message in messages %}{{ '<|start_header_id|>' + message.role + '<|end_header_id|>' }}\
             {% if message.tool_calls %}{{ message.tool_calls[0].function | tojson }}{% else %}{{ message.content }}\
             {% endif %}{% endfor %}{% if tools is not none %}{{ tools | tojson(indent=4) }}{% endif %}",
            "",
        ),
        case("with the time", "{{ strftime_now('%d %b %Y') }}{{ messages | length }}", ""),
        case(
            "with macros and methods",
            "{% macro m(a) %}{{ a.strip().split(' ')[0] }}{% endmacro %}{{ m(messages[0].content) }}",
            "",
        ),
        case(
            "loops in loops",
            "{% for a in range(9999) %}{% for b in range(9999) %}{% for c in range(9999) %}x{% endfor %}{% endfor %}{% endfor %}",
            endless,
        ),
        case("a macro of itself", "{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}", endless),
        case(
            "a text that doubles",
            "{% set ns = namespace(x='xx') %}{% for n in range(99) %}{% set ns.x = ns.x ~ ns.x %}{% endfor %}",
            endless,
        ),
        case(
            "a list that doubles",
            "{% set ns = namespace(a=[1]) %}{% for i in range(9999) %}{% set ns.a = [ns.a, ns.a] %}{% endfor %}{{ ns.a }}",
            endless,
        ),
        case(
            "a list that becomes text",
            "{% macro m(a) %}{{ (a ~ '') | length }}{% endmacro %}{{ m(['x' * 500000] * 20000) }}",
            endless,
        ),
        case(
            "a list within a filter",
            "{{ [['x' * 500000] * 20000] | map('upper') | list | length }}",
            endless,
        ),
        case("a list within a method", "{{ ''.join(['x' * 500000] * 20000) | length }}", endless),
        case("a text of a billion", "{{ 'x' * 999999999 }}", endless),
        case("a width of a billion", "{{ '%999999999d' | format(1) }}", endless),
        case("depth", "{{ ".to_owned() + &"(".repeat(10_000), endless),
        case("open", "{{ open('/etc/passwd') }}", "The model's chat template does not work"),
        case(
            "the world of Python",
            "{{ ''.__class__.__mro__[1].__subclasses__() }}",
            "The model's chat template does not work",
        ),
        case("another file", "{% include '/etc/passwd' %}", "The model's chat template does not work"),
        case("not closed", "{% for", "The model's chat template does not work"),
        case(
            "a refusal",
            "{{ raise_exception('Roles must alternate') }}",
            "refuses this conversation: Roles must alternate",
        ),
        case(
            "a refusal that turns text",
            "{{ raise_exception('\u{202e}\u{7}' * 999) }}",
            "refuses this conversation",
        ),
        case(
            "an unknown filter that turns text",
            "{{ 1 | \u{202e} }}",
            "The model's chat template does not work",
        ),
    ]
}

pub(super) fn conversation() -> Vec<Case> {
    let call = r#"{"messages": [{"role": "user", "content": "Hi"}, {"role": "assistant", "tool_calls": [{"id": "1",
        "type": "function", "function": {"name": "f", "arguments": {"a": 1e400}}}]}, {"role": "ipython", "content": [1]}],
        "tools": [{"type": "function", "function": {"name": "f"}}], "date_string": "x"}"#;
    vec![
        case("healthy", call, ""),
        case(
            "control tokens",
            r#"{"messages": [{"role": "user", "content": "<|eot_id|><|start_header_id|>"}]}"#,
            "",
        ),
        case("no messages", r#"{"messages": []}"#, "The conversation is empty"),
        case("no JSON", "{", "can't be read as JSON"),
        case("no role", r#"{"messages": [{"content": "x"}]}"#, "a message has no role"),
        case("another role", call.replace("ipython", "root"), "role: unknown variant `root`"),
        case(
            "a field that turns text",
            r#"{"messages": [{"role": "user", "\u202e\u0007": 1}]}"#,
            "unknown field",
        ),
        case(
            "a role that turns text",
            r#"{"messages": [{"role": "\u202e\u0007"}]}"#,
            "role: unknown variant",
        ),
        case(
            "a long role",
            format!("{{\"messages\": [{{\"role\": \"{}\"}}]}}", "x".repeat(9000)),
            "role: unknown variant",
        ),
        case("a key twice", r#"{"messages": [{"role": "user", "content": {"a": 1, "a": 2}}]}"#, ""),
        case(
            "depth",
            format!("{{\"messages\": [{{\"role\": \"user\", \"content\": {}", "[".repeat(10_000)),
            "can't be read",
        ),
        case(
            "a number without end",
            format!("{{\"messages\": [{{\"role\": \"user\", \"content\": {}}}]}}", "9".repeat(10_000)),
            "",
        ),
    ]
}

/// A zero byte is the token before code, a byte of 1 ends the turn; tokens end where lines do.
pub(super) fn tool_calls() -> Vec<Case> {
    [
        "{\"name\": \"f\", \"parameters\": {\"a\": [1, 2.50]}}\u{1}",
        "\0{\"type\": \"function\", \"name\": \"f\", \"arguments\": \"{}\"}\u{1}",
        "It rains.\n<function=weather>{\"city\": \"Paris\"}</function> Or so.\u{1}",
        "\0brave_search.call(query=\"rain\")\u{1}",
        "\0print(1)\u{1}",
        "\0\0\u{1}\u{1}",
        "{\"name\": \"f\", \"name\": \"g\", \"parameters\": {}}\u{1}",
        "{\"name\": \"\u{202e}\", \"parameters\": {\"a\": 1, \"a\": 2}}\u{1}",
        "{\"name\": 1e999}\u{1}",
        "{{{{{{{{[[[[[[\u{1}",
        "<function=>{}</function><function=f{}</function>\u{1}",
        "\0brave_search.call(query=\"a\", query=\"b\")\u{1}",
    ]
    .into_iter()
    .map(|text| case("an answer", text, ""))
    .collect()
}
