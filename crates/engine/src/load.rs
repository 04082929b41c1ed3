//! Loading: bytes in file order, the header first, then weights straight to the device.

use format::{Checkpoint, Config};
use gpu::{Gpu, TierChoice};
use llama::{KvType, LlamaError, Model, Options};
use protocol::{DeviceReport, LoadProgress, ModelInfo};
use store::{Hash, Piece, Pieces, Source, Store};

use crate::backend::{Backend, Device, Reference};
use crate::header::{take_header, template, tokenizer};
use crate::progress::Reporter;
use crate::{Engine, EngineError};

/// Tokens of context unless asked otherwise: a long conversation, yet little memory.
pub const DEFAULT_CONTEXT: usize = 4096;

/// Most tokens that a prefill step takes.
const CHUNK: usize = 128;

/// What is chosen before a load.
#[derive(Clone, Copy, Debug)]
pub struct LoadOptions {
    /// Where to compute.
    pub device: Device,
    /// Tokens of context; `None` for 4,096, or fewer if the model has fewer.
    pub context: Option<usize>,
    /// How the KV cache is stored.
    pub kv: KvType,
}

/// Where a model's bytes come from and where they rest.
#[derive(Debug)]
pub struct Origin<'a, S, T> {
    /// The file.
    pub source: &'a S,
    /// Where its pieces are kept.
    pub store: &'a T,
    /// Its name in the store.
    pub key: &'a str,
    /// SHA-256 of its pieces, if somebody has published them; else empty.
    pub expected: &'a [Hash],
}

impl Default for LoadOptions {
    fn default() -> LoadOptions {
        LoadOptions { device: Device::Gpu(TierChoice::Auto), context: None, kv: KvType::F16 }
    }
}

impl Engine {
    /// Loads a model. Dropping the future at any point loses nothing that was stored.
    pub async fn load<S: Source, T: Store>(
        origin: Origin<'_, S, T>,
        options: LoadOptions,
        on_progress: &mut dyn FnMut(LoadProgress),
    ) -> Result<Engine, EngineError> {
        let mut report = Reporter::new(on_progress);
        report.opening();
        // The device comes first: without one nothing needs to be downloaded.
        let gpu = match options.device {
            Device::Gpu(tier) => Some(Gpu::request(tier).await?),
            Device::Reference => None,
        };
        let mut pieces = Pieces::open(origin.source, origin.store, origin.key, origin.expected).await?;
        let (head, gguf) = take_header(&mut pieces, &mut report).await?;
        let checkpoint = Checkpoint::from_gguf(gguf)?;
        let tokenizer = tokenizer(&checkpoint)?;
        let template = template(&checkpoint, &tokenizer)?;

        let options = model_options(options, &checkpoint.config)?;
        let backend = match gpu {
            Some(gpu) => on_gpu(gpu, &checkpoint, options, head, &mut pieces, &mut report).await?,
            None => on_cpu(&checkpoint, options, head, &mut pieces, &mut report).await?,
        };
        let info = model_info(&checkpoint, origin.source.name(), backend.context());
        let device = device_report(&backend);
        let not_stored = pieces.storage_failure().map(|error| EngineError::from(error.clone()).failure());
        Ok(Engine { info, device, not_stored, tokenizer, template, backend, cached: Vec::new() })
    }
}

/// The context that was asked for, or the usual one; refused before anything large is fetched.
fn model_options(options: LoadOptions, config: &Config) -> Result<Options, LlamaError> {
    let context = options.context.unwrap_or(DEFAULT_CONTEXT.min(config.max_position_embeddings));
    let options = Options { context, chunk: CHUNK, kv: options.kv };
    options.check(config)?;
    Ok(options)
}

/// Weights go to the device piece by piece; a piece is let go before the next is taken.
async fn on_gpu<S: Source, T: Store>(
    gpu: Gpu,
    checkpoint: &Checkpoint,
    options: Options,
    head: Vec<u8>,
    pieces: &mut Pieces<'_, S, T>,
    report: &mut Reporter<'_>,
) -> Result<Backend, EngineError> {
    let mut loader = llama::Loader::new(&gpu, checkpoint).await?;
    loader.push(0, 0, &head)?;
    drop(head);
    while let Some(Piece { offset, bytes, .. }) = report.next(pieces).await? {
        loader.push(0, offset, &bytes)?;
    }
    let weights = loader.finish()?;
    report.preparing();
    let model = Model::new(gpu, checkpoint.config, weights, options).await?;
    Ok(Backend::Gpu(Box::new(model)))
}

async fn on_cpu<S: Source, T: Store>(
    checkpoint: &Checkpoint,
    options: Options,
    head: Vec<u8>,
    pieces: &mut Pieces<'_, S, T>,
    report: &mut Reporter<'_>,
) -> Result<Backend, EngineError> {
    let mut builder = cpu::Weights::builder(checkpoint);
    builder.push(0, 0, &head)?;
    while let Some(Piece { offset, bytes, .. }) = report.next(pieces).await? {
        builder.push(0, offset, &bytes)?;
    }
    let model = cpu::Model::new(checkpoint.config, builder.finish()?);
    Ok(Backend::Reference(Box::new(Reference::new(model, options.context))))
}

fn model_info(checkpoint: &Checkpoint, file: &str, context: usize) -> ModelInfo {
    ModelInfo {
        name: checkpoint.name.clone().unwrap_or_else(|| file.to_string()),
        bytes: checkpoint.size(),
        parameters: checkpoint.parameters(),
        quantization: checkpoint.quantization().to_string(),
        licence: checkpoint.licence.clone(),
        built_with_llama: checkpoint.built_with_llama(),
        context: context as u32,
        max_context: checkpoint.config.max_position_embeddings as u32,
    }
}

fn device_report(backend: &Backend) -> DeviceReport {
    let kernels = backend.kernels();
    match backend {
        Backend::Gpu(model) => {
            let report = model.gpu().report();
            let (adapter, software) = (report.adapter.clone(), report.software);
            DeviceReport { adapter, software, kernels, device_bytes: model.device_bytes() }
        }
        Backend::Reference(_) => {
            DeviceReport { adapter: "CPU".to_string(), software: true, kernels, device_bytes: 0 }
        }
    }
}
