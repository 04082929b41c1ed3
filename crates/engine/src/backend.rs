//! What computes: the model on the GPU or on the CPU, behind the same few steps.

use format::{Config, Sampling};
use gpu::{Receipt, Tier};
use llama::{Chosen, Forward, NOT_A_NUMBER, Options, Vacancy};
use protocol::Kernels;

use crate::EngineError;
use crate::on_cpu::OnCpu;
use crate::pace::Pace;

/// Half of the ids that the GPU keeps until they were read.
const MOST_IN_FLIGHT: usize = 16;

/// A model in place.
#[derive(Debug)]
pub enum Backend {
    /// On the GPU.
    Gpu(Box<llama::Model>),
    /// On the CPU.
    Cpu(Box<OnCpu>),
}

/// A choice that is on its way.
#[derive(Debug)]
pub(crate) enum Pending {
    Gpu(Receipt),
    Cpu(Chosen),
}

/// Weights in place, and the device they are on.
pub(crate) enum Weights {
    Gpu(Box<(Vacancy, Forward)>),
    Simd(Box<cpu::simd::Weights>),
    Reference(cpu::Weights),
}

impl Backend {
    /// Puts a model together.
    pub(crate) async fn new(
        weights: Weights,
        config: Config,
        options: Options,
    ) -> Result<Backend, EngineError> {
        match weights {
            Weights::Gpu(room) => {
                let (vacancy, forward) = *room;
                Ok(Backend::Gpu(Box::new(llama::Model::new(vacancy, forward).await?)))
            }
            Weights::Simd(weights) => {
                let model = cpu::simd::Model::new(config, *weights);
                Ok(Backend::Cpu(Box::new(OnCpu::simd(model, options.context))))
            }
            Weights::Reference(weights) => {
                let model = cpu::Model::new(config, weights);
                Ok(Backend::Cpu(Box::new(OnCpu::reference(model, options.context))))
            }
        }
    }

    /// The kernels in use.
    pub fn kernels(&self) -> Kernels {
        match self {
            Backend::Gpu(model) => kernels(model.gpu().tier()),
            Backend::Cpu(cpu) if cpu.is_reference() => Kernels::Reference,
            Backend::Cpu(_) => Kernels::Simd,
        }
    }

    /// Tokens that the KV cache holds.
    pub fn context(&self) -> usize {
        match self {
            Backend::Gpu(model) => model.context(),
            Backend::Cpu(cpu) => cpu.context,
        }
    }

    pub(crate) fn position(&self) -> usize {
        match self {
            Backend::Gpu(model) => model.position(),
            Backend::Cpu(cpu) => cpu.position(),
        }
    }

    pub(crate) fn rewind(&mut self, position: usize) {
        match self {
            Backend::Gpu(model) => model.rewind(position),
            Backend::Cpu(cpu) => cpu.rewind(position),
        }
    }

    /// Says how ids are chosen from now on. `seen` are the ids in the cache.
    pub(crate) async fn choose_by(&mut self, sampling: &Sampling, seen: &[u32]) -> Result<(), EngineError> {
        match self {
            Backend::Gpu(model) => model.choose_by(sampling, seen).await?,
            Backend::Cpu(cpu) => cpu.choose_by(sampling),
        }
        Ok(())
    }

    /// Most tokens that one step reads.
    pub(crate) fn chunk(&self) -> usize {
        match self {
            Backend::Gpu(model) => model.chunk(),
            Backend::Cpu(cpu) => cpu.chunk(),
        }
    }

    /// How large the steps of a prefill should be.
    pub(crate) fn pace(&self) -> Pace {
        match self {
            Backend::Gpu(model) if model.gpu().tier() == Tier::Int8 && model.gpu().report().software => {
                Pace::CPU
            }
            Backend::Gpu(_) => Pace::GPU,
            Backend::Cpu(_) => Pace::CPU,
        }
    }

    /// Steps that may be under way at once, unless something else was asked for. Where the CPU computes, one that nobody
    /// asked for yet would keep the one before it waiting.
    pub(crate) fn steps_in_flight(&self, asked: Option<usize>) -> usize {
        match self {
            Backend::Gpu(_) => asked.unwrap_or(2).clamp(1, MOST_IN_FLIGHT),
            Backend::Cpu(_) => 1,
        }
    }

