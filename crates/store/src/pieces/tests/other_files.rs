//! Sources whose file is not the one that was stored, or changes while it is read.

use std::cell::Cell;

use super::*;

#[test]
fn a_piece_that_can_only_be_had_from_another_file_begins_anew() {
    let changed: Vec<u8> = file().iter().map(|byte| byte + 1).collect();
    for now in [changed, file()[..20].to_vec()] {
        let (source, store) = (MemorySource::new(now.clone()), stored());
        store.lose(MODEL, 2);
        if now.len() < 29 {
            // As `http::Answer` says it of a range past the end.
            let (name, expected) = ("memory".into(), "at least 24 bytes".into());
            source.plan(0, Fault::Fail(StoreError::Changed { name, expected, found: "20 bytes".into() }));
        }
        let error = until_crash(visit(&source, &store, &[])).unwrap().unwrap_err();
        assert!(matches!(error, StoreError::Changed { .. }), "{error}");
        assert_eq!(store.piece_count(), 0);
        let (given, _) = until_crash(visit(&source, &store, &[])).unwrap().unwrap();
        assert_given(&given, &now, "after the change");
        assert_stored(&store, &now, "after the change");
    }
}

/// What was stored of one file must not be given out, nor counted, as a part of another.
#[test]
fn another_file_at_the_same_address_begins_anew() {
    let same_size: Vec<u8> = file().iter().map(|byte| byte + 1).collect();
    let longer = [file(), b"more".to_vec()].concat();
    let rows = [
        ("the same file goes on", Some("1"), file(), Some("1"), 2),
        ("no version now", Some("1"), file(), None, 2),
        ("no version then", None, file(), Some("1"), 2),
        ("another version", Some("1"), same_size.clone(), Some("2"), 0),
        ("another size", None, longer.clone(), None, 0),
        ("another size, same version", Some("1"), longer, Some("1"), 0),
    ];
    for (what, version_then, now, version_now, kept) in rows {
        let source = |bytes, version: Option<&str>| match version {
            None => MemorySource::new(bytes),
            Some(version) => MemorySource::new(bytes).with_version(version),
        };
        let store = MemoryStore::new();
        let then = source(file(), version_then);
        then.plan(3, Fault::HangBefore);
        assert_eq!(until_crash(visit(&then, &store, &[])), None, "{what}");
        assert_eq!(store.piece_count(), 2, "{what}");
        let source = source(now.clone(), version_now);
        let (given, _) = until_crash(visit(&source, &store, &[])).unwrap().unwrap();
        assert_given(&given, &now, what);
        let from_store = given.iter().filter(|piece| piece.origin == Origin::Stored).count();
        assert_eq!(from_store, kept, "{what}");
        assert_stored(&store, &now, what);
    }
    // A new list of hashes for a file that is whole here: only the list can tell.
    let (source, store) = (MemorySource::new(same_size.clone()), stored());
    let (given, _) = until_crash(visit(&source, &store, &hashes(&same_size))).unwrap().unwrap();
    assert_given(&given, &same_size, "new hashes");
}

/// A source of any size, whose version changes while it is read.
struct Odd {
    file: MemorySource,
    size: u64,
    reads: Cell<u32>,
    changes_at: u32,
    known_from: u32,
}

impl Source for Odd {
    fn name(&self) -> &str {
        "odd"
    }

    async fn size(&self, _next: u64) -> Result<u64, StoreError> {
        Ok(self.size)
    }

    async fn read(
        &self,
        range: Range<u64>,
        into: &mut Vec<u8>,
        arrived: &mut dyn FnMut(u64),
    ) -> Result<(), StoreError> {
        self.reads.set(self.reads.get() + 1);
        self.file.read(range, into, arrived).await
    }

    async fn pause(&self, _milliseconds: u32) {}

    fn version(&self) -> Option<String> {
        if self.reads.get() < self.known_from {
            return None;
        }
        Some(if self.reads.get() < self.changes_at { "1" } else { "2" }.into())
    }
}

#[test]
fn two_versions_are_never_mixed() {
    for changes_at in 1..=COUNT as u32 {
        let store = MemoryStore::new();
        let source =
            Odd { file: MemorySource::new(file()), size: 29, reads: Cell::new(0), changes_at, known_from: 0 };
        let error = until_crash(visit(&source, &store, &[])).unwrap().unwrap_err();
        let (expected, found) = ("version 1".into(), "version 2".into());
        assert_eq!(error, StoreError::Changed { name: "odd".into(), expected, found });
        let (given, _) = until_crash(visit(&source, &store, &[])).unwrap().unwrap();
        assert!(given.iter().all(|piece| piece.origin == Origin::Fetched));
        assert_given(&given, &file(), "the new version");
    }
}

/// Some hosts tell the version only with the bytes.
#[test]
fn a_version_learnt_late_is_recorded_and_compared() {
    let source = |changes_at, file: Vec<u8>| Odd {
        size: 29,
        file: MemorySource::new(file),
        reads: Cell::new(0),
        changes_at,
        known_from: 1,
    };
    let changing = source(2, file());
    let error = until_crash(visit(&changing, &MemoryStore::new(), &[])).unwrap().unwrap_err();
    assert!(matches!(error, StoreError::Changed { .. }), "{error}");

    let (store, first) = (MemoryStore::new(), source(u32::MAX, file()));
    first.file.plan(2, Fault::HangBefore);
    assert_eq!(until_crash(visit(&first, &store, &[])), None);
    let changed: Vec<u8> = file().iter().map(|byte| byte + 1).collect();
    let second = MemorySource::new(changed.clone()).with_version("2");
    let (given, _) = until_crash(visit(&second, &store, &[])).unwrap().unwrap();
    assert_given(&given, &changed, "another version than the one learnt late");
}

#[test]
fn a_size_beyond_reason_is_refused() {
    for size in [MAX_SIZE + 1, u64::MAX] {
        let source =
            Odd { file: MemorySource::default(), size, reads: Cell::new(0), changes_at: 0, known_from: 0 };
        let opened = until_crash(Pieces::open(&source, &NoStore, MODEL, &[])).unwrap();
        let expected = StoreError::TooLarge { name: "odd".into(), size, limit: MAX_SIZE };
        assert_eq!(opened.map(|pieces| pieces.size()), Err(expected));
    }
}
