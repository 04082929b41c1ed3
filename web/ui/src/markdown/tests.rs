//! Messages, written by models and by attackers, and the trees they make.

use super::*;

/// A tree on one line: `p("a " strong("b"))`.
fn outline(nodes: &[Node]) -> String {
    nodes.iter().map(outline_of).collect::<Vec<_>>().join(" ")
}

fn outline_of(node: &Node) -> String {
    let name = match &node.kind {
        Kind::Text(text) => return format!("{text:?}"),
        Kind::Code(text) => return format!("code:{text:?}"),
        Kind::Verbatim(text) => return format!("verbatim:{text:?}"),
        Kind::Break => return "br".to_owned(),
        Kind::Rule => return "hr".to_owned(),
        Kind::Task(ticked) => return format!("task:{ticked}"),
        Kind::Emphasis => "em".to_owned(),
        Kind::Strong => "strong".to_owned(),
        Kind::Struck => "s".to_owned(),
        Kind::Link(link) => format!("a[{}]", link.href),
        Kind::Paragraph => "p".to_owned(),
        Kind::Heading(level) => format!("h{level}"),
        Kind::CodeBlock { language } => format!("pre[{language}]"),
        Kind::Quote => "quote".to_owned(),
        Kind::List(start) => start.map_or("ul".to_owned(), |start| format!("ol[{start}]")),
        Kind::Item => "li".to_owned(),
        Kind::Table(alignments) => format!("table{alignments:?}"),
        Kind::Head => "head".to_owned(),
        Kind::Row => "row".to_owned(),
        Kind::Cell => "cell".to_owned(),
    };
    format!("{name}({})", outline(&node.children))
}

fn check(rows: &[(&str, &str)]) {
    for (source, expected) in rows {
        assert_eq!(outline(&parse(source, Stage::Complete)), *expected, "{source:?}");
    }
}

