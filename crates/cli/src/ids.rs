//! Ids and messages as they are given: on the command line, in a JSON file, or on stdin.

use std::io::Read;
use std::str::FromStr;

use anyhow::{Context, Result};
use protocol::Message;
use serde::de::DeserializeOwned;

/// Ids from the command line: `1,2,3`, with spaces where one likes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Ids(pub(crate) Vec<u32>);

impl FromStr for Ids {
    type Err = String;

    fn from_str(list: &str) -> Result<Ids, String> {
        if list.trim().is_empty() {
            return Ok(Ids(Vec::new()));
        }
        let id =
            |text: &str| text.trim().parse().map_err(|_| format!("expected ids as in 1,2,3, found {text:?}"));
        list.split(',').map(id).collect::<Result<_, _>>().map(Ids)
    }
}

/// Reads a JSON list of ids.
pub(crate) fn ids_from_file(file: &str) -> Result<Vec<u32>> {
    json_from_file(file, "a JSON list of ids, as in [1, 2, 3]")
}

/// Reads a JSON list of messages.
pub(crate) fn messages_from_file(file: &str) -> Result<Vec<Message>> {
    json_from_file(
        file,
        "a JSON list of messages, as in [{\"role\": \"user\", \"content\": \"Hi\"}], with the roles system, user \
         and assistant",
    )
}

fn json_from_file<T: DeserializeOwned>(file: &str, expected: &str) -> Result<T> {
    let name = if file == "-" { "stdin" } else { file };
    let bytes = match file {
        "-" => {
            let mut bytes = Vec::new();
            std::io::stdin().lock().read_to_end(&mut bytes).map(|_| bytes)
        }
        path => std::fs::read(path),
    };
    let bytes = bytes.with_context(|| format!("{name} can't be read"))?;
    serde_json::from_slice(&bytes).with_context(|| format!("{name} does not hold {expected}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_of_ids() {
        let rows: [(&str, Option<&[u32]>); 10] = [
            ("1,2,3", Some(&[1, 2, 3])),
            (" 1 ,\t2\n, 4294967295 ", Some(&[1, 2, u32::MAX])),
            ("7", Some(&[7])),
            ("", Some(&[])),
            ("  ", Some(&[])),
            ("1,,2", None),
            ("1,2,", None),
            ("1 2", None),
            ("-1", None),
            ("4294967296", None),
        ];
        for (list, expected) in rows {
            let found = list.parse::<Ids>().ok();
            assert_eq!(found, expected.map(|ids| Ids(ids.to_vec())), "{list:?}");
        }
    }
}
