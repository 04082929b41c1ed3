//! What each token says: its bytes, and whether it is text at all.

use crate::byte_level;

/// Bytes and kind of every token, in one block of memory.
#[derive(Debug)]
pub(crate) struct TokenTable {
    bytes: Vec<u8>,
    /// By id, where the token's bytes end; they begin where the last token's end.
    ends: Vec<usize>,
    kinds: Vec<Kind>,
}

/// What a token is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Text, which merges make.
    Normal,
    /// Structure of a conversation, which only a template makes.
    Control,
    /// Text that is found as it stands, before merging.
    UserDefined,
    /// A byte as `<0x0A>`, which byte-level text never needs.
    Byte,
}

/// Names of control tokens that some files mark as something else; all of them end a turn.
const END_OF_TURN: [&str; 12] = [
    "<|im_end|>",
    "<|eot_id|>",
    "<|eom_id|>",
    "<|end_of_text|>",
    "<|endoftext|>",
    "<|end_of_turn|>",
    "<|eot|>",
    "<|end|>",
    "<end_of_turn>",
    "<EOT>",
    "<end_of_utterance>",
    "<｜end▁of▁sentence｜>",
];

/// Whether a control token of this name ends a turn in every model that has it.
pub(crate) fn ends_a_turn(token: &str) -> bool {
    END_OF_TURN.contains(&token)
}

impl Kind {
    /// From GGUF's number, mended where converters are known to get it wrong.
    fn of(token: &str, token_type: u32) -> Kind {
        let looks_like_control = (token.starts_with("<|") && token.ends_with("|>"))
            || (token.starts_with("<｜") && token.ends_with("｜>"));
        match token_type {
            3 => Kind::Control,
            _ if ends_a_turn(token) => Kind::Control,
            4 if looks_like_control => Kind::Control,
            4 => Kind::UserDefined,
            6 => Kind::Byte,
            _ => Kind::Normal,
        }
    }
}

impl TokenTable {
    /// As many types as tokens.
    pub(crate) fn new(tokens: &[String], token_types: &[u32]) -> TokenTable {
        let size = tokens.iter().map(String::len).sum();
        let mut table = TokenTable {
            bytes: Vec::with_capacity(size),
            ends: Vec::with_capacity(tokens.len()),
            kinds: Vec::with_capacity(tokens.len()),
        };
        for (token, token_type) in tokens.iter().zip(token_types) {
            let kind = Kind::of(token, *token_type);
            match kind {
                Kind::Normal => table.bytes.extend(byte_level::decode(token)),
                Kind::Byte if let Some(byte) = hexadecimal(token) => table.bytes.push(byte),
                _ => table.bytes.extend(token.as_bytes()),
            }
            table.ends.push(table.bytes.len());
            table.kinds.push(kind);
        }
        table
    }

    /// How many tokens.
    pub(crate) fn len(&self) -> usize {
        self.kinds.len()
    }

    /// `None` outside the vocabulary.
    pub(crate) fn kind(&self, id: u32) -> Option<Kind> {
        self.kinds.get(id as usize).copied()
    }

    /// A token's bytes, which need not be whole characters; none outside the vocabulary.
    pub(crate) fn bytes(&self, id: u32) -> &[u8] {
        let id = id as usize;
        let start = id.checked_sub(1).and_then(|before| self.ends.get(before)).copied().unwrap_or(0);
        self.ends.get(id).and_then(|end| self.bytes.get(start..*end)).unwrap_or_default()
    }
}

/// `<0x0A>` as 10.
fn hexadecimal(token: &str) -> Option<u8> {
    let digits = token.strip_prefix("<0x")?.strip_suffix('>')?;
    u8::from_str_radix(digits, 16).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(token: &str, token_type: u32, kind: Kind, bytes: &[u8]) {
        let table = TokenTable::new(&["Ġ€".to_string(), token.to_string()], &[1, token_type]);
        assert_eq!(table.kind(1), Some(kind), "{token}");
        assert_eq!(table.bytes(1), bytes, "{token}");
        assert_eq!((table.kind(2), table.bytes(2), table.len()), (None, &[][..], 2));
    }

    #[test]
    fn tokens_say_what_their_kind_means() {
        check("Ġhi", 1, Kind::Normal, b" hi");
        check("Ġhi", 5, Kind::Normal, b" hi");
        check("<s>", 3, Kind::Control, b"<s>");
        check("<Ġ>", 3, Kind::Control, "<Ġ>".as_bytes());
        check("<|tool|>", 4, Kind::Control, b"<|tool|>");
        check("<｜User｜>", 4, Kind::Control, "<｜User｜>".as_bytes());
        check("<|im_end|>", 1, Kind::Control, b"<|im_end|>");
        check("<|im_start|>", 1, Kind::Normal, b"<|im_start|>");
        check("<think>", 4, Kind::UserDefined, b"<think>");
        check("Ġ", 4, Kind::UserDefined, "Ġ".as_bytes());
        check("<0xF0>", 6, Kind::Byte, b"\xf0");
        check("<0xFFF>", 6, Kind::Byte, b"<0xFFF>");
    }
}
