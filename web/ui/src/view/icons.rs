//! Small drawings of our own, in the colour of the text around them.

use yew::{Html, html};

/// The mark: a springbok's leap, back arched, over a line of ground.
pub(super) fn mark() -> Html {
    html! {
        <svg class="mark" viewBox="0 0 32 32" aria-hidden="true" focusable="false">
            <path class="mark-leap" d="M5.5 20.5C8 12.5 13 9 18.5 10.5c2.2.6 3.9 1.9 5.2 3.6" />
            <path class="mark-leap" d="M6 20l-1.6 5M9.4 16l-.4 7M20.4 12.4l-.2 7.4M23.4 14l2.4 5.6" />
            <path class="mark-leap" d="M23.7 14.1l4.3-.6-1.9-3.2-3.4.6M25.6 10.3c-.6-2.2.2-4 1.8-5.2" />
            <path class="mark-ground" d="M9 28.5h14" />
        </svg>
    }
}

fn icon(path: &'static str) -> Html {
    html! {
        <svg class="icon" viewBox="0 0 20 20" aria-hidden="true" focusable="false"><path d={path} /></svg>
    }
}

pub(super) fn plus() -> Html {
    icon("M10 4v12M4 10h12")
}

pub(super) fn chevron() -> Html {
    icon("M6 8l4 4 4-4")
}

pub(super) fn arrow_up() -> Html {
    icon("M10 16V4M5 9l5-5 5 5")
}

pub(super) fn arrow_down() -> Html {
    icon("M10 4v12M5 11l5 5 5-5")
}

pub(super) fn square() -> Html {
    icon("M6 6h8v8H6z")
}

pub(super) fn cross() -> Html {
    icon("M5 5l10 10M15 5L5 15")
}

pub(super) fn pages() -> Html {
    icon("M7 7h9v10H7zM4 13V3h9")
}

pub(super) fn tick() -> Html {
    icon("M4 10.5l4 4 8-9")
}

pub(super) fn again() -> Html {
    icon("M15.5 10a5.5 5.5 0 1 1-1.8-4.1M14 2.5v3.7h-3.7")
}

pub(super) fn sun() -> Html {
    icon(
        "M10 6.5a3.5 3.5 0 1 0 0 7 3.5 3.5 0 0 0 0-7zM10 1.5v2M10 16.5v2M1.5 10h2M16.5 10h2M4 4l1.4 1.4M14.6 14.6L16 16M16 4l-1.4 1.4M5.4 14.6L4 16",
    )
}

pub(super) fn moon() -> Html {
    icon("M16.5 12A7 7 0 0 1 8 3.5a7 7 0 1 0 8.500 8.500z")
}

pub(super) fn half_sun() -> Html {
    icon("M10 3a7 7 0 1 0 0 14 7 7 0 0 0 0-14zM10 3v14M10 7h6M10 10h7M10 13h6")
}
