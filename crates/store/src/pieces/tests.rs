//! Every call is made to fail, and to be the last one before a crash; the next visit must find the model whole or
//! resumable, and no visit may give out a wrong byte.

use std::pin::pin;
use std::task::{Context, Poll, Waker};

use super::*;
use crate::{Fault, MemorySource, MemoryStore, NoStore};

mod other_files;

const MODEL: &str = "https://host/model.gguf";
const PIECE: u64 = 8;
const COUNT: usize = 4;

/// Three whole pieces and one of five bytes, no two alike.
fn file() -> Vec<u8> {
    (0..29).map(|n| b'A' + n).collect()
}

fn hashes(file: &[u8]) -> Vec<Hash> {
    file.chunks(PIECE as usize).map(Hash::of).collect()
}

/// Runs until it ends or hangs. Nothing here waits for anything but a planned fault, so one poll is enough.
fn until_crash<F: Future>(future: F) -> Option<F::Output> {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(output) => Some(output),
        Poll::Pending => None,
    }
}

/// What a visit gave out, and why storing ended if it did.
type Visit<H> = Result<(Vec<Piece<H>>, Option<StoreError>), StoreError>;

async fn visit<S: Source, T: Store>(source: &S, store: &T, expected: &[Hash]) -> Visit<T::Held> {
    let mut pieces = Pieces::open_with(source, store, MODEL, expected, PIECE).await?;
    let mut given = Vec::new();
    while let Some(piece) = pieces.next(&mut |_| {}).await? {
        given.push(piece);
    }
    Ok((given, pieces.storage_failure().cloned()))
}

#[track_caller]
fn assert_given(given: &[Piece<Vec<u8>>], file: &[u8], what: &str) {
    let bytes: Vec<u8> = given.iter().flat_map(|piece| piece.bytes.clone()).collect();
    assert_eq!(bytes, file, "{what}");
    for (n, piece) in given.iter().enumerate() {
        assert_eq!((piece.index as usize, piece.offset), (n, n as u64 * PIECE), "{what}");
    }
}

/// A new visit, which must go well, fetch exactly what the record lacks, and leave nothing to fetch.
#[track_caller]
fn assert_heals(store: MemoryStore, what: &str) {
    let store = store.reopen();
    let record = until_crash(store.record(MODEL)).unwrap().unwrap();
    let missing = |index: usize| record.as_ref().is_none_or(|record| record.pieces[index].is_none());
    let source = MemorySource::new(file());
    let (given, failure) = until_crash(visit(&source, &store, &[])).unwrap().unwrap();
    assert_given(&given, &file(), what);
    assert_eq!(failure, None, "{what}");
    // A source that fetches to learn the size need not fetch what is stored.
    let next = (0..COUNT).find(|index| missing(*index)).map(|index| index as u64 * PIECE);
    assert_eq!(source.next(), next, "{what}: first byte wanted");
    for (n, piece) in given.iter().enumerate() {
        let expected = if missing(n) { Origin::Fetched } else { Origin::Stored };
        assert_eq!(piece.origin, expected, "{what}: piece {n}");
    }
    assert_stored(&store, &file(), what);
}

/// Another visit, which must ask the source for nothing.
#[track_caller]
fn assert_stored(store: &MemoryStore, file: &[u8], what: &str) {
    let unasked = MemorySource::new(Vec::new());
    let (given, failure) = until_crash(visit(&unasked, store, &[])).unwrap().unwrap();
    assert_given(&given, file, what);
    assert_eq!((unasked.calls(), failure), (0, None), "{what}");
}

fn stored() -> MemoryStore {
    let store = MemoryStore::new();
    until_crash(visit(&MemorySource::new(file()), &store, &[])).unwrap().unwrap();
    store.reopen()
}

fn broken() -> StoreError {
    StoreError::Storage { detail: "planned".into() }
}

#[test]
fn a_first_visit_fetches_each_byte_once() {
    let (source, store) = (MemorySource::new(file()), MemoryStore::new());
    let (given, failure) = until_crash(visit(&source, &store, &hashes(&file()))).unwrap().unwrap();
    assert_given(&given, &file(), "first visit");
    assert_eq!(failure, None);
    assert_eq!(source.reads(), [0..8, 8..16, 16..24, 24..29]);
    assert_stored(&store, &file(), "second visit");
}

