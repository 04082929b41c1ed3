//! Finding the files of a model and reading their headers, before any weight.
//!
//! A load takes headers through [`Pieces`], so that what is read is checked and kept; whoever wants no more than the
//! headers reads them by short ranges, and from the store where it has them.

use std::collections::HashMap;

use format::{Checkpoint, FormatError, Gguf, Manifest, Metadata, Pth, PthReader, split_names};
use store::{Files, Held, Piece, Pieces, Source, Store, StoreError};

use crate::progress::Reporter;
use crate::{EngineError, Origin, folder};

/// First bytes to ask for. Many models have their header in them; Llama 3's 8 MB take three more requests.
const FIRST_BYTES: u64 = 1 << 20;

/// What can be said of a model without its weights.
#[derive(Debug, Clone, PartialEq)]
pub struct Header {
    /// What the files mean.
    pub checkpoint: Checkpoint,
    /// The files that hold the weights, by name.
    pub files: Vec<String>,
    /// What tells the version of each that was read from others, where its host says anything of the kind.
    pub versions: Vec<Option<String>>,
    /// What the files say.
    pub container: Container,
}

/// A model whose weights can be read.
pub(crate) struct Found {
    pub(crate) checkpoint: Checkpoint,
    pub(crate) files: Vec<String>,
}

/// The kind of files that a model is in.
#[derive(Debug, Clone, PartialEq)]
pub enum Container {
    /// One GGUF file or several.
    Gguf {
        /// 2 or 3.
        version: u32,
        /// The first file's key/value pairs.
        metadata: Metadata,
    },
    /// A folder that `pronk convert` made.
    Pronk,
    /// A folder as Hugging Face has it.
    Hub,
    /// A folder as MLC makes it.
    Mlc,
    /// A folder as Meta gives it away.
    Meta,
}

/// Reads the headers of a model and none of its weights.
///
/// # Errors
/// If the bytes don't come, or if they are no model that we run.
pub async fn read_header<F: Files, T: Store>(origin: Origin<'_, F, T>) -> Result<Header, EngineError> {
    let mut ranges = Ranges { origin, container: None, versions: HashMap::new() };
    let Found { checkpoint, files } = find(origin.files, &mut ranges).await?;
    let no_model = || EngineError::NoModel { name: origin.files.name().to_owned() };
    let container = ranges.container.ok_or_else(no_model)?;
    let versions = files.iter().map(|name| ranges.versions.remove(name)).collect();
    Ok(Header { checkpoint, files, versions, container })
}

/// Where headers and the small files come from.
pub(crate) trait Heads {
    /// The header of a file, as `parse` reads it from the file's first bytes and its size.
    async fn head<H>(&mut self, name: &str, parse: Parse<H>) -> Result<H, EngineError>;

    /// All of a small file; `None` if there is none.
    async fn whole(&mut self, name: &str) -> Result<Option<Vec<u8>>, EngineError>;

    /// All of a small file that must be there.
    async fn needed(&mut self, name: &str) -> Result<Vec<u8>, EngineError> {
        let absent = || StoreError::Absent { name: name.to_owned() };
        Ok(self.whole(name).await?.ok_or_else(absent)?)
    }

    /// The directory of a `.pth` file, which lies at its end.
    async fn pth(&mut self, name: &str) -> Result<Pth, EngineError>;

    /// Told what the files must hash to, before any is asked for but the manifest that says so.
    fn publish(&mut self, _manifest: &Manifest) {}

    /// Told what the files say, before they become a checkpoint.
    fn found(&mut self, _container: &dyn Fn() -> Container) {}
}

/// Reads a header from a prefix of its file.
pub(crate) type Parse<H> = fn(&[u8], u64) -> Result<H, FormatError>;

/// The longest file that is read whole: Llama 3's `tokenizer.json` has 9 MB.
pub(crate) const SMALL_FILE: u64 = 64 << 20;

/// A header that is the whole file.
pub(crate) fn whole_file(bytes: &[u8], size: u64) -> Result<Vec<u8>, FormatError> {
    let have = bytes.len() as u64;
    if size > SMALL_FILE {
        let (what, supported) = ("A file beside the weights", format!("files of at most {SMALL_FILE} bytes"));
        return Err(FormatError::Unsupported { what, found: format!("of {size} bytes"), supported });
    }
    if have < size { Err(FormatError::NeedMore { have, need: size }) } else { Ok(bytes.to_vec()) }
}

/// Finds the files, and makes sense of them.
pub(crate) async fn find<F: Files>(files: &F, heads: &mut impl Heads) -> Result<Found, EngineError> {
    match single(files) {
        Some(name) => find_gguf(name, heads).await,
        None => {
            let found = folder::find(files.name(), heads).await?;
            found.ok_or_else(|| EngineError::NoModel { name: files.name().to_owned() })
        }
    }
}

/// The file that was asked for, unless a folder was, or a file that stands for one.
pub(crate) fn single(files: &impl Files) -> Option<&str> {
    files.named().filter(|name| !folder::stands_for_its_folder(name))
}

