//! The names of the files that a model was split into: `model-00001-of-00005.gguf` and so on, from any one of them.

/// Digits of each number.
const DIGITS: usize = 5;

/// More files than any model has been split into.
const MAX_FILES: usize = 10_000;

/// The names of all files, in order; `None` if `name` is not that of one of several.
/// What stands behind the second number, an ending or an address's query, is kept.
pub fn split_names(name: &str) -> Option<Vec<String>> {
    let (before, rest) = name.rsplit_once("-of-")?;
    let (count, after) = number(rest)?;
    let (stem, no) = before.split_at_checked(before.len().checked_sub(DIGITS)?)?;
    let (no, _) = number(no)?;
    // A folder may be called like a file.
    let is_a_file = !after.split(['?', '#']).next().unwrap_or(after).contains(['/', '\\']);
    let fits = is_a_file && stem.ends_with('-') && (1..=count).contains(&no) && count <= MAX_FILES;
    fits.then(|| (1..=count).map(|no| format!("{stem}{no:05}-of-{count:05}{after}")).collect())
}

/// Five digits, and what follows them if that is no further digit.
fn number(text: &str) -> Option<(usize, &str)> {
    let (digits, after) = text.split_at_checked(DIGITS)?;
    let all =
        digits.bytes().all(|byte| byte.is_ascii_digit()) && !after.starts_with(|c: char| c.is_ascii_digit());
    Some((digits.parse().ok().filter(|_| all)?, after))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn siblings_of_any_file() {
        let names = split_names("a-of-b-00002-of-00003.gguf?x=1").unwrap();
        let expected = [1, 2, 3].map(|no| format!("a-of-b-0000{no}-of-00003.gguf?x=1"));
        assert_eq!(names, expected);
        assert!(split_names("a/b-00001-of-00003.gguf?c=d/e").is_some());
        assert_eq!(split_names("-00001-of-00001").unwrap(), ["-00001-of-00001"]);
    }

    #[test]
    fn other_names_are_single_files() {
        for name in [
            "model.gguf",
            "",
            "-of-",
            "a-00001-of-0003.gguf",
            "a-0001-of-00003.gguf",
            "a-00004-of-00003.gguf",
            "a-00000-of-00003.gguf",
            "a-00001-of-000035.gguf",
            "a00001-of-00003.gguf",
            "a-00001-of-99999.gguf",
            "é-of-00003",
            "a-0000é-of-00003",
            "a-+0001-of-00003",
            "a-00001-of-00003/b.gguf",
            "a-00001-of-00003.d\\b.gguf",
        ] {
            assert_eq!(split_names(name), None, "{name}");
        }
    }
}