/// Every store call in turn, of a first visit and of one that begins anew.
#[test]
fn any_store_call_may_fail_or_be_the_last() {
    let calls = || (MemoryStore::new(), other_file_stored());
    let clean = |store: MemoryStore| {
        until_crash(visit(&MemorySource::new(file()), &store, &[])).unwrap().unwrap();
        store.calls()
    };
    let (first, anew) = calls();
    // Record, forget (2), and for each piece the bytes and the record.
    assert_eq!((clean(first), clean(anew)), (3 + 2 * COUNT as u32, 3 + 2 * COUNT as u32));
    for call in 0..3 + 2 * COUNT as u32 {
        for fault in [Fault::Fail(broken()), Fault::HangBefore, Fault::HangAfter] {
            let (first, anew) = calls();
            for (store, which) in [(first, "first"), (anew, "anew")] {
                let what = format!("{which} visit, store call {call}: {fault:?}");
                store.plan(call, fault.clone());
                let visited = until_crash(visit(&MemorySource::new(file()), &store, &[]));
                match (&fault, visited) {
                    (Fault::Fail(_), Some(Ok((given, failure)))) => {
                        assert_given(&given, &file(), &what);
                        assert_eq!(failure, Some(broken()), "{what}");
                    }
                    (Fault::HangBefore | Fault::HangAfter, None) => {}
                    (_, visited) => panic!("{what}: {visited:?}"),
                }
                let healed = match which {
                    "first" => store,
                    _ => without_other_record(store),
                };
                assert_heals(healed, &what);
            }
        }
    }
}

/// A store with a whole model of the same address, but longer.
fn other_file_stored() -> MemoryStore {
    let store = MemoryStore::new();
    let long = MemorySource::new(vec![b'x'; 40]).with_version("old");
    until_crash(visit(&long, &store, &[])).unwrap().unwrap();
    // One piece is missing, so that the source is asked and the change noticed.
    let mut record = until_crash(store.record(MODEL)).unwrap().unwrap().unwrap();
    record.pieces[2] = None;
    until_crash(store.keep_record(MODEL, &record)).unwrap().unwrap();
    store.reopen()
}

/// If the crash came before the old record was gone, one more visit must still begin anew.
fn without_other_record(store: MemoryStore) -> MemoryStore {
    let store = store.reopen();
    let record = until_crash(store.record(MODEL)).unwrap().unwrap();
    if record.is_some_and(|record| record.size == 40) {
        until_crash(visit(&MemorySource::new(file()), &store, &[])).unwrap().unwrap();
    }
    store
}

#[test]
fn any_source_call_may_be_the_last() {
    let missing = StoreError::NotFound { name: "memory".into(), status: 404 };
    for call in 0..=COUNT as u32 {
        for fault in [Fault::Fail(missing.clone()), Fault::HangBefore] {
            let what = format!("source call {call}: {fault:?}");
            let (source, store) = (MemorySource::new(file()), MemoryStore::new());
            source.plan(call, fault.clone());
            match (&fault, until_crash(visit(&source, &store, &[]))) {
                (Fault::Fail(_), Some(Err(error))) => assert_eq!(error, missing, "{what}"),
                (Fault::HangBefore, None) => {}
                (_, visited) => panic!("{what}: {visited:?}"),
            }
            assert_eq!(store.piece_count() as u32, call.saturating_sub(1), "{what}");
            assert_heals(store, &what);
        }
    }
}

#[test]
fn a_cut_connection_costs_no_byte() {
    for call in 1..=COUNT as u32 {
        for came in 0..PIECE {
            for fault in [Fault::CutAfter(came), Fault::EndAfter(came)] {
                let what = format!("source call {call}: {fault:?}");
                let (source, store) = (MemorySource::new(file()), MemoryStore::new());
                source.plan(call, fault);
                let (given, _) = until_crash(visit(&source, &store, &[])).unwrap().unwrap();
                assert_given(&given, &file(), &what);
                let fetched: u64 = source.reads().iter().map(|read| read.end - read.start).sum();
                assert_eq!(fetched, 29, "{what}");
            }
        }
    }
}

#[test]
fn storage_and_connection_may_fail_in_one_visit() {
    for store_call in 0..3 + 2 * COUNT as u32 {
        for source_call in 0..=COUNT as u32 {
            let what = format!("store call {store_call}, source call {source_call}");
            let (source, store) = (MemorySource::new(file()), MemoryStore::new());
            store.plan(store_call, Fault::Fail(broken()));
            let unreachable =
                StoreError::Unreachable { name: "memory".into(), detail: "planned".into(), advice: "Wait." };
            source.plan(source_call, Fault::Fail(unreachable));
            let (given, failure) = until_crash(visit(&source, &store, &[])).unwrap().unwrap();
            assert_given(&given, &file(), &what);
            assert_eq!(failure, Some(broken()), "{what}");
            assert_heals(store, &what);
        }
    }
}

