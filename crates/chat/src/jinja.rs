//! Jinja as Hugging Face sets it up for chat templates.
//!
//! Blocks are trimmed, `break` and `continue` exist, Python's string and dict methods too, `tojson` is `json.dumps`,
//! and there are `raise_exception` and, where the time is known, `strftime_now`.
//! A downloaded template is a stranger's program: it gets no IO, and a budget for what it does.

mod concat;
mod limits;
mod paid;
mod source;

use minijinja::syntax::SyntaxConfig;
use minijinja::value::{Kwargs, StringInput, ValueKind};
use minijinja::{Environment, Error, ErrorKind, State, Value, escape_formatter, filters};

use crate::{ChatError, date, tojson};
pub(crate) use limits::fuel;

/// The name that the one template has in its environment. Without an ending, so nothing is escaped for HTML.
pub(crate) const NAME: &str = "chat_template";

/// Macros in macros. WASM has a stack of 1 MiB, and a level takes several hundred bytes of it.
const DEPTH: usize = 100;

/// What a template's author says against a conversation.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct Raised(String);

/// Compiles a template.
pub(crate) fn environment(source: &str) -> Result<Environment<'static>, ChatError> {
    let source = source::prepare(source).map_err(|detail| ChatError::TemplateLimit { detail })?;
    let mut environment = Environment::new();
    let syntax = SyntaxConfig::builder().trim_blocks(true).lstrip_blocks(true).build().map_err(failure)?;
    environment.set_syntax(syntax);
    environment.set_fuel(Some(fuel(0, 0)));
    environment.set_recursion_limit(DEPTH);
    paid::set_up(&mut environment);
    environment.set_formatter(|out, state, value| {
        limits::charge(state, value)?;
        escape_formatter(out, state, value)
    });
    environment.add_filter("tojson", tojson::tojson);
    environment.add_filter("string", string);
    environment.add_filter("join", join);
    environment.add_filter(source::NAMED, limits::named);
    environment.add_function("raise_exception", raise_exception);
    environment.add_template_owned(NAME, source).map_err(failure)?;
    Ok(environment)
}

fn string(state: &State, value: Value) -> Result<Value, Error> {
    if value.kind() == ValueKind::String {
        return Ok(value);
    }
    limits::charge(state, &value)?;
    Ok(Value::from(value.to_string()))
}

fn join(
    state: &mut State,
    list: &Value,
    joiner: Option<StringInput<'_>>,
    attribute: Option<&str>,
    options: Kwargs,
) -> Result<Value, Error> {
    limits::charge(state, list)?;
    filters::join(state, list, joiner, attribute, options)
}

fn raise_exception(state: &State, message: Value) -> Result<Value, Error> {
    limits::charge(state, &message)?;
    let message = message.to_string();
    Err(Error::new(ErrorKind::InvalidOperation, message.clone()).with_source(Raised(message)))
}

/// Lets a template ask for the time: local seconds since 1970.
pub(crate) fn set_time(environment: &mut Environment<'_>, seconds: i64) {
    environment.add_function("strftime_now", move |format: &str| date::strftime(seconds, format));
}

