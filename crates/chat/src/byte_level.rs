//! GPT-2's alphabet: a printable character for each of the 256 bytes, so that vocabularies can be written as text.
//!
//! Bytes that Latin-1 prints stand for themselves (`a`, `é`); the 68 others, in order, are U+0100 and up:
//! a space is `Ġ`, a line feed `Ċ`.

const FIRST_STAND_IN: u32 = 0x100;

/// The bytes of a token that is written in the alphabet; `None` if it has a character of no byte.
pub(crate) fn bytes(token: &str) -> Option<Vec<u8>> {
    token.chars().map(byte).collect()
}

/// The bytes, written in the alphabet.
pub(crate) fn text(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| character(*byte)).collect()
}

fn is_printed(byte: u8) -> bool {
    matches!(byte, b'!'..=b'~' | 0xa1..=0xac | 0xae..=0xff)
}

fn byte(character: char) -> Option<u8> {
    let code = u32::from(character);
    if let Ok(byte) = u8::try_from(code) {
        return is_printed(byte).then_some(byte);
    }
    // The unprinted bytes are 0x00-0x20, 0x7f-0xa0 and 0xad.
    match code.checked_sub(FIRST_STAND_IN)? {
        n @ 0..=0x20 => Some(n as u8),
        n @ 0x21..=0x42 => Some((n - 0x21 + 0x7f) as u8),
        0x43 => Some(0xad),
        _ => None,
    }
}

fn character(byte: u8) -> char {
    match byte {
        0x00..=0x20 => stand_in(byte),
        0x7f..=0xa0 => stand_in(byte - 0x7f + 0x21),
        0xad => stand_in(0x43),
        _ => char::from(byte),
    }
}

/// The character of the n-th unprinted byte: up to U+0143, all of which are characters.
fn stand_in(n: u8) -> char {
    char::from_u32(FIRST_STAND_IN + u32::from(n)).unwrap_or(char::REPLACEMENT_CHARACTER)
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use tokenizers::pre_tokenizers::byte_level::ByteLevel;

    /// The character of each byte.
    pub(crate) fn alphabet() -> [char; 256] {
        let mut stand_ins = FIRST_STAND_IN..;
        std::array::from_fn(|byte| {
            let code =
                if is_printed(byte as u8) { byte as u32 } else { stand_ins.next().unwrap_or_default() };
            char::from_u32(code).unwrap_or_default()
        })
    }

    #[test]
    fn each_byte_has_its_character() {
        let alphabet = alphabet();
        for (n, character) in alphabet.into_iter().enumerate() {
            assert_eq!(byte(character), Some(n as u8), "{character:?}");
            assert_eq!(text(&[n as u8]), character.to_string(), "{n}");
        }
        assert_eq!(
            [' ', '\n', '\t', '\u{7f}', 'a', 'é'].map(|of| alphabet[of as usize]),
            ['Ġ', 'Ċ', 'ĉ', 'ġ', 'a', 'é']
        );
        // The same characters as in the crate that encodes.
        assert_eq!(
            alphabet.into_iter().collect::<std::collections::HashSet<_>>(),
            ByteLevel::alphabet().into_iter().collect()
        );
    }

    #[test]
    fn other_characters_have_no_byte() {
        for character in [' ', '\n', '\u{7f}', '\u{ad}', '\u{144}', '日', '🙂'] {
            assert_eq!(byte(character), None, "{character:?}");
        }
        assert_eq!(bytes("ĠaÃ©"), Some(" aé".into()));
        assert_eq!(bytes("Ġa b"), None);
    }
}
