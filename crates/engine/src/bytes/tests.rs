//! What is asked for while bytes are used, and how many of them are used at once.

use std::task::{Context, Waker};

use pollster::block_on;
use store::{MemoryFiles, MemoryStore, NoStore};

use super::*;

/// What it was given: of which file, from which byte on, how many.
#[derive(Default)]
struct Notes {
    given: Vec<(usize, u64, usize)>,
    wants: Option<Span>,
}

impl Take for Notes {
    fn wants(&self) -> Option<Span> {
        self.wants
    }

    fn push(&mut self, file: usize, offset: u64, bytes: &[u8]) -> Result<(), EngineError> {
        self.given.push((file, offset, bytes.len()));
        let came = bytes.len() as u64;
        let rest = self.wants.map(|Span { file, offset, len }| Span {
            file,
            offset: offset + came,
            len: len - came,
        });
        self.wants = rest.filter(|span| span.len > 0);
        Ok(())
    }
}

fn files(names: &[String], size: usize) -> MemoryFiles {
    names.iter().fold(MemoryFiles::new(), |files, name| files.with(name, vec![7; size]))
}

fn names<const N: usize>(names: [&str; N]) -> [String; N] {
    names.map(str::to_owned)
}

/// Of three files of one piece each, the second is on its way while the first is used, and the third is not.
#[test]
fn the_next_piece_comes_meanwhile_whichever_file_it_is_of() {
    let names = names(["a", "b", "c"]);
    let files = files(&names, 10);
    let asked = || names.each_ref().map(|name| files.source(name).unwrap().reads().len());
    let on_progress = &mut |_| {};
    let mut bytes = Bytes::new(Origin { files: &files, store: &NoStore }, Reporter::new(on_progress));
    let (gate, mut notes) = (bytes.gate(), Notes::default());
    gate.shut();
    let mut pass = Box::pin(bytes.in_order(&names, &[10; 3], &mut notes));
    assert!(pass.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
    assert_eq!(asked(), [1, 1, 0]);
    gate.open();
    block_on(pass).unwrap();
    assert_eq!((asked(), notes.given), ([1; 3], vec![(0, 0, 10), (1, 0, 10), (2, 0, 10)]));
}

/// What is written at the end keeps an answer waiting.
#[test]
fn the_list_of_files_is_written_where_it_is_new() {
    let check = |known: Option<&[&str]>, found: Option<&[&str]>, calls: u32| {
        let [known, found] =
            [known, found].map(|list| list.map(|names| names.iter().map(|name| name.to_string()).collect()));
        let (files, store, on_progress) = (MemoryFiles::new(), MemoryStore::new(), &mut |_| {});
        let mut bytes = Bytes::new(Origin { files: &files, store: &store }, Reporter::new(on_progress));
        bytes.beside = Beside { known, found };
        assert_eq!(block_on(bytes.finish()), None);
        assert_eq!(store.calls(), calls);
    };
    check(None, None, 0);
    check(None, Some(&["a", "b"]), 2);
    check(Some(&["a", "b"]), Some(&["a", "b"]), 0);
    check(Some(&["a"]), Some(&["a", "b"]), 2);
}

/// A piece may wait in memory that is not ours, and what is copied from there stays small.
#[test]
fn no_more_than_a_slice_is_used_at_once() {
    const MIB: usize = 1 << 20;
    let (names, size) = (names(["a"]), 2 * MIB + 5);
    let check = |wants: Option<Span>, expected: &[(usize, u64, usize)]| {
        let files = files(&names, size);
        let on_progress = &mut |_| {};
        let mut bytes = Bytes::new(Origin { files: &files, store: &NoStore }, Reporter::new(on_progress));
        let (sizes, mut notes) = ([size as u64], Notes { wants, ..Notes::default() });
        match wants {
            None => block_on(bytes.in_order(&names, &sizes, &mut notes))?,
            Some(_) => block_on(bytes.as_wanted(&names, &sizes, &mut notes))?,
        }
        assert_eq!(notes.given, expected, "{wants:?}");
        Ok::<_, EngineError>(())
    };
    let span = |offset, len| Some(Span { file: 0, offset, len });
    let mib = MIB as u64;
    check(None, &[(0, 0, MIB), (0, mib, MIB), (0, 2 * mib, 5)]).unwrap();
    check(span(3, 2), &[(0, 3, 2)]).unwrap();
    check(span(7, mib + 1), &[(0, 7, MIB), (0, mib + 7, 1)]).unwrap();
    // A file that became shorter than its header says.
    for past in [span(2 * mib, 6), span(2 * mib + 5, 1), span(2 * mib + 9, 1)] {
        let refused = check(past, &[]);
        assert!(matches!(refused, Err(EngineError::Store(StoreError::Cut { .. }))), "{past:?}: {refused:?}");
    }
}