/// Why a template could not be compiled or rendered.
pub(crate) fn failure(error: Error) -> ChatError {
    let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(&error);
    while let Some(error) = cause {
        if let Some(Raised(message)) = error.downcast_ref() {
            return ChatError::Refused { message: message.clone() };
        }
        cause = error.source();
    }
    let detail = error.to_string();
    match error.kind() {
        ErrorKind::OutOfFuel => ChatError::TemplateLimit { detail },
        _ if detail.contains("recursion limit") => ChatError::TemplateLimit { detail },
        _ => ChatError::Template { detail },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use minijinja::context;

    fn render(source: &str) -> Result<String, ChatError> {
        let mut environment = environment(source)?;
        set_time(&mut environment, 1_721_952_000);
        let messages = vec![
            context! { role => "user", content => " Hi <b>&'you'</b> " },
            context! { role => "assistant", content => "Hello" },
        ];
        let context = context! { messages, add_generation_prompt => true, tools => Value::from(()) };
        environment.get_template(NAME).map_err(failure)?.render(context).map_err(failure)
    }

    /// Expected as `transformers` renders it (Jinja2 3.1).
    #[test]
    fn features_that_templates_use_work_as_in_python() {
        for (source, expected) in [
            // White space round blocks.
            ("a\n  {% if true %}\n  b\n  {% endif %}\nc", "a\n  b\nc"),
            ("a  {%- if true -%}  b  {%- endif %}  c", "ab  c"),
            ("a {{- ' b ' -}} c\n", "a b c"),
            ("{# note #}\nx", "x"),
            // Loops.
            (
                "{% for m in messages %}{% if loop.last %}{% continue %}{% endif %}{{ m.role }}{% endfor %}",
                "user",
            ),
            ("{% for n in range(9) %}{% if n == 3 %}{% break %}{% endif %}{{ n }}{% endfor %}", "012"),
            (
                "{% for m in messages[1:] %}{{ loop.index0 }}{{ m['role'] }}{{ loop.first }}{% endfor %}",
                "0assistantTrue",
            ),
            ("{% for k, v in {'a': 1, 'b': 2}.items() %}{{ k }}{{ v }}{% endfor %}", "a1b2"),
            ("{% for k, v in {'a': 1}|items %}{{ k }}{{ v }}{% endfor %}", "a1"),
            (
                "{% set ns = namespace(n=0) %}{% for m in messages %}{% set ns.n = ns.n + 1 %}{% endfor %}{{ ns.n }}",
                "2",
            ),
            // Contents are not escaped.
            ("{{ messages[0].content }}", " Hi <b>&'you'</b> "),
            ("{{ messages[0]['content'] | trim + '|' }}", "Hi <b>&'you'</b>|"),
            ("{{ messages[0].content | tojson }}", "\" Hi <b>&'you'</b> \""),
            (
                "{{ messages[-1] | tojson(indent=2) }}",
                "{\n  \"role\": \"assistant\",\n  \"content\": \"Hello\"\n}",
            ),
            // Python's methods.
            ("{{ ' x '.strip() ~ 'ab'.upper() ~ 'a-b'.split('-')[1] ~ 'ab'.startswith('a') }}", "xABbTrue"),
            ("{{ 'a</think>b'.split('</think>')[-1].lstrip('\\n') ~ 'abc'.replace('b', '') }}", "bac"),
            ("{{ {'a': 1}.get('b', 'none') ~ {'a': 1}.get('b') }}", "noneNone"),
            // Tests and values.
            ("{{ tools is none }}{{ tools is defined }}{{ other is defined }}", "TrueTrueFalse"),
            (
                "{{ 'ab' is string }}{{ 'ab' is iterable }}{{ {} is mapping }}{{ 3 is iterable }}",
                "TrueTrueTrueFalse",
            ),
            ("{{ 'Hi' in messages[0].content }}{{ 'role' in messages[0] }}", "TrueTrue"),
            ("{{ other }}{{ messages[0].other }}|{{ none }}|{{ 1.0 }}|{{ [1, 'a'] }}", "|None|1.0|[1, 'a']"),
            ("{{ messages | selectattr('role', 'equalto', 'user') | list | length }}", "1"),
            ("{{ messages | map(attribute='role') | join(', ') }}", "user, assistant"),
            ("{{ [1, 2, 3] | reject('equalto', 2) | list }}", "[1, 3]"),
            ("{{ 'x' if false else 'y' }}{{ 'z' if false }}", "y"),
            ("{{ other ~ none ~ 1.5 ~ [1] ~ -2 ~ ('a' ~ 'b')[1:] ~ 2 * 3 }}", "None1.5[1]-2b6"),
            ("{{ 2 ~ 3 if 'a' ~ 'b' == 'ab' and 'a' is not none else 'x' ~ 'y' }}", "23"),
            (
                "{{ 'aaa' | replace('a', 'b', 2) ~ 'aaa' | replace('a', 'b', count=1) ~ 'a' | upper }}",
                "bbabaaA",
            ),
            ("{{ 'a\nb' | indent(2) ~ 'a\nb' | indent(width=1, first=true) }}", "a\n  b a\n b"),
            (
                "{{ '%s-%d' | format('a', 2) ~ '{}'.format(3) ~ 'xax' | trim('x') ~ 'ab' is startingwith('a') }}",
                "a-23aTrue",
            ),
            ("{% macro hi(name) %}Hi {{ name }}!{% endmacro %}{{ hi('you') }}", "Hi you!"),
            ("{% set x %}block{% endset %}{{ x }}", "block"),
            ("{{ strftime_now('%d %b %Y') }}", "26 Jul 2024"),
            ("{% generation %}a\n{% endgeneration %}b{%- generation -%} c {%- endgeneration -%} d", "a\nbcd"),
            ("{{ 'add_generation_prompt' if add_generation_prompt }}", "add_generation_prompt"),
        ] {
            assert_eq!(render(source).as_deref(), Ok(expected), "{source}");
        }
    }

    #[test]
    fn a_template_may_refuse() {
        for source in [
            "{{ raise_exception('Roles must alternate!') }}",
            "{% macro m() %}{{ raise_exception('Roles must alternate!') }}{% endmacro %}{{ m() }}",
        ] {
            let refused = ChatError::Refused { message: "Roles must alternate!".into() };
            assert_eq!(render(source), Err(refused), "{source}");
        }
    }

    /// Runs with the stack that WASM has.
    #[track_caller]
    fn check_stopped(source: &str) {
        let owned = source.to_owned();
        let thread = std::thread::Builder::new().stack_size(1 << 20).spawn(move || render(&owned));
        let result = thread.unwrap().join().unwrap();
        assert!(matches!(result, Err(ChatError::TemplateLimit { .. })), "{source:.300}: {result:.300?}");
    }

    #[test]
    fn loops_and_texts_without_end_are_stopped() {
        for source in [
            "{% for a in range(9999) %}{% for b in range(9999) %}{% for c in range(9999) %}x{% endfor %}{% endfor %}{% endfor %}",
            "{% for a in range(9999) %}{% for b in range(9999) %}{% set x = a * b %}{% endfor %}{% endfor %}",
            "{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}",
            "{{ 'x' * 999999999 }}",
            "{% set ns = namespace(x='xxxxxxxxxxxxxxxx') %}{% for n in range(99) %}{% set ns.x = ns.x ~ ns.x %}{% endfor %}",
            "{{ ('x' * 1000000) | replace('x', 'x' * 1000000) }}",
            "{{ '%999999999d' | format(1) }}",
            "{{ 'x' | indent(999999999) }}",
            "{{ [1] | batch(999999999, 0) }}",
            "{{ [1] | tojson(indent=999999999) }}",
            "{{ '{:>999999999}'.format(1) }}",
        ] {
            check_stopped(source);
        }
    }

    /// Each builds a list of itself, in few steps, and then does something with it that takes a step for each value.
    #[test]
    fn lists_without_end_are_stopped() {
        let grow = |how: &str, then: &str| {
            format!(
                "{{% set ns = namespace(a=[1], b=[1]) %}}{{% for i in range(9999) %}}{{% set ns.a = {how} %}}{{% set ns.b = {} %}}{{% endfor %}}{then}",
                how.replace("ns.a", "ns.b")
            )
        };
        for how in ["[ns.a, ns.a]", "ns.a + ns.a", "[ns.a]", "{'a': ns.a}", "{'a': ns.a, 'b': ns.a}"] {
            for then in [
                "x",
                "{{ ns.a }}",
                "{{ ns.a | tojson }}",
                "{{ ns.a ~ '' }}",
                "{{ ns.a == ns.b }}",
                "{{ ns.a | length }}",
            ] {
                check_stopped(&grow(how, then));
            }
        }
        for source in [
            "{% set ns = namespace() %}{% set ns.a = ns %}{{ ns }}",
            "{% set ns = namespace() %}{% set ns.a = ns %}{{ ns | tojson }}",
            "{% set ns = namespace() %}{% set ns.a = ns %}{% set x = [ns] %}",
            "{{ (['x' * 100000] * 1000000) }}",
            "{{ (['x' * 100000] * 1000000) | join }}",
            "{{ (['x' * 100000] * 1000000) | string }}",
            "{{ (['x' * 100000] * 1000000) | tojson }}",
            "{{ raise_exception(['x' * 100000] * 1000000) }}",
            "{% set a = ['x'] * 10000000 %}",
            "{% macro m(a, n) %}{% if n %}{{ m([a, a], n - 1) }}{% else %}{{ a }}{% endif %}{% endmacro %}{{ m(1, 60) }}",
        ] {
            check_stopped(source);
        }
    }

    /// Whatever makes text of a list is paid for first. Each of these would take gigabytes.
    #[test]
    fn lists_do_not_become_text_for_nothing() {
        for then in [
            "(a ~ '') | length",
            "('' ~ a) | length",
            "a | upper | length",
            "a | lower | length",
            "a | title | length",
            "a | capitalize | length",
            "a | trim | length",
            "'x' | trim(a) | length",
            "a | replace('y', 'z') | length",
            "'y' | replace('y', a) | length",
            "'y' | replace('y', a, 1) | length",
            "a | indent | length",
            "a | pprint | length",
            "a | escape | length",
            "a | e | length",
            "a | safe | length",
            "'%s' | format(a) | length",
            "'{}'.format(a) | length",
            "''.join(a) | length",
            "a is startingwith('y')",
            "'y' is endingwith(a)",
            "[a] | map('upper') | list | length",
            "[a] | select('startingwith', 'y') | list | length",
            "a | string | length",
            "a | join | length",
            "a | tojson | length",
        ] {
            let repeated = "['x' * 500000] * 20000";
            check_stopped(&format!(
                "{{% macro m(a) %}}{{{{ {then} }}}}{{% endmacro %}}{{{{ m({repeated}) }}}}"
            ));
        }
        let doubled = "{% macro m(a, n) %}{% if n %}{{ m([a, a, a, a], n - 1) }}{% else %}{{ (a ~ '') | length }}{% endif %}{% endmacro %}";
        check_stopped(&format!("{doubled}{{{{ m('x' * 500000, 12) }}}}"));
        check_stopped("{{ (['x' * 500000] * 20000 ~ '') | length }}");
        assert!(matches!(render("{{ debug() }}"), Err(ChatError::Template { .. })));
    }

    #[test]
    fn what_takes_too_much_stack_to_compile_is_refused() {
        for (before, part, after) in [
            ("{{ a", "|e", " }}"),
            ("{{ a", ".a", " }}"),
            ("{{ ", "not ", "a }}"),
            ("{{ ", "-", "1 }}"),
            ("{{ 1", "+1", " }}"),
            ("{{ a", " if a else a", " }}"),
            ("{% if a %}", "{% elif b %}", "{% endif %}"),
            ("", "{% if true %}", ""),
            ("{{ ", "(", " }}"),
            ("{{ ", "(1~", "1 }}"),
            ("{{ ", "[", " }}"),
            ("{{ ", "{'a':", " }}"),
        ] {
            check_stopped(&format!("{before}{}{after}", part.repeat(200_000)));
            check_stopped(&format!("{before}{}{after}", part.repeat(131_000 / part.len())));
        }
        check_stopped(&"x".repeat(200_000));
    }

    /// As much as is let through can be compiled and run on that stack.
    #[test]
    fn what_is_let_through_fits_the_stack() {
        for (before, part, count, after) in [
            ("{{ a", "|e", 490, " }}"),
            ("{{ messages", "[0:]", 240, "[0].role }}"),
            ("{{ ", "not ", 990, "a }}"),
            ("{{ ", "-", 990, "1 }}"),
            ("{{ 1", "+1", 490, " }}"),
            ("{{ 1", "~1", 490, " }}"),
            ("{{ 'a'", "~'a'", 990, " }}"),
            ("{{ a", " if a else a", 240, " }}"),
            ("{% if a %}", "{% elif b %}", 300, "{% endif %}"),
        ] {
            let source = format!("{before}{}{after}", part.repeat(count));
            let thread = std::thread::Builder::new().stack_size(1 << 20).spawn(move || render(&source));
            let result = thread.unwrap().join().unwrap();
            assert!(result.is_ok(), "{part}: {result:?}");
        }
    }

    #[test]
    fn a_broken_template_is_named_as_such() {
        for source in [
            "{% if %}",
            "{{ messages",
            "{{ nothing.at_all }}",
            "{% include 'x' %}",
            "{{ open('/etc/passwd') }}",
        ] {
            let result = render(source);
            assert!(matches!(result, Err(ChatError::Template { .. })), "{source}: {result:?}");
        }
    }
}
