//! How far a load is: a bar on stderr, if that is a terminal.

use indicatif::{DecimalBytes, HumanDuration, ProgressBar, ProgressDrawTarget, ProgressStyle};
use protocol::{LoadProgress, LoadStage};

/// A bar that goes when it is dropped. `indicatif` draws nothing where stderr is no terminal.
pub(crate) struct LoadBar {
    bar: ProgressBar,
    fetching: &'static str,
}

impl LoadBar {
    /// `fetching` is what it is called when bytes come from where the model is.
    pub(crate) fn new(fetching: &'static str) -> LoadBar {
        let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::hidden());
        // The template is ours, so it is well-formed; the plain bar would do as well.
        let template = "{msg} {wide_bar} {decimal_bytes} of {decimal_total_bytes}{prefix}";
        if let Ok(style) = ProgressStyle::with_template(template) {
            bar.set_style(style.progress_chars("━╸ "));
        }
        LoadBar { bar, fetching }
    }

    pub(crate) fn show(&self, progress: &LoadProgress) {
        let message = match progress.stage {
            // Nothing is known of the file yet, so there is nothing to draw.
            LoadStage::Opening => return,
            LoadStage::Downloading => self.fetching,
            LoadStage::Reading => "Reading",
            LoadStage::Preparing => "Compiling kernels",
        };
        self.bar.set_length(progress.total_bytes);
        self.bar.set_position(progress.done_bytes);
        self.bar.set_prefix(speed(progress));
        // Shown from now on, and not before it had its figures.
        if self.bar.is_hidden() {
            self.bar.set_draw_target(ProgressDrawTarget::stderr());
        }
        self.bar.set_message(message);
    }
}

impl Drop for LoadBar {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}

/// A bar for bytes that are worked on, drawn if stderr is a terminal; it is gone when it is finished.
pub(crate) fn byte_bar(message: &'static str) -> ProgressBar {
    let bar = ProgressBar::new(0).with_message(message);
    let template =
        "{msg} {wide_bar} {decimal_bytes} of {decimal_total_bytes}, {decimal_bytes_per_sec}, {eta} left";
    // The template is ours, so it is well-formed; the plain bar would do as well.
    if let Ok(style) = ProgressStyle::with_template(template) {
        bar.set_style(style.progress_chars("━╸ "));
    }
    bar
}

/// `, 12.3 MB/s, 8 seconds left`, as far as it is known.
fn speed(progress: &LoadProgress) -> String {
    let mut text = String::new();
    if progress.stage == LoadStage::Preparing {
        return text;
    }
    if progress.bytes_per_second > 0.0 {
        text += &format!(", {}/s", DecimalBytes(progress.bytes_per_second as u64));
    }
    // A server that stalls makes for any number of seconds; a `Duration` takes only those that fit.
    let left = progress.seconds_left.and_then(|seconds| std::time::Duration::try_from_secs_f64(seconds).ok());
    if let Some(left) = left {
        text += &format!(", {} left", HumanDuration(left));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn speed_and_time_left() {
        use LoadStage::{Downloading, Preparing};
        let rows = [
            (Downloading, 0.0, None, ""),
            (Downloading, 12_300_000.0, None, ", 12.30 MB/s"),
            (Downloading, 12_300_000.0, Some(8.2), ", 12.30 MB/s, 8 seconds left"),
            (Downloading, 1.0, Some(f64::INFINITY), ", 1 B/s"),
            (Downloading, 1.0, Some(-1.0), ", 1 B/s"),
            (Preparing, 12_300_000.0, None, ""),
        ];
        for (stage, bytes_per_second, seconds_left, expected) in rows {
            let progress = LoadProgress {
                stage,
                done_bytes: 1,
                total_bytes: 2,
                fetched_bytes: 1,
                bytes_per_second,
                seconds_left,
            };
            assert_eq!(speed(&progress), expected);
        }
    }
}
