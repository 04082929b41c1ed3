//! A message's tree as elements. Nothing here makes HTML out of text, and nothing loads.

use std::rc::Rc;

use yew::virtual_dom::VTag;
use yew::{Html, Properties, classes, component, html, use_memo};

use super::copy_button::CopyButton;
use crate::markdown::{Alignment, Kind, Link, Node, Stage, parse};
use crate::state::Entry;

#[derive(Properties)]
pub(super) struct RichTextProps {
    pub entry: Rc<Entry>,
}

impl PartialEq for RichTextProps {
    fn eq(&self, other: &RichTextProps) -> bool {
        Rc::ptr_eq(&self.entry, &other.entry)
    }
}

/// An answer. Each top-level part is a component, so that only the part that grows is rendered again.
#[component]
pub(super) fn RichText(props: &RichTextProps) -> Html {
    let stage = if props.entry.ending.is_none() { Stage::Streaming } else { Stage::Complete };
    let blocks = parse(&props.entry.text, stage);
    html! {
        <div class="rich" dir="auto">
            { for blocks.into_iter().enumerate().map(|(index, node)| html! { <Block key={index} node={node} /> }) }
        </div>
    }
}

#[derive(Properties, PartialEq)]
struct BlockProps {
    node: Node,
}

#[component]
fn Block(props: &BlockProps) -> Html {
    view(&props.node)
}

fn views(nodes: &[Node]) -> Html {
    nodes.iter().map(view).collect()
}

fn view(node: &Node) -> Html {
    let inner = || views(&node.children);
    match &node.kind {
        Kind::Text(text) => html! { { text } },
        Kind::Code(text) => html! { <code dir="ltr">{ text }</code> },
        Kind::Break => html! { <br /> },
        Kind::Task(ticked) => task(*ticked),
        Kind::Emphasis => html! { <em>{ inner() }</em> },
        Kind::Strong => html! { <strong>{ inner() }</strong> },
        Kind::Struck => html! { <s>{ inner() }</s> },
        Kind::Link(link) => link_view(link, node),
        Kind::Paragraph => html! { <p dir="auto">{ inner() }</p> },
        Kind::Heading(level) => heading(*level, inner()),
        Kind::CodeBlock { language } => {
            html! { <CodeBlock language={language.clone()} text={words(node)} /> }
        }
        Kind::Quote => html! { <blockquote dir="auto">{ inner() }</blockquote> },
        Kind::List(None) => html! { <ul dir="auto">{ inner() }</ul> },
        Kind::List(Some(start)) => html! { <ol dir="auto" start={start.to_string()}>{ inner() }</ol> },
        Kind::Item => html! { <li>{ inner() }</li> },
        Kind::Table(alignments) => table(alignments, &node.children),
        // Rows and cells are rendered by their table.
        Kind::Head | Kind::Row | Kind::Cell => inner(),
        Kind::Rule => html! { <hr /> },
        Kind::Verbatim(text) => html! { <pre class="verbatim" dir="auto">{ text }</pre> },
    }
}

fn task(ticked: bool) -> Html {
    html! { <input type="checkbox" checked={ticked} disabled=true aria-label={if ticked { "done" } else { "to do" }} /> }
}

/// The page has its own first and second levels.
fn heading(level: u8, inner: Html) -> Html {
    let mut tag = VTag::new(match level {
        1 | 2 => "h3",
        3 => "h4",
        4 => "h5",
        _ => "h6",
    });
    tag.add_attribute("dir", "auto");
    tag.add_child(inner);
    tag.into()
}

/// A link that opens elsewhere and says where it leads, where its words don't.
fn link_view(link: &Link, node: &Node) -> Html {
    let says_host = words(node).contains(&link.host);
    html! {
        <>
            <a
                href={link.href.clone()}
                title={link.href.clone()}
                target="_blank"
                rel="noopener noreferrer nofollow"
                referrerpolicy="no-referrer"
            >{ views(&node.children) }</a>
            if !says_host {
                <span class="host">{ " (" }<bdi>{ &link.host }</bdi>{ ")" }</span>
            }
        </>
    }
}

/// The text of a node and all in it.
fn words(node: &Node) -> String {
    match &node.kind {
        Kind::Text(text) | Kind::Code(text) => text.clone(),
        _ => node.children.iter().map(words).collect(),
    }
}

fn table(alignments: &[Alignment], rows: &[Node]) -> Html {
    let cell = |index: usize, node: &Node, tag: &'static str| {
        let mut cell = VTag::new(tag);
        let class = match alignments.get(index) {
            Some(Alignment::Center) => "center",
            Some(Alignment::End) => "end",
            _ => "start",
        };
        cell.add_attribute("class", class);
        cell.add_attribute("dir", "auto");
        cell.add_child(views(&node.children));
        Html::from(cell)
    };
    let row = |row: &Node| {
        let tag = if row.kind == Kind::Head { "th" } else { "td" };
        let cells = row.children.iter().enumerate().map(|(index, node)| cell(index, node, tag));
        html! { <tr>{ for cells }</tr> }
    };
    let (head, body) = rows.split_at(rows.len().min(1));
    html! {
        <div class="table" role="region" aria-label="Table" tabindex="0">
            <table>
                <thead>{ for head.iter().map(row) }</thead>
                <tbody>{ for body.iter().map(row) }</tbody>
            </table>
        </div>
    }
}

#[derive(Properties, PartialEq)]
struct CodeBlockProps {
    language: String,
    text: String,
}

#[component]
fn CodeBlock(props: &CodeBlockProps) -> Html {
    let text = use_memo(props.text.clone(), |text| text.trim_end_matches('\n').to_owned());
    html! {
        <figure class={classes!("code")} dir="ltr">
            <figcaption>
                <span class="language">{ if props.language.is_empty() { "code" } else { &props.language } }</span>
                <CopyButton text={(*text).clone()} label="Copy the code" />
            </figcaption>
            <pre tabindex="0"><code>{ &*text }</code></pre>
        </figure>
    }
}
