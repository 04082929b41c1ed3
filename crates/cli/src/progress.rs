//! How far a load is: a bar on stderr, if that is a terminal.

use indicatif::{DecimalBytes, HumanDuration, ProgressBar, ProgressStyle};
use protocol::{LoadProgress, LoadStage};

/// A bar that goes when it is dropped. `indicatif` draws nothing where stderr is no terminal.
pub(crate) struct LoadBar {
    bar: ProgressBar,
    fetching: &'static str,
}

impl LoadBar {
    /// `fetching` is what it is called when bytes come from where the model is.
    pub(crate) fn new(fetching: &'static str) -> LoadBar {
        let bar = ProgressBar::no_length();
        // The template is ours, so it is well-formed; the plain bar would do as well.
        let style =
            ProgressStyle::with_template("{msg} {bar:24} {decimal_bytes} of {decimal_total_bytes}{prefix}");
        if let Ok(style) = style {
            bar.set_style(style.progress_chars("━╸ "));
        }
        LoadBar { bar, fetching }
    }

    pub(crate) fn show(&self, progress: &LoadProgress) {
        self.bar.set_message(match progress.stage {
            // Nothing is known of the file yet, so there is nothing to draw.
            LoadStage::Opening => return,
            LoadStage::Downloading => self.fetching,
            LoadStage::Reading => "Reading",
            LoadStage::Preparing => "Compiling kernels",
        });
        self.bar.set_length(progress.total_bytes);
        self.bar.set_prefix(speed(progress));
        self.bar.set_position(progress.done_bytes);
    }
}

impl Drop for LoadBar {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}

/// `, 12.3 MB/s, 8 seconds left`, as far as it is known.
fn speed(progress: &LoadProgress) -> String {
    let mut text = String::new();
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
        let rows = [
            (0.0, None, ""),
            (12_300_000.0, None, ", 12.30 MB/s"),
            (12_300_000.0, Some(8.2), ", 12.30 MB/s, 8 seconds left"),
            (1.0, Some(f64::INFINITY), ", 1 B/s"),
            (1.0, Some(-1.0), ", 1 B/s"),
        ];
        for (bytes_per_second, seconds_left, expected) in rows {
            let progress = LoadProgress {
                stage: LoadStage::Downloading,
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
