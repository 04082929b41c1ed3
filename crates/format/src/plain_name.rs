//! Names of files that come out of files, which become addresses and paths.

use crate::error::{FormatError, Part, quote};

/// Fails unless a name that a file gives is that of a file beside it, on every system and in every address.
pub(crate) fn check_plain_name(part: Part, field: &str, name: &str) -> Result<(), FormatError> {
    let refuse = |why: &str| {
        Err(part.invalid(
            field,
            "the plain name of a file in the same folder",
            format_args!("{} {why}", quote(name)),
        ))
    };
    // `%2e%2e%2f` is `../` to a server, `?` and `#` end the path of an address, and `C:` names a drive.
    // Others turn the text behind them, so that a name reads like another one.
    let turns =
        |c: char| matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    let ordinary = |c: char| !c.is_control() && !turns(c) && !"/\\:%?#*<>|\"".contains(c);
    match name {
        "" => refuse("without any letter"),
        "." | ".." => refuse("which names a folder"),
        _ if name.contains('\0') => refuse("which has a zero byte in it"),
        _ if name.contains(['/', '\\']) => refuse("which leads to another folder"),
        _ if name.len() > 255 => refuse("which is longer than a name can be"),
        _ if !name.chars().all(ordinary) => refuse("which has a character that names of files must not have"),
        _ => Ok(()),
    }
}
