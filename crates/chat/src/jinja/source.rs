//! A template's text before it is compiled.
//!
//! ```text
//! {% generation %} … {% endgeneration %}     {% if true %} … {% endif %}: marks what a model is trained on, and means
//!                                            nothing here; white space round it is treated as round any other block
//! {% set a = b %}                            {% set a = (b)|named %}: what gets a name is paid for (`limits`)
//! a ~ b                                      (a)|text ~ (b)|text: so is what becomes text (`concat`)
//! ```
//!
//! Compiling takes a level of the stack for each part of an expression and for each `elif`. The engine bounds only
//! brackets and blocks, so those are counted here.

use super::concat::concat;

/// Of a template. The longest that are in use have some 20,000.
const MAX_BYTES: usize = 128 * 1024;

/// Names, numbers and operators between one pair of `{{ }}` or `{% %}`: each may be a level.
/// Those in use have some hundred.
const MAX_TOKENS: usize = 1000;

/// `{% elif %}`s in all: each is a level.
const MAX_ELIFS: usize = 300;

/// The filter behind what gets a name. No template of today's can have it.
pub(super) const NAMED: &str = "pronk_named";

/// The text to be compiled. Fails if that would take too much stack.
pub(super) fn prepare(source: &str) -> Result<String, String> {
    if source.len() > MAX_BYTES {
        return Err(format!("it has {} bytes, and at most {MAX_BYTES} are read", source.len()));
    }
    let mut prepared = String::with_capacity(source.len() + source.len() / 8);
    let (mut rest, mut elifs) = (source, 0);
    while let Some(at) = ["{{", "{%", "{#"].iter().filter_map(|open| rest.find(open)).min() {
        let (text, tag) = rest.split_at(at);
        prepared.push_str(text);
        if tag.starts_with("{#") {
            let end = tag.find("#}").map_or(tag.len(), |end| end + 2);
            prepared.push_str(&tag[..end]);
            rest = &tag[end..];
            continue;
        }
        let (open, tag) = tag.split_at(2);
        let (inside, tokens) = inside(tag, if open == "{%" { b'%' } else { b'}' });
        if tokens > MAX_TOKENS {
            return Err(format!("an expression has more than {MAX_TOKENS} parts"));
        }
        prepared.push_str(open);
        rest = &tag[inside.len()..];
        let word = if open == "{%" { first_word(inside) } else { "" };
        elifs += usize::from(word == "elif");
        if elifs > MAX_ELIFS {
            return Err(format!("it has more than {MAX_ELIFS} elifs"));
        }
        match word {
            "generation" => prepared.push_str(&inside.replacen(word, "if true", 1)),
            "endgeneration" => prepared.push_str(&inside.replacen(word, "endif", 1)),
            "set" => prepared.push_str(&named(&concat(inside))),
            _ => prepared.push_str(&concat(inside)),
        }
        if word == "raw" {
            // Up to the tag that ends it, nothing is one.
            let end = end_of_raw(rest);
            prepared.push_str(&rest[..end]);
            rest = &rest[end..];
        }
    }
    prepared.push_str(rest);
    Ok(prepared)
}

/// A block's name.
fn first_word(inside: &str) -> &str {
    let inside = inside.trim_start_matches(['-', '+']).trim_start();
    let end = inside.find(|letter: char| !letter.is_ascii_alphanumeric() && letter != '_');
    &inside[..end.unwrap_or(inside.len())]
}

fn end_of_raw(text: &str) -> usize {
    let tags = text.match_indices("{%").map(|(at, _)| at);
    tags.into_iter().find(|at| first_word(&text[at + 2..]) == "endraw").unwrap_or(text.len())
}

/// What stands before the `}}` or `%}` that ends a tag, and how many tokens it has. `closer` is the first of the two.
fn inside(tag: &str, closer: u8) -> (&str, usize) {
    let (mut tokens, mut braces, mut quote, mut is_escaped, mut is_in_word) = (0, 0u32, None, false, false);
    for (at, byte) in tag.bytes().enumerate() {
        if let Some(open) = quote {
            if byte == open && !is_escaped {
                quote = None;
            }
            is_escaped = byte == b'\\' && !is_escaped;
            continue;
        }
        // An object may end in two braces as well.
        if braces == 0 && byte == closer && tag.as_bytes().get(at + 1) == Some(&b'}') {
            return (&tag[..at], tokens);
        }
        let is_word = byte.is_ascii_alphanumeric() || byte == b'_' || !byte.is_ascii();
        match byte {
            b'"' | b'\'' => quote = Some(byte),
            b'{' => braces += 1,
            b'}' => braces = braces.saturating_sub(1),
            // Neighbours in a list are no levels.
            b',' | b':' => {}
            _ if byte.is_ascii_whitespace() || (is_word && is_in_word) => {}
            _ => tokens += 1,
        }
        is_in_word = is_word;
    }
    (tag, tokens)
}

