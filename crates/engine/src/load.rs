//! Loading: bytes in file order, the header first, then weights straight to the device.

#[cfg(test)]
mod tests;

use format::{Checkpoint, GenerationConfig, Sampling};
use futures_util::future::try_join;
use gpu::{Gpu, TierChoice};
use llama::{Forward, KvType, Loader, Options, Outline, Vacancy, kv_bytes_per_token};
use protocol::{DeviceReason, DeviceReport, Excluded, LoadProgress, ModelInfo, SamplingDefaults};
use store::{Aside, Files, Store};

use crate::backend::{Backend, Weights};
use crate::benchmark::Stored;
use crate::bytes::Bytes;
use crate::device::{Choice, Offer};
use crate::open::{Found, find};
use crate::options::kv_word;
use crate::progress::Reporter;
use crate::sampling::as_makers_want;
use crate::speculation::{Speculate, Speculation};
use crate::text::{nameless, template, tokenizer};
use crate::tune::{Tuned, Wish};
use crate::{Device, Engine, EngineError, LoadOptions, Tuner};

/// Where a model's bytes come from and where they rest.
#[derive(Debug)]
pub struct Origin<'a, F, T> {
    /// Its files.
    pub files: &'a F,
    /// Where their pieces are kept.
    pub store: &'a T,
}

impl<F, T> Clone for Origin<'_, F, T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<F, T> Copy for Origin<'_, F, T> {}

impl Engine {
    /// Loads a model. Dropping the future at any point loses nothing that was stored.
    pub async fn load<F: Files, T: Store>(
        origin: Origin<'_, F, T>,
        options: LoadOptions,
        on_progress: &mut dyn FnMut(LoadProgress),
    ) -> Result<Engine, EngineError> {
        Engine::load_tuned(origin, options, &Tuner::never(), on_progress).await
    }

    /// The same, with kernels that are chosen by trying them.
    pub async fn load_tuned<F: Files, T: Store, A: Aside>(
        origin: Origin<'_, F, T>,
        options: LoadOptions,
        tuner: &Tuner<'_, A>,
        on_progress: &mut dyn FnMut(LoadProgress),
    ) -> Result<Engine, EngineError> {
        let mut report = Reporter::new(on_progress);
        report.opening();
        // The device comes first: without one nothing needs to be downloaded.
        let offer = Offer::ask(options.device).await?;
        let mut bytes = Bytes::new(origin, report);
        let Found { checkpoint, files } = find(origin.files, &mut bytes).await?;
        let (tokenizer, template) = match tokenizer(&checkpoint) {
            Err(EngineError::NoTokenizer) => (nameless(&checkpoint)?, None),
            tokenizer => {
                let tokenizer = tokenizer?;
                let template = template(&checkpoint, &tokenizer)?;
                (tokenizer, Some(template))
            }
        };

        let stored = Stored::of(&checkpoint, options.quantize);
        let checkpoint = options.quantize.apply(checkpoint);
        let wish = wish(options.device);
        let options = options.model_options(&checkpoint.config)?;
        let (choice, reason) = offer.choose(&checkpoint);
        let options = kept_on(&choice, options);
        let (outline, mut tuned) = (Outline::new(&checkpoint, options.kv), Tuned::default());
        let weights = match choice {
            Choice::Gpu(gpu) => {
                let vacancy = Vacancy::new(*gpu, &checkpoint, options).await?;
                let tune = async |gpu: &Gpu| tuned = tuner.settle(gpu, &outline, wish).await;
                let usual = as_makers_want(sampling(&checkpoint.generation), checkpoint.config.vocab_size);
                let forward = fill(&vacancy, &checkpoint, &files, &mut bytes, &usual, tune).await;
                if forward.is_err() {
                    // What ended the load may have ended a trial, too.
                    tuner.take_back().await;
                }
                Weights::Gpu(Box::new((vacancy, forward?)))
            }
            Choice::Cpu => {
                cpu::simd::Weights::check_context(&checkpoint, options.context)?;
                let mut builder = cpu::simd::Weights::builder(&checkpoint)?;
                bytes.each(&files, &checkpoint, &mut builder).await?;
                Weights::Simd(Box::new(builder.finish()?))
            }
            Choice::Reference => {
                let mut builder = cpu::Weights::builder(&checkpoint);
                bytes.each(&files, &checkpoint, &mut builder).await?;
                Weights::Reference(builder.finish()?)
            }
        };
        let not_stored = bytes.finish().await.map(|error| EngineError::from(error).failure());
        let backend = Backend::new(weights, checkpoint.config, options).await?;
        let info = model_info(&checkpoint, origin.files.name(), options);
        let device = device_report(&backend, reason, tuned.excluded);
        let vocab_size = checkpoint.config.vocab_size;
        Ok(Engine {
            info,
            device,
            not_stored,
            tokenizer,
            template,
            vocab_size,
            backend,
            cached: Vec::new(),
            prefill_chunk: None,
            steps_in_flight: None,
            speculation: Speculation::new(Speculate::default()),
            draft: None,
            stored,
            outline,
            tuning: tuned.report,
        })
    }
}

