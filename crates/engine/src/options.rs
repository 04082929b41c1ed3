//! What is chosen before a load, and what the engine chooses where nobody has.

use format::Config;
use gpu::TierChoice;
use llama::{KvType, LlamaError, Options};
use protocol::Kv;

use crate::{Device, Quantize};

/// Tokens of context unless asked otherwise: a long conversation, yet little memory.
pub const DEFAULT_CONTEXT: usize = 4096;

/// Most tokens that a prefill step takes.
pub(crate) const CHUNK: usize = 128;

/// What is chosen before a load.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LoadOptions {
    /// Where to compute.
    pub device: Device,
    /// Tokens of context; `None` for 4,096, or fewer if the model has fewer.
    pub context: Option<usize>,
    /// How the KV cache is stored.
    pub kv: KvType,
    /// Whether weights are quantized on their way.
    pub quantize: Quantize,
}

impl Default for LoadOptions {
    fn default() -> LoadOptions {
        LoadOptions {
            device: Device::Gpu(TierChoice::Auto),
            context: None,
            kv: KvType::F16,
            quantize: Quantize::Never,
        }
    }
}

impl From<protocol::LoadOptions> for LoadOptions {
    /// What the page asks for.
    fn from(asked: protocol::LoadOptions) -> LoadOptions {
        LoadOptions {
            device: match asked.device {
                protocol::Device::Automatic => Device::Fastest,
                protocol::Device::Gpu => Device::Gpu(TierChoice::Auto),
                protocol::Device::Cpu | protocol::Device::OneCore => Device::Cpu,
            },
            context: asked.context.map(|context| context as usize),
            kv: kv_type(asked.kv),
            quantize: asked.quantize.into(),
        }
    }
}

impl LoadOptions {
    /// The context that was asked for, or the usual one; refused before anything large is fetched.
    pub(crate) fn model_options(&self, config: &Config) -> Result<Options, LlamaError> {
        let context = self.context.unwrap_or(DEFAULT_CONTEXT.min(config.max_position_embeddings));
        let options = Options { context, chunk: CHUNK, kv: self.kv };
        options.check(config)?;
        Ok(options)
    }
}

/// The cache's type by the protocol's word for it.
pub fn kv_type(kv: Kv) -> KvType {
    match kv {
        Kv::F16 => KvType::F16,
        Kv::I8 => KvType::I8,
        Kv::F32 => KvType::F32,
    }
}

/// The protocol's word for a cache's type.
pub(crate) fn kv_word(kv: KvType) -> Kv {
    match kv {
        KvType::F16 => Kv::F16,
        KvType::I8 => Kv::I8,
        KvType::F32 => Kv::F32,
    }
}

#[cfg(test)]
mod tests {
    use format::Quant;
    use protocol::Quantize as Asked;

    use super::*;

    #[track_caller]
    fn check(asked: protocol::LoadOptions, expected: LoadOptions) {
        assert_eq!(LoadOptions::from(asked), expected);
    }

    #[test]
    fn what_the_page_asks_for_is_what_the_engine_does() {
        let asked = protocol::LoadOptions::default();
        let (device, quantize) = (Device::Fastest, Quantize::WhereItSuits);
        let automatic = LoadOptions { device, quantize, ..LoadOptions::default() };
        check(asked, automatic);
        for (device, expected) in [
            (protocol::Device::Gpu, Device::Gpu(TierChoice::Auto)),
            (protocol::Device::Cpu, Device::Cpu),
            (protocol::Device::OneCore, Device::Cpu),
        ] {
            check(protocol::LoadOptions { device, ..asked }, LoadOptions { device: expected, ..automatic });
        }
        check(
            protocol::LoadOptions { context: Some(512), ..asked },
            LoadOptions { context: Some(512), ..automatic },
        );
        for kv in Kv::ALL {
            check(protocol::LoadOptions { kv, ..asked }, LoadOptions { kv: kv_type(kv), ..automatic });
            assert_eq!(kv_word(kv_type(kv)), kv);
        }
        for (quantize, expected) in [
            (Asked::Never, Quantize::Never),
            (Asked::Q4, Quantize::To(Quant::Q4)),
            (Asked::Q4M, Quantize::To(Quant::Q4M)),
            (Asked::Q6, Quantize::To(Quant::Q6)),
            (Asked::Q8, Quantize::To(Quant::Q8)),
            (Asked::F16, Quantize::To(Quant::F16)),
        ] {
            check(
                protocol::LoadOptions { quantize, ..asked },
                LoadOptions { quantize: expected, ..automatic },
            );
        }
    }

    #[test]
    fn a_context_that_the_model_has_not_is_refused() {
        let most = Config::LLAMA_3_1_8B.max_position_embeddings;
        let options = |context| LoadOptions { context, ..LoadOptions::default() };
        let context = |context| options(context).model_options(&Config::LLAMA_3_1_8B).map(|it| it.context);
        assert_eq!(context(None), Ok(DEFAULT_CONTEXT));
        assert_eq!(context(Some(most)), Ok(most));
        for asked in [0, most + 1] {
            assert_eq!(context(Some(asked)), Err(LlamaError::Context { asked, most }));
        }
    }
}
