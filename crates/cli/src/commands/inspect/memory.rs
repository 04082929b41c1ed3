//! What a model would take on a device: its weights, and keys and values by the context and by how they are stored.

use std::collections::BTreeMap;

use anyhow::Result;
use engine::{DEFAULT_CONTEXT, Memory, kv_type};
use format::Checkpoint;
use gpu::{Gpu, Limits, TierChoice};
use indicatif::{DecimalBytes, HumanCount};
use pollster::block_on;
use protocol::Kv;
use serde::Serialize;

use crate::args::InspectArgs;

/// What people choose from, as far as the model goes.
const CONTEXTS: [usize; 4] = [DEFAULT_CONTEXT, 8_192, 32_768, 131_072];

/// A figure for each of [`Kv::ALL`], by its name.
type ByKv<T> = BTreeMap<&'static str, T>;

/// Bytes that a device must have room for.
#[derive(Serialize)]
pub(super) struct MemoryTable {
    /// What weights become on their way; `None` if they stay as they are.
    quant: Option<String>,
    weights: u64,
    kv_bytes_per_token: ByKv<u64>,
    contexts: Vec<Row>,
    /// Tokens; `None` unless the GPU was asked.
    longest_context: Option<ByKv<usize>>,
}

#[derive(Serialize)]
struct Row {
    context: usize,
    kv_cache: ByKv<u64>,
    /// With the weights.
    total: ByKv<u64>,
}

impl MemoryTable {
    /// The model's, if it is loaded as asked. Asks the GPU only if that was asked for, too.
    pub(super) fn new(checkpoint: &Checkpoint, args: &InspectArgs) -> Result<MemoryTable> {
        let memory = Memory::of(checkpoint, args.quant.quantize());
        let row = |context| Row {
            context,
            kv_cache: by_kv(|kv| memory.kv_cache(kv_type(kv), context)),
            total: by_kv(|kv| memory.weights() + memory.kv_cache(kv_type(kv), context)),
        };
        let longest = |limits: Limits| by_kv(|kv| memory.longest_context(kv_type(kv), limits));
        Ok(MemoryTable {
            quant: args.quant.name(),
            weights: memory.weights(),
            kv_bytes_per_token: by_kv(|kv| memory.kv_bytes_per_token(kv_type(kv))),
            contexts: contexts(checkpoint.config.max_position_embeddings).map(row).collect(),
            longest_context: args.gpu.then(limits).transpose()?.map(longest),
        })
    }

    /// Lines for a person, the weights first.
    pub(super) fn lines(&self) -> Vec<String> {
        let quant = self.quant.as_ref().map(|quant| format!(" as {quant}")).unwrap_or_default();
        let weights = DecimalBytes(self.weights);
        let mut lines = vec![
            format!("{weights} of weights{quant}; beside them, keys and values by tokens of context:"),
            line("tokens", &by_kv(|kv| kv.name())),
        ];
        for Row { context, kv_cache, .. } in &self.contexts {
            let kv_cache = by_kv(|kv| DecimalBytes(kv_cache[kv.name()]).to_string());
            lines.push(line(&HumanCount(*context as u64).to_string(), &kv_cache));
        }
        if let Some(longest) = &self.longest_context {
            let longest = by_kv(|kv| HumanCount(longest[kv.name()] as u64).to_string());
            lines.push(line("the GPU's most", &longest));
        }
        lines
    }
}

fn line(first: &str, columns: &ByKv<impl AsRef<str>>) -> String {
    let columns = Kv::ALL.map(|kv| format!("{:>12}", columns[kv.name()].as_ref()));
    format!("{first:>14}{}", columns.concat())
}

fn by_kv<T>(figure: impl Fn(Kv) -> T) -> ByKv<T> {
    Kv::ALL.into_iter().map(|kv| (kv.name(), figure(kv))).collect()
}

/// The usual ones below the model's own, and then that.
fn contexts(most: usize) -> impl Iterator<Item = usize> {
    let shorter = CONTEXTS.into_iter().filter(move |context| *context < most);
    shorter.chain([most])
}

fn limits() -> Result<Limits> {
    Ok(block_on(Gpu::request(TierChoice::Auto))?.limits())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn contexts_end_where_the_model_does() {
        let rows: [(usize, &[usize]); 5] = [
            (512, &[512]),
            (4096, &[4096]),
            (16_384, &[4096, 8192, 16_384]),
            (131_072, &[4096, 8192, 32_768, 131_072]),
            (1 << 20, &[4096, 8192, 32_768, 131_072, 1 << 20]),
        ];
        for (most, expected) in rows {
            assert_eq!(contexts(most).collect::<Vec<_>>(), expected, "{most}");
        }
    }
}