#[test]
fn a_wrong_hash_is_fetched_once_more() {
    let published = hashes(&file());
    for piece in 0..COUNT as u32 {
        let (source, store) = (MemorySource::new(file()), MemoryStore::new());
        source.plan(piece + 1, Fault::Corrupt);
        let (given, _) = until_crash(visit(&source, &store, &published)).unwrap().unwrap();
        assert_given(&given, &file(), "corrupt once");
        assert_eq!(source.calls() as usize, 1 + COUNT + 1, "piece {piece}");

        let (source, store) = (MemorySource::new(file()), MemoryStore::new());
        source.plan(piece + 1, Fault::Corrupt);
        source.plan(piece + 2, Fault::Corrupt);
        let mut damaged = file().chunks(PIECE as usize).nth(piece as usize).unwrap().to_vec();
        *damaged.last_mut().unwrap() ^= 1;
        let (name, expected) = ("memory".into(), published[piece as usize]);
        let mismatch = StoreError::HashMismatch { name, piece, expected, found: Hash::of(&damaged) };
        assert_eq!(until_crash(visit(&source, &store, &published)), Some(Err(mismatch)), "piece {piece}");
        assert_eq!(store.piece_count(), piece as usize);
        assert_heals(store, "corrupt twice");
    }
}

#[test]
fn a_damaged_piece_is_fetched_again() {
    type Damage = fn(&MemoryStore, u32);
    let damages: [(&str, Damage); 5] = [
        ("flipped", |store, n| store.damage(MODEL, n, |bytes| bytes[3] ^= 0x40)),
        ("shorter", |store, n| store.damage(MODEL, n, |bytes| bytes.truncate(bytes.len() - 1))),
        ("longer", |store, n| store.damage(MODEL, n, |bytes| bytes.push(0))),
        ("lost", |store, n| store.lose(MODEL, n)),
        // Calls of this visit: the record, then a piece each.
        ("unreadable", |store, n| store.plan(1 + n, Fault::Fail(broken()))),
    ];
    for (what, damage) in damages {
        for piece in 0..COUNT as u32 {
            let (source, store) = (MemorySource::new(file()), stored());
            damage(&store, piece);
            let (given, failure) = until_crash(visit(&source, &store, &[])).unwrap().unwrap();
            assert_given(&given, &file(), what);
            assert_eq!(failure, None, "{what}");
            let range = u64::from(piece) * PIECE..29.min(u64::from(piece + 1) * PIECE);
            assert_eq!((source.calls(), source.reads()), (1, vec![range]), "{what}");
            assert_stored(&store, &file(), what);
        }
    }
}

#[test]
fn a_full_store_costs_only_the_next_visit() {
    for quota in 0..29 {
        let (source, store) = (MemorySource::new(file()), MemoryStore::with_quota(quota));
        let (given, failure) = until_crash(visit(&source, &store, &[])).unwrap().unwrap();
        assert_given(&given, &file(), "full");
        assert!(matches!(failure, Some(StoreError::Quota { .. })), "{quota}: {failure:?}");
        assert_eq!(store.piece_count() as u64, quota / PIECE);
        let again = MemorySource::new(file());
        let (given, _) = until_crash(visit(&again, &store, &[])).unwrap().unwrap();
        assert_given(&given, &file(), "full again");
        assert_eq!(again.reads().len() as u64, COUNT as u64 - quota / PIECE);
    }
}

#[test]
fn a_damaged_record_is_written_anew() {
    let store = stored();
    store.damage_record(MODEL, |bytes| bytes[20] ^= 1);
    let source = MemorySource::new(file());
    let (given, failure) = until_crash(visit(&source, &store, &[])).unwrap().unwrap();
    assert_given(&given, &file(), "damaged record");
    assert_eq!((failure, source.calls() as usize), (None, 1 + COUNT));
    assert_stored(&store, &file(), "damaged record");
}

#[test]
fn a_record_that_can_not_be_read_is_left_alone() {
    let store = stored();
    store.plan(0, Fault::Fail(broken()));
    let (given, failure) = until_crash(visit(&MemorySource::new(file()), &store, &[])).unwrap().unwrap();
    assert_given(&given, &file(), "unreadable record");
    assert_eq!((failure, store.calls()), (Some(broken()), 1));
    assert_stored(&store, &file(), "unreadable record");
}

