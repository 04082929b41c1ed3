//! A conversion from its beginning to its end.

use std::collections::HashMap;
use std::sync::mpsc::{Receiver, sync_channel};

use format::{Checkpoint, LaidPart, Manifest, ManifestFile, ManifestTensor, Quant, RowReader};

use crate::beside::small_files;
use crate::fill::{Filled, Filling};
use crate::journal::{JOURNAL, Journal, MANIFEST, PART, read, write_whole};
use crate::lay_out::Lost;
use crate::plan::{Plan, Target};
use crate::shard::{positions, scales_name, to_file, words_name};
use crate::{ConvertError, HashFn, Output, Report, Source, hex};

/// Bytes that are read and laid out at once.
const READ_BYTES: u64 = 8 << 20;

/// Bytes of each tensor that tell a source from another of the same shapes.
const SAMPLE_BYTES: u64 = 4096;

/// What is chosen before.
#[derive(Debug, Clone)]
pub struct Options {
    /// How to quantize; none keeps every tensor's type.
    pub quant: Option<Quant>,
    /// The most bytes of a shard.
    pub shard_size: u64,
    /// What the source is called, for the notice and the manifest.
    pub source: String,
    /// The licence files that lie beside the source, with their names.
    pub licences: Vec<(String, Vec<u8>)>,
    /// SHA-256.
    pub hash: HashFn,
}

/// How far a conversion is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// Bytes of the source that have been dealt with, those of shards that were kept included.
    pub done: u64,
    /// All of them.
    pub total: u64,
}

/// What is known of a shard that is whole.
struct Shard {
    file: ManifestFile,
    positions: HashMap<String, u64>,
}

/// Converts a model. To run it again after it was interrupted goes on where it was.
///
/// # Errors
/// If the source can't be read or a value does not fit the type asked for; if the folder is not ours or can't be written.
pub fn convert(
    checkpoint: &Checkpoint,
    source: &dyn Source,
    output: &dyn Output,
    options: &Options,
    progress: &mut dyn FnMut(Progress),
) -> Result<Report, ConvertError> {
    let plan = Plan::new(checkpoint, source, options.quant, options.shard_size)?;
    let mark = mark(&plan, source, options)?;
    let mut journal = Journal::open(output, mark.clone(), options.hash)?;
    let mut shards = kept(&plan, &mut journal, output, options.hash)?;
    // From here on the folder is no model, until the manifest is there again.
    journal.write(output)?;
    output.remove(MANIFEST).map_err(|detail| ConvertError::Output { detail })?;

    let kept: Vec<bool> = shards.iter().map(Option::is_some).collect();
    let lost = std::thread::scope(|scope| {
        // One shard waits while another is written and a third is filled.
        let (sender, receiver) = sync_channel(1);
        let (plan, shards, journal) = (&plan, &mut shards, &mut journal);
        let writer = scope.spawn(move || write_shards(plan, receiver, shards, journal, output, options.hash));
        let send = &mut |filled| {
            // The writer has ended only if it failed, and then says why.
            sender.send(filled).map_err(|_| ConvertError::Output { detail: "writing has ended".into() })
        };
        let lost = read_all(plan, &kept, source, send, progress);
        drop(sender);
        match writer.join() {
            Ok(written) => written.and(lost),
            Err(panic) => std::panic::resume_unwind(panic),
        }
    })?;

    let shards: Vec<Shard> = shards.into_iter().flatten().collect();
    let manifest = finish(checkpoint, &plan, &shards, output, options, &mark)?;
    let kept_shards = kept.iter().filter(|kept| **kept).count();
    Ok(Report::new(checkpoint, &plan, &manifest, &lost, kept_shards, options))
}

/// What is converted from, and into what: another source, another type or another size of shards have another mark.
fn mark(plan: &Plan, source: &dyn Source, options: &Options) -> Result<String, ConvertError> {
    let mut text = format!("{:?}\n", plan.parts).into_bytes();
    for target in &plan.targets {
        text.extend(format!("{} {} {:?}\n", target.name, target.dtype.name(), target.info).bytes());
        // Two fine-tunes of one model have the same shapes; what differs are the weights.
        if let Some(span) = target.info.stored.spans().first() {
            let start = span.offset + span.len / 2 / 4 * 4;
            let end = (span.offset + span.len).min(start + SAMPLE_BYTES);
            let read = source.read(span.file, start..end, &mut text);
            read.map_err(|detail| ConvertError::Source { detail })?;
        }
    }
    Ok(hex(&(options.hash)(&text)))
}

/// The shards that an earlier run has left whole.
fn kept(
    plan: &Plan,
    journal: &mut Journal,
    output: &dyn Output,
    hash: HashFn,
) -> Result<Vec<Option<Shard>>, ConvertError> {
    let mut shards = Vec::with_capacity(plan.shards);
    for shard in 0..plan.shards {
        let name = plan.shard_name(shard);
        let Some(claimed) = journal.hash_of(&name) else {
            shards.push(None);
            continue;
        };
        let bytes = read(output, &name)?.unwrap_or_default();
        if hex(&hash(&bytes)) == claimed {
            let (file, positions) = (ManifestFile::of(&name, &bytes, hash), positions(&bytes)?);
            shards.push(Some(Shard { file, positions }));
        } else {
            journal.forget(&name);
            shards.push(None);
        }
    }
    Ok(shards)
}

