//! Containers as folders of our own.

use convert::{MemoryOutput, MemorySource, Options, convert};
use engine::{Origin, read_header};
use format::Quant;
use pollster::block_on;
use store::{Hash, NoStore};

use crate::Container;

/// So small that matrices go on from shard to shard.
const SHARD_SIZE: u64 = 100_000;

/// What `pronk convert` makes of a container; without `quant` every tensor keeps its own type.
pub(crate) fn converted(container: &Container, quant: Option<Quant>) -> Container {
    let files = container.open();
    let header = block_on(read_header(Origin { files: &files, store: &NoStore })).unwrap();
    let bytes = |wanted: &String| {
        container.files.iter().find(|(name, _)| name == wanted).map(|(_, bytes)| bytes.clone()).unwrap()
    };
    let source = MemorySource(header.files.iter().map(bytes).collect());
    let options = Options {
        quant,
        shard_size: SHARD_SIZE,
        source: container.name.clone(),
        licences: Vec::new(),
        hash: |bytes| Hash::of(bytes).0,
    };
    let output = MemoryOutput::new();
    let report = convert(&header.checkpoint, &source, &output, &options, &mut |_| {}).unwrap();
    assert!(report.shards > 2, "{}: {} shards", container.name, report.shards);
    Container { name: format!("{}, converted", container.name), files: output.files().into_iter().collect() }
}