#[test]
fn stopping_in_a_piece_and_going_on_loses_nothing() {
    for call in 1..=COUNT as u32 {
        let (source, store) = (MemorySource::new(file()), MemoryStore::new());
        source.plan(call, Fault::HangAfter);
        let mut pieces = until_crash(Pieces::open_with(&source, &store, MODEL, &[], PIECE)).unwrap().unwrap();
        let (mut given, mut stops) = (Vec::new(), 0);
        loop {
            match until_crash(pieces.next(&mut |_| {})) {
                None => stops += 1,
                Some(Ok(Some(piece))) => given.push(piece),
                Some(Ok(None)) => break,
                Some(Err(error)) => panic!("{error}"),
            }
        }
        assert_eq!(stops, 1);
        assert_given(&given, &file(), "stopped");
        assert_stored(&store, &file(), "stopped");
    }
}

#[test]
fn a_local_file_is_only_read() {
    let source = MemorySource::new(file());
    let (given, failure) = until_crash(visit(&source, &NoStore, &[])).unwrap().unwrap();
    assert_given(&given, &file(), "no store");
    assert_eq!((failure, source.calls() as usize), (None, 1 + COUNT));
    // Its hashes are compared all the same, if there are any.
    let mut wrong = hashes(&file());
    wrong[1] = Hash::of(b"other");
    let error = until_crash(visit(&MemorySource::new(file()), &NoStore, &wrong)).unwrap().unwrap_err();
    assert!(matches!(error, StoreError::HashMismatch { piece: 1, .. }), "{error}");
}

#[test]
fn progress_counts_what_is_there_and_what_came() {
    let (source, store) = (MemorySource::new(file()), stored());
    store.lose(MODEL, 1);
    source.plan(0, Fault::CutAfter(3));
    let mut pieces = until_crash(Pieces::open_with(&source, &store, MODEL, &[], PIECE)).unwrap().unwrap();
    assert_eq!(pieces.size(), 29);
    let mut seen = Vec::new();
    while until_crash(pieces.next(&mut |progress| {
        assert_eq!(progress.total, 29);
        seen.push((progress.done, progress.fetched));
    }))
    .unwrap()
    .unwrap()
    .is_some()
    {}
    assert_eq!(seen, [(8, 0), (11, 3), (16, 8), (16, 8), (24, 8), (29, 8)]);
}

#[test]
fn an_empty_file_has_no_pieces() {
    let (source, store) = (MemorySource::new(Vec::new()), MemoryStore::new());
    assert_eq!(until_crash(visit(&source, &store, &[])), Some(Ok((vec![], None))));
}

#[test]
fn a_web_page_is_not_stored() {
    let (source, store) =
        (MemorySource::new(b" <!doctype html><title>Log in</title>".to_vec()), MemoryStore::new());
    // The first piece is long enough to tell here, as every real one is.
    let mut pieces = until_crash(Pieces::open(&source, &store, MODEL, &[])).unwrap().unwrap();
    let error = until_crash(pieces.next(&mut |_| {})).unwrap().unwrap_err();
    assert!(matches!(error, StoreError::NotAModel { found: "a web page", .. }), "{error}");
    assert_eq!(store.piece_count(), 0);
}

#[test]
fn hashes_of_another_file_are_noticed_at_once() {
    for hashes in [COUNT - 1, COUNT + 1] {
        let list = vec![Hash::of(b""); hashes];
        let source = MemorySource::new(file());
        let expected = StoreError::HashCount { name: "memory".into(), pieces: COUNT as u64, hashes };
        assert_eq!(until_crash(visit(&source, &MemoryStore::new(), &list)), Some(Err(expected)));
        assert_eq!(source.calls(), 1);
    }
}

#[test]
fn pieces_may_be_read_in_any_order() {
    let (source, store) = (MemorySource::new(file()), MemoryStore::new());
    let read = async {
        let mut pieces = Pieces::open_with(&source, &store, MODEL, &hashes(&file()), PIECE).await?;
        let mut given = Vec::new();
        for index in [3, 0, 0, 2] {
            given.push(pieces.piece(index, &mut |_| {}).await?);
        }
        let none = pieces.piece(4, &mut |_| {}).await;
        assert!(matches!(none, Err(StoreError::WrongRange { .. })), "{none:?}");
        Ok::<_, StoreError>((given, pieces.next(&mut |_| {}).await?))
    };
    let (given, next) = until_crash(read).unwrap().unwrap();
    let file = file();
    let chunks: Vec<&[u8]> = file.chunks(PIECE as usize).collect();
    let bytes: Vec<&[u8]> = given.iter().map(|piece| piece.bytes.as_slice()).collect();
    assert_eq!(bytes, [chunks[3], chunks[0], chunks[0], chunks[2]]);
    let origins: Vec<Origin> = given.iter().map(|piece| piece.origin).collect();
    assert_eq!(origins, [Origin::Fetched, Origin::Fetched, Origin::Stored, Origin::Fetched]);
    // In order it goes on from the beginning.
    assert_eq!(next.map(|piece| piece.index), Some(0));
}