async fn find_gguf(name: &str, heads: &mut impl Heads) -> Result<Found, EngineError> {
    let first = heads.head(name, Gguf::parse).await?;
    heads.found(&|| Container::Gguf { version: first.version, metadata: first.metadata.clone() });
    let count = first.split_count()?;
    let names = match count {
        1 => vec![name.to_owned()],
        _ => split_names(name)
            .filter(|names| names.len() as u64 == count)
            .ok_or(FormatError::Split { count })?,
    };
    let mut parts = Vec::with_capacity(names.len());
    let mut first = Some(first);
    for part in &names {
        parts.push(match first.take_if(|_| part == name) {
            Some(gguf) => gguf,
            None => heads.head(part, Gguf::parse).await?,
        });
    }
    Ok(Found { checkpoint: Checkpoint::from_gguf_parts(parts)?, files: names })
}

/// Headers by short ranges, or from the store where it has them.
struct Ranges<'a, F, T> {
    origin: Origin<'a, F, T>,
    container: Option<Container>,
    /// Of the files that were read, by name.
    versions: HashMap<String, String>,
}

impl<F: Files, T: Store> Heads for Ranges<'_, F, T> {
    async fn head<H>(&mut self, name: &str, parse: Parse<H>) -> Result<H, EngineError> {
        let Origin { files, store } = self.origin;
        let (key, source) = (files.key(name), files.open(name).await?);
        // A record that can't be read is as good as none.
        let record = store.record(&key).await.ok().flatten();
        if record.is_some_and(|record| record.pieces.first().is_some_and(Option::is_some)) {
            let mut pieces = Pieces::open(source, store, &key, files.expected(name)).await?;
            return Ok(take_head(&mut pieces, &mut Reporter::new(&mut |_| {}), parse).await?.1);
        }
        let size = source.size(0).await?;
        self.versions.extend(source.version().map(|version| (name.to_owned(), version)));
        let mut head = Vec::new();
        let mut wanted = FIRST_BYTES;
        loop {
            match parse(&head, size) {
                Err(FormatError::NeedMore { need, .. }) => wanted = wanted.max(need).min(size),
                header => return Ok(header?),
            }
            read_on(&source, 0, wanted, &mut head).await?;
            wanted *= 2;
        }
    }

    async fn whole(&mut self, name: &str) -> Result<Option<Vec<u8>>, EngineError> {
        present(self.head(name, whole_file).await)
    }

    async fn pth(&mut self, name: &str) -> Result<Pth, EngineError> {
        let source = self.origin.files.open(name).await?;
        let mut reader = PthReader::new(source.size(0).await?);
        self.versions.extend(source.version().map(|version| (name.to_owned(), version)));
        while let Some(range) = reader.wants() {
            let mut bytes = Vec::new();
            read_on(&source, range.start, range.end, &mut bytes).await?;
            reader.put(&bytes)?;
        }
        Ok(reader.finish()?)
    }

    fn found(&mut self, container: &dyn Fn() -> Container) {
        self.container = Some(container());
    }
}

/// `None` where a file is absent.
pub(crate) fn present(bytes: Result<Vec<u8>, EngineError>) -> Result<Option<Vec<u8>>, EngineError> {
    match bytes {
        Err(EngineError::Store(error)) if error.is_absence() => Ok(None),
        bytes => bytes.map(Some),
    }
}

/// Appends the bytes from `start` up to `end` that `bytes` does not have yet, in as many reads as it takes while each
/// brings some.
async fn read_on<S: Source>(source: &S, start: u64, end: u64, bytes: &mut Vec<u8>) -> Result<(), StoreError> {
    while start + (bytes.len() as u64) < end {
        let at = start + bytes.len() as u64;
        let result = source.read(at..end, bytes, &mut |_| {}).await;
        if start + bytes.len() as u64 == at {
            result?;
            return Err(StoreError::Cut { name: source.name().to_string(), at, end });
        }
    }
    Ok(())
}

/// A header, and the pieces that it was read from.
pub(crate) type Head<T, H> = (Vec<Piece<<T as Store>::Held>>, H);

/// Takes pieces until the header is whole: one for most files.
pub(crate) async fn take_head<S: Source, T: Store, H>(
    pieces: &mut Pieces<'_, S, T>,
    report: &mut Reporter<'_>,
    parse: Parse<H>,
) -> Result<Head<T, H>, EngineError> {
    let size = pieces.size();
    let (mut taken, mut bytes) = (Vec::new(), Vec::new());
    loop {
        // After the end of the file, parsing what there is gives the error that fits.
        if let Some(piece) = report.next(pieces).await? {
            piece.bytes.append_to(0..piece.bytes.size(), &mut bytes);
            taken.push(piece);
        }
        match parse(&bytes, size) {
            Err(FormatError::NeedMore { .. }) => {}
            header => return Ok((taken, header?)),
        }
    }
}
