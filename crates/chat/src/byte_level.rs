//! GPT-2's alphabet: each byte has a printable character, so that tokens are text without spaces.
//!
//! Bytes that print in Latin-1 stand for themselves; the other 68 take U+0100 to U+0143 in order.
//! A space is `Ġ`, a line feed `Ċ`.

/// The character that stands for a byte.
pub(crate) fn character(byte: u8) -> char {
    let shifted = match byte {
        0..=32 => u32::from(byte) + 0x100,
        127..=160 => u32::from(byte) - 127 + 0x121,
        173 => 0x143,
        _ => u32::from(byte),
    };
    char::from_u32(shifted).unwrap_or(char::REPLACEMENT_CHARACTER)
}

/// The byte that a character stands for; `None` for one outside the alphabet.
pub(crate) fn byte(character: char) -> Option<u8> {
    let shifted = u32::from(character);
    let byte = match shifted {
        0x100..=0x120 => shifted - 0x100,
        0x121..=0x142 => shifted - 0x121 + 127,
        0x143 => 173,
        0..=32 | 127..=160 | 173 => return None,
        _ => shifted,
    };
    u8::try_from(byte).ok()
}

/// A text's bytes in the alphabet, put into `out`.
pub(crate) fn encode_into(text: &str, out: &mut String) {
    out.clear();
    out.extend(text.bytes().map(character));
}

/// A token's bytes. Tokens with a character outside the alphabet were added as they are: their own UTF-8.
pub(crate) fn decode(token: &str) -> Vec<u8> {
    token.chars().map(byte).collect::<Option<Vec<u8>>>().unwrap_or_else(|| token.as_bytes().to_vec())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_byte_has_a_character_of_its_own() {
        let alphabet: std::collections::HashSet<char> = (0..=255).map(character).collect();
        assert_eq!(alphabet.len(), 256);
        for value in 0..=255 {
            let letter = character(value);
            assert_eq!(byte(letter), Some(value), "{letter:?}");
            assert!(!letter.is_whitespace() && !letter.is_control(), "{value} is {letter:?}");
        }
    }

    #[test]
    fn characters_are_gpt_2_s() {
        for (value, letter) in [(b' ', 'Ġ'), (b'\n', 'Ċ'), (b'a', 'a'), (0, 'Ā'), (127, 'ġ'), (160, 'ł'), (173, 'Ń'), (255, 'ÿ')]
        {
            assert_eq!(character(value), letter, "byte {value}");
        }
        for outside in [' ', '\n', '\u{7f}', '\u{ad}', '\u{144}', '€', '😀'] {
            assert_eq!(byte(outside), None, "{outside:?}");
        }
    }

    #[test]
    fn added_tokens_keep_their_own_bytes() {
        assert_eq!(decode("Ġa"), b" a");
        assert_eq!(decode("a b"), b"a b");
        assert_eq!(decode("€"), "€".as_bytes());
    }
}
