//! pulldown-cmark's events into [`Node`]s.

use std::ops::ControlFlow;

use pulldown_cmark::{CodeBlockKind, Event, Tag};

use super::{Alignment, Kind, Node, link};
use crate::unicode::reveal;

/// Containers nested deeper than this join their parent: rendering, comparing and dropping a tree recurse.
const MAX_DEPTH: usize = 24;

/// A long answer has a few hundred nodes.
const MAX_NODES: usize = 10_000;

/// Holds the nodes that are done and those still open, outermost first.
pub(super) struct Builder<'a> {
    source: &'a str,
    done: Vec<Node>,
    open: Vec<Node>,
    /// What each start asks for at its end, outermost first.
    ends: Vec<AtEnd>,
    count: usize,
}

enum AtEnd {
    /// The innermost open node is done.
    Close,
    /// Its start opened no node; these words follow its contents.
    Say(String),
}

impl<'a> Builder<'a> {
    pub(super) fn new(source: &'a str) -> Builder<'a> {
        Builder { source, done: Vec::new(), open: Vec::new(), ends: Vec::new(), count: 0 }
    }

    /// Takes one event, which begins at byte `at` of the source; breaks when there are enough nodes.
    pub(super) fn take(&mut self, event: Event<'_>, at: usize) -> ControlFlow<()> {
        if self.count >= MAX_NODES {
            self.rest_as_written(at);
            return ControlFlow::Break(());
        }
        match event {
            Event::Start(tag) => self.start(tag),
            Event::End(_) => self.end(),
            Event::Code(text) => self.leaf(Kind::Code(text.into_string())),
            Event::InlineHtml(html) if is_line_break(&html) => self.leaf(Kind::Break),
            // People and models mean the line breaks that they write.
            Event::SoftBreak | Event::HardBreak => self.leaf(Kind::Break),
            Event::Rule => self.leaf(Kind::Rule),
            Event::TaskListMarker(ticked) => self.leaf(Kind::Task(ticked)),
            Event::Text(text) | Event::Html(text) | Event::InlineHtml(text) => self.text(&text),
            // The parser's options leave these out; were they switched on, they would be text.
            Event::InlineMath(text) | Event::DisplayMath(text) | Event::FootnoteReference(text) => {
                self.text(&text);
            }
        }
        ControlFlow::Continue(())
    }

    /// The finished tree; what is still open is closed.
    pub(super) fn finish(mut self) -> Vec<Node> {
        while !self.open.is_empty() {
            self.close();
        }
        self.done
    }

    fn start(&mut self, tag: Tag<'_>) {
        match tag {
            Tag::Image { dest_url, .. } => self.words("[image: ", format!("] ({dest_url})")),
            Tag::Link { dest_url, .. } => match link(&dest_url) {
                Some(link) => self.node(Kind::Link(link)),
                None => self.words("", format!(" ({dest_url})")),
            },
            tag => self.node(kind(tag)),
        }
    }

    fn node(&mut self, kind: Kind) {
        if self.open.len() >= MAX_DEPTH {
            return self.words("", String::new());
        }
        self.count += 1;
        self.open.push(Node { kind, children: Vec::new() });
        self.ends.push(AtEnd::Close);
    }

    fn words(&mut self, before: &str, after: String) {
        self.text(before);
        self.ends.push(AtEnd::Say(after));
    }

    fn end(&mut self) {
        match self.ends.pop() {
            Some(AtEnd::Close) => self.close(),
            Some(AtEnd::Say(words)) => self.text(&words),
            None => {}
        }
    }

    fn close(&mut self) {
        if let Some(node) = self.open.pop() {
            self.siblings().push(node);
        }
    }

    fn siblings(&mut self) -> &mut Vec<Node> {
        self.open.last_mut().map_or(&mut self.done, |parent| &mut parent.children)
    }

    fn leaf(&mut self, kind: Kind) {
        self.count += 1;
        self.siblings().push(Node { kind, children: Vec::new() });
    }

    /// The parser splits text at every special character; neighbours become one node again.
    /// Entities such as `&#x202e;` have become characters only now, so what they hide is revealed once more.
    fn text(&mut self, text: &str) {
        let text = &*reveal(text);
        if text.is_empty() {
            return;
        }
        if let Some(Node { kind: Kind::Text(last), .. }) = self.siblings().last_mut() {
            return last.push_str(text);
        }
        self.leaf(Kind::Text(text.to_owned()));
    }

    fn rest_as_written(&mut self, at: usize) {
        while !self.open.is_empty() {
            self.close();
        }
        let rest = self.source.get(at..).unwrap_or_default().to_owned();
        self.leaf(Kind::Verbatim(rest));
    }
}

fn kind(tag: Tag<'_>) -> Kind {
    match tag {
        Tag::Heading { level, .. } => Kind::Heading(level as u8),
        Tag::BlockQuote(_) => Kind::Quote,
        Tag::CodeBlock(kind) => Kind::CodeBlock { language: language(kind) },
        Tag::List(start) => Kind::List(start),
        Tag::Item => Kind::Item,
        Tag::Table(alignments) => Kind::Table(alignments.into_iter().map(alignment).collect()),
        Tag::TableHead => Kind::Head,
        Tag::TableRow => Kind::Row,
        Tag::TableCell => Kind::Cell,
        Tag::Emphasis => Kind::Emphasis,
        Tag::Strong => Kind::Strong,
        Tag::Strikethrough => Kind::Struck,
        // Blocks of HTML, whose lines follow as text; the rest is left out by the parser's options.
        _ => Kind::Paragraph,
    }
}

/// The first word of the fence's line.
fn language(kind: CodeBlockKind<'_>) -> String {
    match kind {
        CodeBlockKind::Fenced(info) => {
            reveal(info.split_whitespace().next().unwrap_or_default()).into_owned()
        }
        CodeBlockKind::Indented => String::new(),
    }
}

fn alignment(column: pulldown_cmark::Alignment) -> Alignment {
    match column {
        pulldown_cmark::Alignment::Center => Alignment::Center,
        pulldown_cmark::Alignment::Right => Alignment::End,
        pulldown_cmark::Alignment::Left | pulldown_cmark::Alignment::None => Alignment::Start,
    }
}

/// The one tag that models write on purpose: tables have no other way to break a line.
fn is_line_break(html: &str) -> bool {
    matches!(html, "<br>" | "<br/>" | "<br />")
}
