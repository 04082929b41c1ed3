//! Markdown as a tree of our own, out of pulldown-cmark's events; HTML is never made.
//!
//! What a model writes may be an attacker's words, so the tree holds only what is safe to show:
//! links are checked ([`link`]), images and raw HTML are text, hidden characters are revealed ([`crate::unicode`]).
//! Depth and number of nodes are bounded: what is nested deeper joins its parent, and what comes after the last
//! allowed node is shown as it was written.

mod build;
mod link;
mod settle;

pub(crate) use link::{Link, link};

use build::Builder;
use pulldown_cmark::{Options, Parser};

use crate::unicode::reveal;

/// A part of a message, with its parts.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Node {
    /// What it is.
    pub kind: Kind,
    /// What is in it; nothing for text and the like.
    pub children: Vec<Node>,
}

/// What a node is.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Kind {
    /// Ordinary text.
    Text(String),
    /// Code within a line.
    Code(String),
    /// A line ends.
    Break,
    /// The box of a task list, ticked or not.
    Task(bool),
    Emphasis,
    Strong,
    Struck,
    /// A link whose address has passed [`link`].
    Link(Link),
    Paragraph,
    /// Level 1 to 6.
    Heading(u8),
    /// A code block; its text is one child.
    CodeBlock {
        /// The fence's first word; empty where there is none.
        language: String,
    },
    Quote,
    /// The first number of a numbered list, or `None` for bullets.
    List(Option<u64>),
    Item,
    /// The columns' alignments.
    Table(Vec<Alignment>),
    /// A table's first row.
    Head,
    Row,
    Cell,
    Rule,
    /// Shown exactly as written: what would be too much to lay out.
    Verbatim(String),
}

/// How a table's column is set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Alignment {
    Start,
    Center,
    End,
}

/// Whether more of a text is still to come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stage {
    /// It is being written: unfinished marks at its end are settled one way, so that nothing flashes.
    Streaming,
    /// This is all.
    Complete,
}

/// Longer messages are shown as written: parsing them on every frame would freeze the page.
const MAX_BYTES: usize = 200_000;

/// The top-level parts of a message.
pub(crate) fn parse(source: &str, stage: Stage) -> Vec<Node> {
    let source = reveal(source);
    if source.len() > MAX_BYTES {
        return vec![Node { kind: Kind::Verbatim(source.into_owned()), children: Vec::new() }];
    }
    let settled = match stage {
        Stage::Streaming => settle::settle(&source),
        Stage::Complete => source,
    };
    let options = Options::ENABLE_TABLES | Options::ENABLE_STRIKETHROUGH | Options::ENABLE_TASKLISTS;
    let mut builder = Builder::new(&settled);
    for (event, range) in Parser::new_ext(&settled, options).into_offset_iter() {
        if builder.take(event, range.start).is_break() {
            break;
        }
    }
    builder.finish()
}

#[cfg(test)]
mod tests;