#[test]
fn what_models_write() {
    check(&[
        ("", ""),
        ("one\ntwo", r#"p("one" br "two")"#),
        ("a **b** *c* ~~d~~ `e`", r#"p("a " strong("b") " " em("c") " " s("d") " " code:"e")"#),
        ("## T\n\nx\n\n---", r#"h2("T") p("x") hr"#),
        ("```rust ignore\nlet a = 1;\n```", r#"pre[rust]("let a = 1;\n")"#),
        ("3. x\n4. y", r#"ol[3](li("x") li("y"))"#),
        ("- [x] a\n- [ ] b", r#"ul(li(task:true "a") li(task:false "b"))"#),
        ("> q", r#"quote(p("q"))"#),
        (
            "|a|b|\n|:-:|-:|\n|1|`2`|",
            r#"table[Center, End](head(cell("a") cell("b")) row(cell("1") cell(code:"2")))"#,
        ),
        ("a<br>b", r#"p("a" br "b")"#),
        ("5 < 6 & 7 &lt; 8", r#"p("5 < 6 & 7 < 8")"#),
    ]);
}

#[test]
fn what_attackers_write() {
    check(&[
        ("<script>alert(1)</script>", r#"p("<script>alert(1)</script>")"#),
        ("a <img src=x onerror=alert(1)> b", r#"p("a <img src=x onerror=alert(1)> b")"#),
        ("<b>x</b>", r#"p("<b>x</b>")"#),
        ("[x](javascript:alert(1))", r#"p("x (javascript:alert(1))")"#),
        ("[x](JAVASCRIPT&colon;alert(1))", r#"p("x (JAVASCRIPT:alert(1))")"#),
        ("[x](data:text/html,y)", r#"p("x (data:text/html,y)")"#),
        ("[x][1]\n\n[1]: vbscript:y", r#"p("x (vbscript:y)")"#),
        ("[x][1]\n\n[1]: https://e.com", r#"p(a[https://e.com]("x"))"#),
        ("<javascript:alert(1)>", r#"p("javascript:alert(1) (javascript:alert(1))")"#),
        ("<https://e.com/a>", r#"p(a[https://e.com/a]("https://e.com/a"))"#),
        ("![alt](https://e.com/?q=secret)", r#"p("[image: alt] (https://e.com/?q=secret)")"#),
        ("![a][1]\n\n[1]: https://e.com/p.png", r#"p("[image: a] (https://e.com/p.png)")"#),
        (
            "[![a](https://e.com/p.png)](https://e.com)",
            r#"p(a[https://e.com]("[image: a] (https://e.com/p.png)"))"#,
        ),
        ("a\u{202E}b\u{200B}c", r#"p("a⟦1 hidden character⟧bc")"#),
        ("[x](https://e.com/\u{E0061})", r#"p("[x](https://e.com/⟦1 hidden character⟧)")"#),
        ("a&#x202E;b&#8203;c", r#"p("a⟦1 hidden character⟧bc")"#),
        ("[x](https://e.com/&#xE0061;)", r#"p("x (https://e.com/⟦1 hidden character⟧)")"#),
        ("```a&#x202E;\nx\n```", r#"pre[a⟦1 hidden character⟧]("x\n")"#),
        ("```<script>\nx\n```", r#"pre[<script>]("x\n")"#),
    ]);
}

#[test]
fn unfinished_text_is_settled_only_while_it_streams() {
    for (stage, expected) in [(Stage::Streaming, r#"p(strong("a"))"#), (Stage::Complete, r#"p("**a")"#)] {
        assert_eq!(outline(&parse("**a", stage)), expected);
    }
}

fn depth(nodes: &[Node]) -> usize {
    nodes.iter().map(|node| 1 + depth(&node.children)).max().unwrap_or(0)
}

fn size(nodes: &[Node]) -> usize {
    nodes.iter().map(|node| 1 + size(&node.children)).sum()
}

/// Each of these has hung or crashed some Markdown renderer. The bounds hold the tree; that the test ends at all
/// holds the parser.
#[test]
fn nesting_and_size_are_bounded() {
    let long = |piece: &str| piece.repeat(150_000 / piece.len());
    let nested_list: String = (0..400).map(|level| format!("{}- x\n", "  ".repeat(level))).collect();
    let wide_table = format!("{}\n{}\n{}", "|a".repeat(2000), "|-".repeat(2000), "|b\n".repeat(20_000));
    for source in [
        long("> "),
        long("["),
        long("![a](b"),
        long("*a **a "),
        long("`"),
        long("a_b*c_d~"),
        long("<a"),
        long("- "),
        long("1. "),
        long("| a "),
        long("\n\n*a*"),
        long("[a]: b\n[a]"),
        nested_list,
        wide_table,
    ] {
        for stage in [Stage::Streaming, Stage::Complete] {
            let tree = parse(&source, stage);
            let start = &source[..20.min(source.len())];
            assert!(depth(&tree) <= 26, "{start:?}: depth {}", depth(&tree));
            assert!(size(&tree) <= 10_100, "{start:?}: size {}", size(&tree));
        }
    }
}

fn texts(nodes: &[Node], visit: &mut dyn FnMut(&str)) {
    for node in nodes {
        match &node.kind {
            Kind::Text(text) | Kind::Code(text) | Kind::Verbatim(text) => visit(text),
            Kind::CodeBlock { language } => visit(language),
            Kind::Link(link) => {
                let scheme = link.href.split(':').next().unwrap_or_default().to_ascii_lowercase();
                assert!(["http", "https", "mailto"].contains(&scheme.as_str()), "{}", link.href);
                visit(&link.href);
            }
            _ => {}
        }
        texts(&node.children, visit);
    }
}

/// Thousands of messages put together by chance: nothing panics, all that is shown can be seen, and links are those
/// that may be followed.
#[test]
fn any_message_makes_a_safe_tree() {
    const PIECES: [&str; 36] = [
        "a",
        " ",
        "\n",
        "\n\n",
        "*",
        "**",
        "_",
        "`",
        "```",
        "~~",
        "[",
        "]",
        "(",
        ")",
        "![",
        "<",
        ">",
        "- ",
        "1. ",
        "|",
        "|-|",
        "# ",
        "> ",
        "[x]: ",
        "https://e.com/",
        "javascript:",
        "&#x202E;",
        "&#xE0061;",
        "&colon;",
        "&#0;",
        "\\",
        "é",
        "🙂",
        "\u{202E}",
        "\u{200B}",
        "<br>",
    ];
    let mut state = 1u64;
    let mut below = |end: usize| {
        // Knuth's MMIX.
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as usize % end
    };
    for round in 0..20_000 {
        let source: String = (0..1 + below(30)).map(|_| PIECES[below(PIECES.len())]).collect();
        for stage in [Stage::Streaming, Stage::Complete] {
            let tree = parse(&source, stage);
            texts(&tree, &mut |text| assert_eq!(reveal(text), text, "round {round}, {source:?}"));
            assert!(depth(&tree) <= 26 && size(&tree) <= 200, "round {round}, {source:?}");
        }
    }
}

#[test]
fn what_is_cut_off_is_shown_as_written() {
    let source = "*a*\n\n".repeat(6000);
    let tree = parse(&source, Stage::Complete);
    let Some(Node { kind: Kind::Verbatim(rest), .. }) = tree.last() else {
        panic!("no rest: {:?}", tree.last())
    };
    let shown = tree.iter().filter(|node| node.kind == Kind::Paragraph).count();
    let left = rest.matches("*a*").count();
    // The paragraph at the cut may stand on either side of it.
    assert!((6000..=6001).contains(&(shown + left)), "{shown} shown, {left} left");
}

#[test]
fn very_long_messages_are_shown_as_written() {
    let source = "**a** ".repeat(40_000);
    let tree = parse(&source, Stage::Complete);
    assert_eq!(tree, [Node { kind: Kind::Verbatim(source), children: Vec::new() }]);
}
