//! What is asked for while bytes are used.

use std::task::{Context, Waker};

use pollster::block_on;
use store::{MemoryFiles, NoStore};

use super::*;

/// Notes which files it is given bytes of.
#[derive(Default)]
struct Notes(Vec<usize>);

impl Take for Notes {
    fn wants(&self) -> Option<Span> {
        None
    }

    fn push(&mut self, file: usize, _offset: u64, _bytes: &[u8]) -> Result<(), EngineError> {
        self.0.push(file);
        Ok(())
    }
}

/// Of three files of one piece each, the second is on its way while the first is used, and the third is not.
#[test]
fn the_next_piece_comes_meanwhile_whichever_file_it_is_of() {
    let names = ["a", "b", "c"].map(str::to_owned);
    let files = names.iter().fold(MemoryFiles::new(), |files, name| files.with(name, vec![7; 10]));
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
    assert_eq!((asked(), notes.0), ([1; 3], vec![0, 1, 2]));
}
