//! Small drawings of our own, in the colour of the text around them.

use yew::{Html, html};

/// The mark: a springbok in its leap, legs stiff, back arched, over a line of ground.
pub(super) fn mark() -> Html {
    html! {
        <svg class="mark" viewBox="0 0 32 32" aria-hidden="true" focusable="false">
            <path stroke-width="4.4" d="M8.2 15.2C11 9.6 18.6 8.8 22.4 13.6" />
            <path stroke-width="1.9" d="M7.4 16.4l1.8 8.2M10.2 16l1.2 8.6M21 15.4l-1.4 9.2M23.4 15.2l-.8 9.4" />
            <path stroke-width="2.6" d="M22.8 13.2l3-4.2 2.8 2.2" />
            <path
                stroke-width="1.5"
                d="M25.6 8.4c-1.4-1.6-1.2-3.6.4-5.2M26.8 8c0-1.6.8-3 2.2-3.8M6.4 13.8l-1.8 2.6"
            />
            <path class="mark-ground" stroke-width="1.9" d="M9 29h14" />
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
    html! {
        <svg class="icon filled" viewBox="0 0 20 20" aria-hidden="true" focusable="false"><path d="M6 6h8v8H6z" /></svg>
    }
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
