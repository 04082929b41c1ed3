//! `pronk synthesize`: a model of a true size, with random weights.

use anyhow::Result;
use convert::{Options, Synthetic};
use store::Hash;

use super::conversion::Conversion;
use crate::args::SynthesizeArgs;

pub(crate) fn synthesize(args: &SynthesizeArgs) -> Result<()> {
    let (size, config) = args.like.model();
    let Synthetic { checkpoint, source, licences } = Synthetic::new(size, config, args.seed)?;
    let options = Options {
        quant: Some(args.quant.quant()),
        shard_size: args.folder.shard_size.0,
        source: format!("random numbers of the seed {}", args.seed),
        licences,
        hash: |bytes| Hash::of(bytes).0,
    };
    Conversion::run("Synthesizing", &checkpoint, &source, &args.folder, &options)?.print(&args.folder, None)
}
