//! What is done while bytes are on their way.

use std::cell::Cell;
use std::future::poll_fn;
use std::ops::Range;
use std::task::Poll;

use gpu::TierChoice;
use llama::KvType;
use pollster::block_on;
use store::{MemoryFiles, MemorySource, NoStore, Source, StoreError};

use super::*;
use crate::read_header;

const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/golden/tiny-llama-3.1");
const FIRST: &str = "model-00001-of-00002.safetensors";
const LAST: &str = "model-00002-of-00002.safetensors";

/// Looks at whether something has happened, before it is taken for something that will not.
const LOOKS: u32 = 100;

/// A tiny model in two files, of one piece each.
fn hub() -> MemoryFiles {
    let names = ["config.json", "model.safetensors.index.json", FIRST, LAST];
    let read = |name| std::fs::read(format!("{FOLDER}/{name}")).unwrap();
    names.into_iter().fold(MemoryFiles::new(), |files, name| files.with(name, read(name)))
}

/// Files of which the last comes only once something has happened.
struct Hesitant<'a> {
    files: MemoryFiles,
    has_happened: &'a dyn Fn() -> bool,
}

struct HesitantSource<'a> {
    source: &'a MemorySource,
    /// None if it comes at once.
    has_happened: Option<&'a dyn Fn() -> bool>,
}

impl Files for Hesitant<'_> {
    type Source<'a>
        = HesitantSource<'a>
    where
        Self: 'a;

    fn name(&self) -> &str {
        self.files.name()
    }

    fn named(&self) -> Option<&str> {
        None
    }

    async fn open(&self, name: &str) -> Result<HesitantSource<'_>, StoreError> {
        let has_happened = (name == LAST).then_some(self.has_happened);
        Ok(HesitantSource { source: self.files.open(name).await?, has_happened })
    }

    fn key(&self, name: &str) -> String {
        self.files.key(name)
    }
}

impl Source for HesitantSource<'_> {
    fn name(&self) -> &str {
        self.source.name()
    }

    async fn size(&self, next: u64) -> Result<u64, StoreError> {
        self.source.size(next).await
    }

    async fn read(
        &self,
        range: Range<u64>,
        into: &mut Vec<u8>,
        arrived: &mut dyn FnMut(u64),
    ) -> Result<(), StoreError> {
        if let Some(has_happened) = self.has_happened {
            seen(has_happened).await?;
        }
        self.source.read(range, into, arrived).await
    }

    async fn pause(&self, milliseconds: u32) {
        self.source.pause(milliseconds).await;
    }

    fn version(&self) -> Option<String> {
        None
    }
}

/// Lets others run until something has happened, and fails if that takes too long.
async fn seen(has_happened: &dyn Fn() -> bool) -> Result<(), StoreError> {
    let looks = Cell::new(0);
    let look = poll_fn(|context| {
        looks.set(looks.get() + 1);
        if has_happened() || looks.get() > LOOKS {
            return Poll::Ready(());
        }
        context.waker().wake_by_ref();
        Poll::Pending
    });
    look.await;
    match looks.get() > LOOKS {
        true => Err(StoreError::Storage { detail: "it has not happened".to_owned() }),
        false => Ok(()),
    }
}

/// All that a forward pass needs is there before the last piece is, and not before the first was asked for.
#[test]
fn kernels_are_compiled_while_pieces_are_on_their_way() {
    let header = block_on(read_header(Origin { files: &hub(), store: &NoStore })).unwrap();
    let options = Options { context: 64, chunk: 8, kv: KvType::F32 };
    let vacancy = || {
        let gpu = block_on(Gpu::request(TierChoice::Plain)).unwrap();
        block_on(Vacancy::new(gpu, &header.checkpoint, options)).unwrap()
    };
    let objects = |vacancy: &Vacancy| vacancy.gpu().counts().objects_created;
    let usual = Sampling { temperature: 0.6, ..Sampling::default() };
    let other = vacancy();
    let room = objects(&other);
    block_on(other.forward(&usual)).unwrap();
    let all = objects(&other);
    assert!(all > room);

    let vacancy = vacancy();
    let has_all = || objects(&vacancy) == all;
    let files = Hesitant { files: hub(), has_happened: &has_all };
    let origin = Origin { files: &files, store: &NoStore };
    let on_progress = &mut |_| {};
    let mut bytes = Bytes::new(origin, Reporter::new(on_progress));
    let tune = async |_: &Gpu| {
        assert!(!files.files.source(FIRST).unwrap().reads().is_empty());
        assert_eq!(objects(&vacancy), room);
    };
    block_on(fill(&vacancy, &header.checkpoint, &header.files, &mut bytes, &usual, tune)).unwrap();
}
