//! The corpus of every reader, and some thousand seeded changes to it: whatever comes out, nothing panics, memory stays
//! within what the bytes' own number justifies, and what is refused is refused with a sentence.
//!
//! `PRONK_FUZZ_CORPUS=fuzz/corpus cargo test -p readers` writes the corpus for `cargo fuzz`.
#![expect(clippy::unwrap_used, reason = "this is a test")]

mod corpus;
#[path = "../../../format/tests/mutations/counting.rs"]
mod counting;
#[path = "../../../format/tests/mutations/damage.rs"]
mod damage;
#[expect(dead_code, reason = "not all of it is damaged here")]
#[path = "../../../format/tests/files/writer.rs"]
mod gguf_writer;
#[expect(dead_code, reason = "only the files of weights are written here")]
#[path = "../../../format/tests/hub/writer.rs"]
mod hub_writer;
#[path = "../../../format/tests/pth/writer.rs"]
mod pth_writer;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

use corpus::Case;
use counting::peak_of;
use damage::{Random, mutate_numbers, mutate_text};
use readers::{Kind, READERS, Reader, fuzz};

/// Changed cases for each reader. All readers together take some seconds.
const ROUNDS: u64 = 4000;

/// What an earlier fuzzing found, a file for each, in a folder for each reader.
const FOUND: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/short_run/found");

/// Reads, and fails with `case` if memory was not bounded or anything panicked; what it says otherwise.
fn check(reader: &Reader, case: &str, bytes: &[u8]) -> String {
    let (said, peak) = peak_of(|| {
        let said = catch_unwind(AssertUnwindSafe(|| fuzz(reader.read, bytes)));
        said.map(|said| said.err().map_or_else(String::new, |refusal| refusal.to_string()))
    });
    let said = said.unwrap_or_else(|_| {
        let start = &bytes[..bytes.len().min(2000)];
        panic!("{}, {case}: it panicked, of {}", reader.name, start.escape_ascii())
    });
    let (len, most) = (bytes.len(), reader.budget.of(bytes.len()));
    assert!(
        peak <= most,
        "{}, {case}: {peak} bytes allocated for {len}, at most {most} expected",
        reader.name
    );
    said
}

#[test]
fn every_case_says_what_it_should() {
    let mut wrong = Vec::new();
    for reader in READERS {
        for Case { name, bytes, says } in corpus::of(reader) {
            let said = check(reader, name, &bytes);
            if said.is_empty() != says.is_empty() || !said.contains(says) {
                wrong.push(format!("{}, {name}:\n     got: {said}\nexpected: {says}", reader.name));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn what_was_found_once_stays_mended() {
    for reader in READERS {
        for path in files_of(&Path::new(FOUND).join(reader.name)) {
            let name = path.display().to_string();
            check(reader, &name, &std::fs::read(&path).unwrap());
        }
    }
}

#[test]
fn nothing_panics_and_memory_is_bounded() {
    for reader in READERS {
        let started = std::time::Instant::now();
        let corpus = corpus::of(reader);
        let (mut fine, mut refused) = (0, 0);
        for seed in 0..ROUNDS {
            let bytes = changed(reader.kind, &corpus, seed);
            let said = check(reader, &format!("seed {seed}"), &bytes);
            if said.is_empty() { fine += 1 } else { refused += 1 }
        }
        println!("{:24} {fine:5} fine {refused:5} refused {:?}", reader.name, started.elapsed());
    }
}

/// A case with parts changed, or the beginning of one and the end of another.
fn changed(kind: Kind, corpus: &[Case], seed: u64) -> Vec<u8> {
    let mut random = Random(seed);
    // The first is healthy: what comes of it goes deepest.
    let mut any = || &corpus[random.below(corpus.len()) * random.below(2)].bytes;
    let (first, second) = (any(), any());
    if random.below(8) == 0 {
        let [at, from] = [first, second].map(|bytes| random.below(bytes.len() + 1));
        return [&first[..at], &second[from..]].concat();
    }
    match kind {
        Kind::Text => mutate_text(first, &mut random),
        // Shorter ones have no number to change.
        Kind::Numbers if first.len() < 16 => mutate_text(first, &mut random),
        Kind::Numbers => mutate_numbers(first, header_len(first), &mut random),
    }
}

/// Damage goes where numbers mean something: zeros at the end are a tensor's.
fn header_len(bytes: &[u8]) -> usize {
    let zeros = bytes.iter().rev().take_while(|byte| **byte == 0).count();
    (bytes.len() - zeros).clamp(1, bytes.len() - 8)
}

#[test]
fn the_corpus_is_written_where_it_is_wanted() {
    let Some(folder) = std::env::var_os("PRONK_FUZZ_CORPUS") else { return };
    for reader in READERS {
        // Tests run in their crate's folder.
        let folder = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../..")).join(&folder).join(reader.name);
        std::fs::create_dir_all(&folder).unwrap();
        for (number, case) in corpus::of(reader).iter().enumerate() {
            std::fs::write(folder.join(format!("case-{number:03}")), &case.bytes).unwrap();
        }
        for path in files_of(&Path::new(FOUND).join(reader.name)) {
            std::fs::copy(&path, folder.join(path.file_name().unwrap())).unwrap();
        }
    }
}

fn files_of(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).into_iter().flatten();
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files
}

/// A reader without a target would not be fuzzed, and a target without a reader not be tested.
#[test]
fn every_reader_has_its_target() {
    let targets = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../../fuzz/fuzz_targets"));
    let names = files_of(targets).into_iter().map(|path| path.file_stem().unwrap().display().to_string());
    let mut expected: Vec<String> = READERS.iter().map(|reader| reader.name.to_owned()).collect();
    expected.sort();
    assert_eq!(names.collect::<Vec<_>>(), expected);
}
