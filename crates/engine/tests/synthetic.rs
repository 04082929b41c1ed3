//! Models of random weights, made small here: by the same way that `pronk synthesize` makes them in true sizes.

#![allow(clippy::unwrap_used, reason = "A test that cannot go on says so by panicking.")]

use std::collections::BTreeMap;

use convert::{MemoryOutput, Options, Progress, Synthetic, convert, verify};
use engine::{Device, Engine, LoadOptions, Origin, Quantize, StopFlag};
use format::{Config, Quant, RopeScaling};
use gpu::TierChoice;
use llama::KvType;
use pollster::block_on;
use protocol::{Conversation, FinishReason, GenerateOptions, Message, Role};
use store::{Hash, MemoryFiles, NoStore};

/// Llama 3.2's but for the sizes, of which the vocabulary is no multiple of anything.
const TIED: Config = Config {
    hidden_size: 256,
    intermediate_size: 512,
    num_hidden_layers: 2,
    num_attention_heads: 8,
    num_key_value_heads: 2,
    head_dim: 32,
    vocab_size: 1003,
    max_position_embeddings: 4096,
    rope_scaling: Some(RopeScaling::LLAMA_3_2),
    ..Config::LLAMA_3_2_1B
};

const UNTIED: Config =
    Config { tie_word_embeddings: false, rope_scaling: Some(RopeScaling::LLAMA_3_1), ..TIED };

const INT8: Device = Device::Gpu(TierChoice::Int8);

const DEVICES: [Device; 4] =
    [Device::Reference, Device::Gpu(TierChoice::Plain), Device::Gpu(TierChoice::Subgroups), INT8];

fn hash(bytes: &[u8]) -> format::Hash {
    Hash::of(bytes).0
}

type Folder = BTreeMap<String, Vec<u8>>;

/// Names of tensors, and the types that they have in the folder.
type Types = Vec<(String, &'static str)>;

/// A folder, in shards so small that matrices go on from one to the next.
fn synthesize(config: Config, seed: u64) -> (Folder, Types) {
    let Synthetic { checkpoint, source, licences } = Synthetic::new("Tiny", config, seed).unwrap();
    let source_name = "random numbers".to_owned();
    let options =
        Options { quant: Some(Quant::Q4), shard_size: 100_000, source: source_name, licences, hash };
    let output = MemoryOutput::new();
    let report = convert(&checkpoint, &source, &output, &options, &mut |_| {}).unwrap();
    assert_eq!(report.warnings, [""; 0]);
    let (_, damages) = verify(&output, hash, &mut |_, _| {}).unwrap();
    assert_eq!(damages, []);
    (output.files(), report.tensors.into_iter().map(|tensor| (tensor.name, tensor.to)).collect())
}

/// The same model as a folder of Hugging Face's.
fn synthesize_hub(config: Config, seed: u64) -> Folder {
    let synthetic = Synthetic::new("Tiny", config, seed).unwrap();
    let mut folder: Folder = synthetic.small_files("random numbers").into_iter().collect();
    let (mut weights, mut last) = (Vec::new(), None);
    synthetic.write_safetensors(&mut weights, &mut |progress| last = Some(progress)).unwrap();
    let bytes = synthetic.checkpoint.size();
    assert_eq!(last, Some(Progress { done: bytes, total: bytes }));
    folder.insert("model.safetensors".to_owned(), weights);
    folder
}

fn load(files: &Folder, device: Device) -> Engine {
    load_quantized(files, device, Quantize::Never)
}

fn load_quantized(files: &Folder, device: Device, quantize: Quantize) -> Engine {
    let files = files.iter().fold(MemoryFiles::new(), |all, (name, bytes)| all.with(name, bytes.clone()));
    let options = LoadOptions { device, context: Some(64), kv: KvType::F32, quantize };
    block_on(Engine::load(Origin { files: &files, store: &NoStore }, options, &mut |_| {})).unwrap()
}

/// Mean and standard deviation.
fn spread(values: &[f32]) -> (f32, f32) {
    let mean = values.iter().sum::<f32>() / values.len() as f32;
    let variance = values.iter().map(|value| (value - mean).powi(2)).sum::<f32>() / values.len() as f32;
    (mean, variance.sqrt())
}

#[test]
fn a_seed_makes_one_folder_and_another_seed_another() {
    for config in [TIED, UNTIED] {
        let (first, again, other) =
            (synthesize(config, 1).0, synthesize(config, 1).0, synthesize(config, 2).0);
        assert!(first == again, "the same seed, other bytes");
        for (name, bytes) in &first {
            let differs = name.ends_with(".safetensors") || name == "manifest.json";
            assert_eq!(*bytes != other[name], differs, "{name}");
        }
    }
}

#[test]
fn types_are_those_of_q4() {
    for (name, found) in synthesize(UNTIED, 1).1 {
        let expected = match name.as_str() {
            name if name.ends_with("norm.weight") => "F32",
            "model.embed_tokens.weight" | "lm_head.weight" => "Q6",
            _ => "Q4",
        };
        assert_eq!(found, expected, "{name}");
    }
}

#[test]
fn logits_are_a_models_and_the_same_everywhere() {
    let ids: Vec<u32> = (0..33).map(|i| i * 29 % 1003).collect();
    for config in [TIED, UNTIED] {
        let files = synthesize(config, 1).0;
        let mut expected = Vec::new();
        for device in DEVICES {
            let (logits, _) = block_on(load(&files, device).logits(&ids)).unwrap();
            let (mean, deviation) = spread(&logits);
            assert!(mean.abs() < 0.2 && (0.5..2.0).contains(&deviation), "{device:?}: {mean} {deviation}");
            if expected.is_empty() {
                expected.clone_from(&logits);
            }
            for (id, (got, expected)) in logits.iter().zip(&expected).enumerate() {
                let error = (got - expected).abs() / deviation;
                let most = if device == INT8 { 1e-3 } else { 1e-4 };
                assert!(error < most, "{device:?}: logit {id}: got {got}, expected {expected}");
            }
        }
    }
}

#[test]
fn it_chats_and_is_no_llama() {
    let mut engine = load(&synthesize(TIED, 1).0, Device::Reference);
    assert_eq!(
        (engine.info().name.as_str(), engine.info().built_with_llama),
        ("Synthetic Tiny of Llama shape", false)
    );
    let message = Message { role: Role::User, content: "What is it?".to_owned() };
    let conversation = Conversation::from(vec![message.into()]);
    let options = GenerateOptions { max_tokens: Some(5), ..GenerateOptions::default() };
    let answer = block_on(engine.chat(&conversation, &options, &StopFlag::default(), &mut |_| {})).unwrap();
    assert_eq!((answer.ids.len(), answer.reason), (5, FinishReason::MaxTokens));
}

/// What a folder of Hugging Face's becomes on its way is what the folder of pronk's has, to the bit.
#[test]
fn the_folder_before_it_is_converted_is_of_the_same_model() {
    for config in [TIED, UNTIED] {
        let ids = [5, 900, 17];
        let (ours, hub) = (synthesize(config, 1).0, synthesize_hub(config, 1));
        let expected = block_on(load(&ours, Device::Reference).logits(&ids)).unwrap();
        let mut quantized = load_quantized(&hub, Device::Reference, Quantize::To(Quant::Q4));
        assert_eq!(block_on(quantized.logits(&ids)).unwrap(), expected);

        let mut floats = load(&hub, Device::Reference);
        assert_eq!(floats.info().quantization, "BF16");
        assert_ne!(block_on(floats.logits(&ids)).unwrap(), expected, "4 bits lose nothing");
    }
}
