//! Tests of the whole: they lie in `tests/` beside this file, and those of the page in `browser/`.
