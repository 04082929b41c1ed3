//! A manifest out of its file, which may be hostile.

use std::collections::HashMap;

use super::{Hash, LaidPart, MAX_FILES, Manifest, ManifestFile, ManifestTensor, PIECE_BYTES};
use crate::error::{FormatError, Part, quote, quote_odd};
use crate::json::{Fields, Json};
use crate::plain_name::check_plain_name;

pub(super) const FORMAT: &str = "pronk model";
pub(super) const VERSION: u64 = 1;
/// What stands before and behind the hash of the file's own bytes.
pub(super) const SEAL: &str = "\n  \"sha256\": \"";
pub(super) const SEAL_END: &str = "\"\n}\n";

const PART: Part = Part::Manifest;

impl Manifest {
    /// Whether a file called `manifest.json` is one of ours, which other programs' folders may have, too. A damaged one
    /// still is: it begins or it ends as ours do.
    pub fn is_ours(bytes: &[u8]) -> bool {
        let start = format!("{{\n  \"format\": \"{FORMAT}\"");
        bytes.starts_with(start.as_bytes()) || split_seal(bytes).is_some()
    }

    /// Reads a manifest whose bytes are all there. `hash` is SHA-256.
    ///
    /// # Errors
    /// If it is none, of another version, damaged, or names files outside of its own folder. What it says of tensors
    /// is compared with the model by [`Checkpoint::from_manifest`](crate::Checkpoint::from_manifest).
    pub fn parse(bytes: &[u8], hash: impl FnOnce(&[u8]) -> Hash) -> Result<Manifest, FormatError> {
        let json = Json::parse(PART, bytes)?;
        let fields = Fields::of(PART, &json)?;
        match fields.required_string("format")? {
            FORMAT => {}
            other => return Err(fields.invalid("format", format_args!("\"{FORMAT}\""), quote(other))),
        }
        match fields.whole("version")? {
            Some(VERSION) => {}
            Some(other) => {
                let expected = format_args!("{VERSION}; convert the model again, or take a newer pronk");
                return Err(fields.invalid("version", expected, other));
            }
            None => return Err(fields.missing("version")),
        }
        check_seal(bytes, hash)?;
        let files = entries(&fields, "files")?.iter().map(file).collect::<Result<Vec<_>, _>>()?;
        let places = places(&files)?;
        let tensors = entries(&fields, "tensors")?;
        Ok(Manifest {
            name: fields.string("name")?.map(str::to_owned),
            licence: fields.string("licence")?.map(str::to_owned),
            built_with_llama: fields.boolean("built_with_llama")?.unwrap_or(false),
            source: fields.string("source")?.unwrap_or_default().to_owned(),
            tensors: tensors.iter().map(|fields| tensor(fields, &places)).collect::<Result<_, _>>()?,
            files,
        })
    }
}

/// That the file is as it was written, byte for byte.
fn check_seal(bytes: &[u8], hash: impl FnOnce(&[u8]) -> Hash) -> Result<(), FormatError> {
    let damaged = |found: &str| PART.invalid("sha256", "the hash of all before it, at the end", found);
    let (body, seal) = split_seal(bytes).ok_or_else(|| damaged("none; fetch the file again"))?;
    match hash_of(&String::from_utf8_lossy(seal)) {
        Some(seal) if seal == hash(body) => Ok(()),
        _ => Err(damaged("another; the file is damaged or was changed: fetch it again")),
    }
}

/// All before the last hash, and its digits.
fn split_seal(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let rest = bytes.strip_suffix(SEAL_END.as_bytes())?;
    let (body, seal) = rest.split_at_checked(rest.len().checked_sub(64)?)?;
    body.ends_with(SEAL.as_bytes()).then_some((body, seal))
}

/// The objects of a list.
fn entries<'a>(fields: &Fields<'a>, key: &str) -> Result<Vec<Fields<'a>>, FormatError> {
    let list = fields.array(key)?.ok_or_else(|| fields.missing(key))?;
    list.iter()
        .enumerate()
        .map(|(at, entry)| fields.within(format!("{}[{at}]", fields.name(key)), entry))
        .collect()
}