/// What is kept where the choice fell: the CPU has floats for keys and values, whatever was asked for.
fn kept_on(choice: &Choice, options: Options) -> Options {
    match choice {
        Choice::Gpu(_) => options,
        Choice::Cpu | Choice::Reference => Options { kv: KvType::F32, ..options },
    }
}

/// Whether any kernels will do.
fn wish(device: Device) -> Wish {
    match device {
        Device::Gpu(TierChoice::Auto) | Device::Fastest => Wish::Any,
        Device::Gpu(_) | Device::Cpu | Device::Reference => Wish::Named,
    }
}

/// Weights go to the device as their bytes come, and the kernels are chosen and compiled meanwhile, those of the `usual` way
/// to choose tokens with them: not before the first bytes have been asked for, but after all the room that they need is there. While kernels are chosen, bytes are fetched
/// but not put anywhere, which would keep a clock from being looked at in time.
async fn fill<F: Files, T: Store>(
    vacancy: &Vacancy,
    checkpoint: &Checkpoint,
    files: &[String],
    bytes: &mut Bytes<'_, '_, F, T>,
    usual: &Sampling,
    tune: impl AsyncFnOnce(&Gpu),
) -> Result<Forward, EngineError> {
    let mut loader = Loader::new(vacancy, checkpoint);
    let gate = bytes.gate();
    gate.shut();
    let prepared = async {
        tune(vacancy.gpu()).await;
        gate.open();
        Ok(vacancy.forward(usual).await?)
    };
    let ((), forward) = try_join(bytes.each(files, checkpoint, &mut loader), prepared).await?;
    loader.finish()?;
    Ok(forward)
}

fn model_info(checkpoint: &Checkpoint, file: &str, options: Options) -> ModelInfo {
    ModelInfo {
        name: checkpoint.name.clone().unwrap_or_else(|| file.to_string()),
        bytes: checkpoint.size(),
        parameters: checkpoint.parameters(),
        quantization: checkpoint.quantization().to_string(),
        licence: checkpoint.licence.clone(),
        built_with_llama: checkpoint.built_with_llama(),
        context: options.context as u32,
        max_context: checkpoint.config.max_position_embeddings as u32,
        sampling: sampling(&checkpoint.generation),
        kv: kv_word(options.kv),
        kv_bytes_per_token: kv_bytes_per_token(&checkpoint.config, options.kv),
        warnings: checkpoint.warnings.clone(),
    }
}

fn sampling(stated: &GenerationConfig) -> SamplingDefaults {
    let GenerationConfig { do_sample, temperature, top_k, top_p, repetition_penalty, .. } = *stated;
    SamplingDefaults { do_sample, temperature, top_k, top_p, repetition_penalty }
}

fn device_report(backend: &Backend, reason: DeviceReason, excluded: Vec<Excluded>) -> DeviceReport {
    let kernels = backend.kernels();
    match backend {
        Backend::Gpu(model) => {
            let report = model.gpu().report();
            let (adapter, software) = (report.adapter.clone(), report.software);
            DeviceReport { adapter, software, kernels, reason, device_bytes: model.device_bytes(), excluded }
        }
        Backend::Cpu(cpu) => DeviceReport {
            adapter: "CPU".to_string(),
            software: cpu.is_reference(),
            kernels,
            reason,
            device_bytes: cpu.weight_bytes(),
            excluded,
        },
    }
}
