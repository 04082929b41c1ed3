//! What an answer wants to be run: a label and plain text, never HTML, and no button. Nothing runs it yet.

use yew::{Html, html};

use crate::state::Wanted;
use crate::unicode::reveal;

/// A block for each call.
pub(super) fn wanted(wants: &[Wanted]) -> Html {
    wants.iter().map(block).collect()
}

fn block(wanted: &Wanted) -> Html {
    let (label, text) = match wanted {
        Wanted::Begun(name) => (format!("Calling the tool {name}…"), ""),
        Wanted::Call(call) => (format!("Call of the tool {}", call.name), call.arguments.0.as_str()),
        Wanted::Code(code) => ("Code to be run".to_owned(), code.as_str()),
    };
    html! {
        <figure class="wanted" data-testid="tool-call">
            <figcaption dir="auto">{ reveal(&label).into_owned() }</figcaption>
            if !text.is_empty() {
                <pre dir="ltr" tabindex="0">{ reveal(text).into_owned() }</pre>
            }
        </figure>
    }
}
