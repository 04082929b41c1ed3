//! Models of a true size whose weights are random numbers, for what only size shows: memory, time, a device's limits.
//!
//! ```text
//! Config -> config.json, a header of safetensors, tokenizer.model -> Checkpoint, as of a folder of Hugging Face's
//! seed, tensor, position -> bf16 -> what every model's weights become
//! ```
//!
//! Nothing of Meta's is in them: the sizes are facts, and the vocabulary is made up.

mod hub;
mod vocabulary;
mod weights;

use format::{
    Checkpoint, Config, FormatError, GenerationConfig, HubFiles, SafetensorsHeader, SafetensorsTensor,
    SafetensorsType, TensorName, TokenizerConfig, TokenizerFile,
};

use crate::beside::{config_json, generation_json};

pub use weights::RandomWeights;

/// Control tokens of a vocabulary, which come last.
const CONTROL_TOKENS: usize = 256;

/// Where an answer ends, by their places among the control tokens: the ends of the text, of a message and of a turn.
const ENDS: [u32; 3] = [1, 8, 9];

const NOTICE: &str = "\
This is no language model: its weights are random numbers and its vocabulary is made up.
It only has the sizes of one, so that memory and speed can be tried. No licence is needed for it.
";

/// A model made up from a seed, ready to be converted.
#[derive(Debug, Clone)]
pub struct Synthetic {
    /// Its description.
    pub checkpoint: Checkpoint,
    /// Its weights.
    pub source: RandomWeights,
    /// What lies beside it: a notice that says what it is.
    pub licences: Vec<(String, Vec<u8>)>,
}

impl Synthetic {
    /// A model of these dimensions; `size` is what people call them by, as in `8B`. The same seed makes the same model.
    ///
    /// # Errors
    /// If there can be no model of these dimensions.
    pub fn new(size: &str, config: Config, seed: u64) -> Result<Synthetic, FormatError> {
        let header = header(&config);
        let source = RandomWeights::new(&config, &header, seed);
        let first_control = config.vocab_size.saturating_sub(CONTROL_TOKENS);
        let checkpoint = Checkpoint::from_hub(HubFiles {
            config: config_json(&config),
            generation_config: Some(generation_json(&generation(first_control as u32))),
            tokenizer: TokenizerFile::Tiktoken {
                model: vocabulary::tiktoken(first_control),
                config: TokenizerConfig::default(),
            },
            tokenizer_config: None,
            // The usual one for the control tokens that `chat` adds to a vocabulary of this kind.
            chat_template: None,
            index: None,
            weights: vec![header],
            // In words that are not taken for one of the Llamas that Meta's licences are of.
            name: Some(format!("Synthetic {size} of Llama shape")),
        })?;
        Ok(Synthetic { checkpoint, source, licences: vec![("NOTICE".to_owned(), NOTICE.into())] })
    }
}

/// Every tensor in bfloat16, one behind the other, in a file that is nothing else.
fn header(config: &Config) -> SafetensorsHeader {
    let mut file_size = 0;
    let tensor = |name: TensorName| {
        let [rows, columns] = config.shape(name).map(|length| length as u64);
        let shape = if rows == 1 { vec![columns] } else { vec![rows, columns] };
        let (offset, len) = (file_size, 2 * rows * columns);
        file_size += len;
        SafetensorsTensor { name: name.to_string(), dtype: SafetensorsType::BF16, shape, offset, len }
    };
    let tensors = TensorName::of_model(config).map(tensor).collect();
    SafetensorsHeader { metadata: Vec::new(), tensors, data_offset: 0, file_size }
}

fn generation(first_control: u32) -> GenerationConfig {
    GenerationConfig {
        eos_token_ids: ENDS.map(|place| first_control + place).to_vec(),
        bos_token_id: Some(first_control),
        ..GenerationConfig::default()
    }
}