/// `set a = b` with the filter behind `b`; a block of text that gets a name is left as it is.
fn named(inside: &str) -> String {
    let Some((target, value)) = inside.split_once('=') else { return inside.to_owned() };
    // A filter's options have an equals sign too, as in `set a | replace(old="x")`.
    if target.contains(['|', '(', '"', '\'']) {
        return inside.to_owned();
    }
    let expression = value.trim_end_matches(['-', '+']);
    let control = &value[expression.len()..];
    format!("{target}=({expression})|{NAMED} {control}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(source: &str, expected: &str) {
        assert_eq!(prepare(source).as_deref(), Ok(expected), "{source}");
    }

    #[test]
    fn blocks_are_turned_into_others() {
        for (source, expected) in [
            ("", ""),
            ("a {{ b }} c", "a {{ b }} c"),
            ("{% set a = b %}x", "{% set a =( b )|pronk_named %}x"),
            (
                "{%- set ns.a = b ~ '%}' + {'c': {'d': 1}} -%}",
                "{%- set ns.a =( (b)|pronk_text ~ ('%}')|pronk_text + {'c': {'d': 1}} )|pronk_named -%}",
            ),
            ("{% set a, b = 1, 2 %}", "{% set a, b =( 1, 2 )|pronk_named %}"),
            ("{%set a=b==c%}", "{%set a=(b==c)|pronk_named %}"),
            ("{% set a %}x{% endset %}", "{% set a %}x{% endset %}"),
            ("{% set a | replace(old='x') %}x{% endset %}", "{% set a | replace(old='x') %}x{% endset %}"),
            ("{% settle = b %}", "{% settle = b %}"),
            ("{{ set = 1 }}", "{{ set = 1 }}"),
            ("{# {% set a = b %} #}{% set a = b %}", "{# {% set a = b %} #}{% set a =( b )|pronk_named %}"),
            (
                "{% raw %}{% set a = b %}{{{% endraw %}{% set a = b %}",
                "{% raw %}{% set a = b %}{{{% endraw %}{% set a =( b )|pronk_named %}",
            ),
            ("{%- raw -%}{% set a = b %}", "{%- raw -%}{% set a = b %}"),
            ("{% generation %}{%- endgeneration -%}", "{% if true %}{%- endif -%}"),
            (
                "{{ 'set' }}{{ \"}}\" }}{% set a = '\\'%}' %}",
                "{{ 'set' }}{{ \"}}\" }}{% set a =( '\\'%}' )|pronk_named %}",
            ),
            // What is not closed is for the compiler to say.
            ("{% set a = b", "{% set a =( b)|pronk_named "),
            ("{{ 'a", "{{ 'a"),
            ("{#", "{#"),
            ("日{{ '本' }}", "日{{ '本' }}"),
        ] {
            check(source, expected);
        }
    }

    #[test]
    fn what_takes_too_much_stack_is_refused() {
        let refused = |source: &str| prepare(source).unwrap_err();
        for chain in ["|e", ".a", "+1", "-1", " not", " if a else a", "~a", "(a)"] {
            let tag = |count: usize| format!("{{{{ a{} }}}}", chain.repeat(count));
            assert_eq!(refused(&tag(1000)), "an expression has more than 1000 parts", "{chain}");
            assert!(prepare(&tag(100)).is_ok(), "{chain}");
        }
        let elifs = |count: usize| format!("{{% if a %}}{}{{% endif %}}", "{% elif b %}".repeat(count));
        assert_eq!(refused(&elifs(301)), "it has more than 300 elifs");
        assert!(prepare(&elifs(300)).is_ok());
        let long = "x".repeat(MAX_BYTES + 1);
        assert_eq!(refused(&long), "it has 131073 bytes, and at most 131072 are read");
        // Neighbours are no levels.
        assert!(prepare(&format!("{{{{ [{}] }}}}", "'a', ".repeat(5000))).is_ok());
    }
}
