//! Which of its views the page shows, by what stands behind `#` in its address: that needs nothing of a static host.

/// A view with an address of its own.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Route {
    /// The conversation.
    #[default]
    Chat,
    /// The benchmark.
    Benchmark,
}

impl Route {
    /// What stands in the address, and in links.
    pub(crate) fn hash(self) -> &'static str {
        match self {
            Route::Chat => "#/",
            Route::Benchmark => "#/benchmark",
        }
    }

    /// The view of that address; the conversation for anything else.
    pub(crate) fn from_hash(hash: &str) -> Route {
        match hash.trim_end_matches('/') == Route::Benchmark.hash() {
            true => Route::Benchmark,
            false => Route::Chat,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses() {
        for (hash, expected) in [
            ("", Route::Chat),
            ("#", Route::Chat),
            ("#/", Route::Chat),
            ("#/benchmark", Route::Benchmark),
            ("#/benchmark/", Route::Benchmark),
            ("#benchmark", Route::Chat),
            ("#/benchmarks", Route::Chat),
        ] {
            assert_eq!(Route::from_hash(hash), expected, "{hash}");
        }
        assert_eq!(Route::from_hash(Route::Chat.hash()), Route::Chat);
    }
}