fn file(fields: &Fields) -> Result<ManifestFile, FormatError> {
    let name = fields.required_string("name")?;
    check_plain_name(PART, &fields.name("name"), name)?;
    let size = fields.whole("size")?.ok_or_else(|| fields.missing("size"))?;
    let sha256 = fields.required_string("sha256")?;
    let digits = |text: &str, key: &str| {
        hash_of(text).ok_or_else(|| fields.invalid(key, "64 hexadecimal digits", quote(text)))
    };
    let sha256 = digits(sha256, "sha256")?;
    let listed = fields.array("pieces")?.map(|list| {
        list.iter().map(|piece| match piece {
            Json::String(text) => digits(text, "pieces"),
            other => Err(fields.invalid("pieces", "64 hexadecimal digits each", other)),
        })
    });
    let needed = size.div_ceil(PIECE_BYTES);
    let pieces = match listed {
        Some(pieces) => pieces.collect::<Result<Vec<_>, _>>()?,
        None if needed == 0 => Vec::new(),
        None => vec![sha256],
    };
    if pieces.len() as u64 != needed {
        let expected = format!("{needed} hashes, one for each {PIECE_BYTES} bytes of {size}");
        return Err(fields.invalid("pieces", expected, pieces.len()));
    }
    Ok(ManifestFile { name: name.to_owned(), size, sha256, pieces })
}

/// Which file has which place, each name once.
fn places(files: &[ManifestFile]) -> Result<HashMap<&str, usize>, FormatError> {
    if files.len() > MAX_FILES {
        return Err(PART.invalid("files", format_args!("at most {MAX_FILES}"), files.len()));
    }
    let mut places = HashMap::with_capacity(files.len());
    for (at, file) in files.iter().enumerate() {
        if file.name.eq_ignore_ascii_case("manifest.json") || places.insert(file.name.as_str(), at).is_some()
        {
            let found = format_args!("{} again", quote(&file.name));
            return Err(PART.invalid(format!("files[{at}].name"), "the name of another file", found));
        }
    }
    Ok(places)
}

fn tensor(fields: &Fields, places: &HashMap<&str, usize>) -> Result<ManifestTensor, FormatError> {
    let shape = fields.array("shape")?.ok_or_else(|| fields.missing("shape"))?;
    let &[Json::Whole(rows), Json::Whole(columns)] = shape else {
        return Err(fields.invalid("shape", "rows and columns", format_args!("{} values", shape.len())));
    };
    let size = |value: u64| {
        // What fits 32 bits fits every `usize`.
        u32::try_from(value)
            .map(|value| value as usize)
            .map_err(|_| fields.invalid("shape", "less than 2^32", value))
    };
    let parts = entries(fields, "parts")?;
    Ok(ManifestTensor {
        name: fields.required_string("name")?.to_owned(),
        dtype: fields.required_string("type")?.to_owned(),
        shape: [size(rows)?, size(columns)?],
        parts: parts.iter().map(|fields| part(fields, places)).collect::<Result<_, _>>()?,
    })
}

fn part(fields: &Fields, places: &HashMap<&str, usize>) -> Result<LaidPart, FormatError> {
    let name = fields.required_string("file")?;
    let file = places.get(name).ok_or_else(|| fields.invalid("file", "one of files", quote_odd(name)))?;
    Ok(LaidPart {
        file: *file,
        rows: fields.required_size("rows")?,
        scales: fields.whole("scales")?,
        words: fields.whole("words")?.ok_or_else(|| fields.missing("words"))?,
    })
}

fn hash_of(text: &str) -> Option<Hash> {
    let (pairs, rest) = text.as_bytes().as_chunks::<2>();
    if pairs.len() != 32 || !rest.is_empty() {
        return None;
    }
    // Small letters alone: what has one meaning has one spelling.
    let digit = |byte: u8| char::from(byte).to_digit(16).filter(|_| !byte.is_ascii_uppercase());
    let mut hash = [0; 32];
    for (byte, [high, low]) in hash.iter_mut().zip(pairs) {
        *byte = (digit(*high)? << 4 | digit(*low)?) as u8;
    }
    Some(hash)
}
