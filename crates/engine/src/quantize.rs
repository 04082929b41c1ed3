//! Whether weights are quantized on their way to the device.

use format::{Checkpoint, Quant};

/// What becomes of weights as they are loaded. What is stored on this machine are always the model's own bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Quantize {
    /// They stay as their files have them.
    #[default]
    Never,
    /// As [`Quant::suiting`] chooses: a large model in floats becomes a smaller one.
    WhereItSuits,
    /// Every matrix becomes this.
    To(Quant),
}

impl From<protocol::Quantize> for Quantize {
    fn from(asked: protocol::Quantize) -> Quantize {
        match asked {
            protocol::Quantize::Automatic => Quantize::WhereItSuits,
            protocol::Quantize::Never => Quantize::Never,
            protocol::Quantize::Q4 => Quantize::To(Quant::Q4),
            protocol::Quantize::Q4M => Quantize::To(Quant::Q4M),
            protocol::Quantize::Q6 => Quantize::To(Quant::Q6),
            protocol::Quantize::Q8 => Quantize::To(Quant::Q8),
            protocol::Quantize::F16 => Quantize::To(Quant::F16),
        }
    }
}

impl Quantize {
    /// What the checkpoint's matrices become, if anything.
    pub(crate) fn quant(self, checkpoint: &Checkpoint) -> Option<Quant> {
        match self {
            Quantize::Never => None,
            Quantize::WhereItSuits => Quant::suiting(checkpoint),
            Quantize::To(quant) => Some(quant),
        }
    }

    /// The checkpoint with what it is to become, and a word on it where nobody has asked for it.
    pub(crate) fn apply(self, checkpoint: Checkpoint) -> Checkpoint {
        let Some(quant) = self.quant(&checkpoint) else { return checkpoint };
        let (was, gib) = (checkpoint.quantization(), checkpoint.size() as f64 / f64::from(1 << 30));
        let mut checkpoint = checkpoint.quantized(quant);
        if self == Quantize::WhereItSuits {
            checkpoint.warnings.push(format!(
                "The model's {gib:.1} GiB of {was} were quantized to {quant} while they were loaded, so that they fit; \
                 `pronk convert --quant {quant}` makes a model that loads sooner."
            ));
        }
        checkpoint
    }
}
