//! The page: a conversation with a model that runs in a worker beside it.
//!
//! ```text
//! person -> Action -> state::reduce -> State -> view -> DOM
//!                          |  ^
//!                  Request v  | Event
//!                         worker
//! ```
//!
//! Everything that can happen is a variant of [`state::Action`], and `reduce` is the only place where state changes.
//! It is pure: what it wants of the worker it leaves in `State::outbox`, and [`worker`] posts it.
//! Components under [`view`] take props and callbacks.
//! The page builds neither the engine nor the tokenizer; it knows them by `protocol` alone.

mod advice;
mod format;
mod markdown;
mod model_url;
mod platform;
mod route;
mod state;
mod theme;
mod unicode;
mod view;
mod worker;

/// Takes over the element `#app`, or the body where there is none.
pub fn run() {
    platform::report_panics();
    match platform::element_by_id("app") {
        Some(root) => yew::Renderer::<view::App>::with_root(root).render(),
        None => yew::Renderer::<view::App>::new().render(),
    };
}