    /// Reads `ids`, at most a chunk, and waits until that is done.
    pub(crate) async fn read(&mut self, ids: &[u32]) -> Result<(), EngineError> {
        match self {
            Backend::Gpu(model) => {
                let receipt = model.prefill(ids)?;
                receipt.words(model.gpu()).await?;
            }
            Backend::Cpu(cpu) => cpu.read(ids).await?,
        }
        Ok(())
    }

    /// Reads `ids`, at most a chunk, and chooses what follows them.
    pub(crate) async fn prefill(&mut self, ids: &[u32]) -> Result<Pending, EngineError> {
        match self {
            Backend::Gpu(model) => Ok(Pending::Gpu(model.prefill_and_choose(ids)?)),
            Backend::Cpu(cpu) => Ok(Pending::Cpu(cpu.choose(ids).await?)),
        }
    }

    /// Reads what the last step chose, and chooses what follows it.
    pub(crate) async fn decode(&mut self) -> Result<Pending, EngineError> {
        match self {
            Backend::Gpu(model) => Ok(Pending::Gpu(model.decode()?)),
            Backend::Cpu(cpu) => Ok(Pending::Cpu(cpu.decode().await?)),
        }
    }

    /// Waits for a choice.
    pub(crate) async fn wait(&self, pending: Pending) -> Result<Chosen, EngineError> {
        let chosen = match (self, pending) {
            (Backend::Gpu(model), Pending::Gpu(receipt)) => Chosen::new(&receipt.words(model.gpu()).await?),
            (_, Pending::Cpu(chosen)) => chosen,
            (Backend::Cpu(_), Pending::Gpu(_)) => Chosen::new(&[]),
        };
        if chosen.id == NOT_A_NUMBER { Err(EngineError::NotANumber) } else { Ok(chosen) }
    }

    /// Most tokens that may be guessed ahead, as ids are chosen now. On a GPU penalties and the like allow none.
    pub(crate) fn most_guesses(&self) -> usize {
        let can_check = match self {
            Backend::Gpu(model) => model.can_check(),
            Backend::Cpu(_) => true,
        };
        if can_check { self.each() - 1 } else { 0 }
    }

    /// Makes what [`Backend::check`] needs, if it is not there, and says whether that was so.
    pub(crate) async fn prepare_to_check(&mut self) -> Result<bool, EngineError> {
        match self {
            Backend::Gpu(model) => Ok(model.prepare_each().await?),
            Backend::Cpu(_) => Ok(false),
        }
    }

    /// Reads `last`, which was chosen last, and `guess` behind it, and chooses after each of them: the choices up to the
    /// first that is another than was guessed. No other choice may be on its way.
    pub(crate) async fn check(&mut self, last: u32, guess: &[u32]) -> Result<Vec<Chosen>, EngineError> {
        let choices = match self {
            Backend::Cpu(cpu) => cpu.check(guess).await?,
            Backend::Gpu(model) => {
                let ids = model.check(last, guess).await?;
                ids.into_iter().map(|id| Chosen { id, log_probs: None }).collect()
            }
        };
        match choices.iter().any(|chosen| chosen.id == NOT_A_NUMBER) {
            true => Err(EngineError::NotANumber),
            false => Ok(choices),
        }
    }

    /// Most tokens that [`Backend::choose_each`] takes.
    pub(crate) fn each(&self) -> usize {
        match self {
            Backend::Gpu(model) => model.each(),
            Backend::Cpu(cpu) => cpu.each(),
        }
    }

    /// Reads `ids`, at most so many, and chooses after each of them.
    pub(crate) async fn choose_each(&mut self, ids: &[u32]) -> Result<Vec<u32>, EngineError> {
        match self {
            Backend::Gpu(model) => Ok(model.choose_each(ids).await?),
            Backend::Cpu(cpu) => cpu.choose_each(ids).await,
        }
    }

    /// The logits after token `row` of the last [`Backend::choose_each`]: `[vocab_size]`.
    pub(crate) async fn logits_of(&self, row: usize, vocab_size: usize) -> Result<Vec<f32>, EngineError> {
        match self {
            Backend::Gpu(model) => Ok(model.logits_of(row).await?),
            Backend::Cpu(cpu) => Ok(cpu.logits_of(row, vocab_size)),
        }
    }
}

/// The protocol's word for a device's kernels.
pub(crate) fn kernels(tier: Tier) -> Kernels {
    match tier {
        Tier::Subgroups { .. } => Kernels::Subgroups,
        Tier::Plain => Kernels::Plain,
        Tier::Int8 => Kernels::Int8,
    }
}