/// Reads what is not kept, tensor by tensor, and gives `send` the shards. What each tensor lost comes back.
fn read_all(
    plan: &Plan,
    kept: &[bool],
    source: &dyn Source,
    send: &mut dyn FnMut(Filled) -> Result<(), ConvertError>,
    progress: &mut dyn FnMut(Progress),
) -> Result<Vec<Lost>, ConvertError> {
    let total = plan.targets.iter().map(|target| target.info.stored_bytes()).fold(0, u64::saturating_add);
    let (mut filling, mut losses) = (Filling::new(plan, kept), Vec::with_capacity(plan.targets.len()));
    let mut before = 0u64;
    for (at, target) in plan.targets.iter().enumerate() {
        let mut lost = Lost::default();
        if !filling.has_all(at) {
            let mut done = 0u64;
            read_tensor(target, source, &mut |reader, span, bytes| {
                reader.push(span.file, span.offset, bytes, &mut |rows| {
                    filling.take(at, &rows, &mut lost, send)
                })?;
                done += bytes.len() as u64;
                progress(Progress { done: (before + done).min(total), total });
                Ok(())
            })?;
        }
        before += target.info.stored_bytes();
        progress(Progress { done: before, total });
        losses.push(lost);
    }
    Ok(losses)
}

type Push<'a> = dyn FnMut(&mut RowReader, format::Span, &[u8]) -> Result<(), ConvertError> + 'a;

/// Reads a tensor's bytes in the order in which they are wanted.
fn read_tensor(target: &Target, source: &dyn Source, push: &mut Push) -> Result<(), ConvertError> {
    let mut reader = RowReader::of_tensor(target.info);
    let mut bytes = Vec::new();
    while let Some(span) = reader.wants() {
        let end = span.offset.saturating_add(span.len.min(READ_BYTES));
        bytes.clear();
        source
            .read(span.file, span.offset..end, &mut bytes)
            .map_err(|detail| ConvertError::Source { detail })?;
        push(&mut reader, span, &bytes)?;
    }
    Ok(reader.finish()?)
}

/// Writes shards as they come, each whole before the journal says so.
fn write_shards(
    plan: &Plan,
    filled: Receiver<Filled>,
    shards: &mut [Option<Shard>],
    journal: &mut Journal,
    output: &dyn Output,
    hash: HashFn,
) -> Result<(), ConvertError> {
    for Filled { shard, arrays } in filled {
        let name = plan.shard_name(shard);
        let bytes = to_file(&name, &arrays)?;
        drop(arrays);
        // Hashing takes as long as the disk does, so both go on at once.
        let (file, written) = std::thread::scope(|scope| {
            let hashing = scope.spawn(|| ManifestFile::of(&name, &bytes, hash));
            let written = write_whole(output, &name, &bytes);
            (hashing.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)), written)
        });
        written?;
        let positions = positions(&bytes)?;
        journal.add(output, &name, hex(&file.sha256))?;
        if let Some(place) = shards.get_mut(shard) {
            *place = Some(Shard { file, positions });
        }
    }
    Ok(())
}

/// Writes all that is not weights, the manifest last, and removes what earlier runs have left.
fn finish(
    checkpoint: &Checkpoint,
    plan: &Plan,
    shards: &[Shard],
    output: &dyn Output,
    options: &Options,
    mark: &str,
) -> Result<Manifest, ConvertError> {
    let mut files = Vec::new();
    for (name, bytes) in small_files(checkpoint, &options.licences, &options.source) {
        write_whole(output, &name, &bytes)?;
        files.push(ManifestFile::of(&name, &bytes, options.hash));
    }
    let before = files.len();
    files.extend(shards.iter().map(|shard| shard.file.clone()));
    let tensors = plan.targets.iter().enumerate().map(|(at, target)| ManifestTensor {
        name: target.name.clone(),
        dtype: target.dtype.name().to_owned(),
        shape: [target.info.rows, target.info.columns],
        parts: parts(plan, at, shards, before),
    });
    let manifest = Manifest {
        name: checkpoint.name.clone(),
        licence: checkpoint.licence.clone(),
        built_with_llama: checkpoint.built_with_llama(),
        source: format!("{}, {mark}", options.source),
        tensors: tensors.collect(),
        files,
    };
    let failed = |detail| ConvertError::Output { detail };
    for name in output.names().map_err(failed)? {
        let is_shard = name.starts_with("model-") && name.ends_with(".safetensors");
        let is_ours = is_shard || name.ends_with(PART);
        if is_ours && manifest.file(&name).is_none() {
            output.remove(&name).map_err(failed)?;
        }
    }
    write_whole(output, MANIFEST, &manifest.to_bytes(options.hash))?;
    output.remove(JOURNAL).map_err(failed)?;
    Ok(manifest)
}

/// Where a tensor's parts have come to lie. `before` is how many files stand before the shards in the manifest.
fn parts(plan: &Plan, target: usize, shards: &[Shard], before: usize) -> Vec<LaidPart> {
    let name = plan.targets.get(target).map(|target| target.name.as_str()).unwrap_or_default();
    let parts = plan.parts_of(target).iter().filter_map(|part| {
        let positions = &shards.get(part.shard)?.positions;
        let words = positions.get(&words_name(name)).or_else(|| positions.get(name))?;
        let scales = positions.get(&scales_name(name)).copied();
        Some(LaidPart { file: before + part.shard, rows: part.rows, scales, words: *words })
    });
    parts.collect()
}
