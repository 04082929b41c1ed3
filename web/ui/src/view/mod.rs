//! What the page looks like: components that get props and callbacks and keep at most a toggle.

mod alerts;
mod app;
mod benchmark;
mod benchmark_report;
mod catalogue;
mod composer;
mod copy_button;
mod footer;
mod header;
mod hooks;
mod icons;
mod load_options;
mod message;
mod models;
mod progress;
mod rich_text;
mod sampling;
mod slow_note;
mod stats;
mod transcript;
mod tuning;
mod wanted;
mod welcome;

pub(crate) use app::App;

/// The composer's text area, for those who give it the focus.
const COMPOSER_ID: &str = "composer";
