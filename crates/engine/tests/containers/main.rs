//! One Llama in every container that is read gives the same logits: golden/tiny-llama-3.1 in plain types, and quantized
//! here to four bits and packed as each quantizer does; on the CPU and on the GPU, kept and not kept, and converted.

#![allow(clippy::unwrap_used, reason = "A test that cannot go on says so by panicking.")]

mod converted;
#[expect(dead_code, reason = "this test needs sound files only")]
#[path = "../../../format/tests/files/writer.rs"]
mod gguf_writer;
#[path = "../../../format/tests/hub/mlc_writer.rs"]
mod mlc_writer;
#[expect(dead_code, reason = "as above")]
#[path = "../../../format/tests/hub/packers.rs"]
mod packers;
mod plain;
#[path = "../../../format/tests/same_rows/containers.rs"]
mod plain_writers;
#[expect(dead_code, reason = "as above")]
#[path = "../../../format/tests/pth/writer.rs"]
mod pth_writer;
mod quantized;
#[path = "../../../format/tests/tiny_llama/mod.rs"]
mod tiny_llama;
#[path = "../../../format/tests/tiny_llama/weights.rs"]
mod weights;
#[expect(dead_code, reason = "as above")]
#[path = "../../../format/tests/hub/writer.rs"]
mod writer;

use engine::{Backend, Device, Engine, LoadOptions, Origin, Quantize, StopFlag, read_header};
use format::Quant;
use gpu::TierChoice;
use llama::KvType;
use pollster::block_on;
use protocol::GenerateOptions;
use store::{MemoryFiles, MemoryStore, NoStore, Store};

use converted::converted;
use plain::Golden;
use quantized::{Order, Quantization, Zeros};

/// A model's files, by their names.
struct Container {
    name: String,
    files: Vec<(String, Vec<u8>)>,
}

impl Container {
    fn new<const N: usize>(name: &str, files: [(&str, Vec<u8>); N]) -> Container {
        Container { name: name.to_owned(), files: files.map(|(name, bytes)| (name.to_owned(), bytes)).into() }
    }

    /// The folder; or the file, where there is but one.
    fn open(&self) -> MemoryFiles {
        let all =
            self.files.iter().fold(MemoryFiles::new(), |all, (name, bytes)| all.with(name, bytes.clone()));
        match self.files.as_slice() {
            [(name, _)] => all.named_by(name),
            _ => all,
        }
    }
}

const SUBGROUPS: Device = Device::Gpu(TierChoice::Subgroups);
const PLAIN: Device = Device::Gpu(TierChoice::Plain);
const INT8: Device = Device::Gpu(TierChoice::Int8);

/// Largest error of a logit, in standard deviations. Rounding in `f32` makes a tenth of it; rounding activations to 16
/// bits, for the CPU's vector instructions and for products of bytes, a half of what they get.
fn bound(device: Device) -> f32 {
    if [Device::Cpu, INT8].contains(&device) { 1e-3 } else { 1e-4 }
}

fn load<T: Store>(files: &MemoryFiles, store: &T, device: Device) -> Engine {
    load_quantized(files, store, device, Quantize::Never)
}

fn load_quantized<T: Store>(files: &MemoryFiles, store: &T, device: Device, quantize: Quantize) -> Engine {
    let options = LoadOptions { device, context: Some(64), kv: KvType::F32, quantize };
    block_on(Engine::load(Origin { files, store }, options, &mut |_| {})).unwrap()
}

/// What a model says to the golden's prompt.
struct Said {
    /// After the last of 33 ids: it is read by the kernels of decoding, those before it by the kernels of prefill.
    logits: Vec<f32>,
    /// The ids that follow.
    ids: Vec<u32>,
}

fn say(engine: &mut Engine, prompt: &[u32]) -> Said {
    let (logits, _) = block_on(engine.logits(prompt)).unwrap();
    let options = GenerateOptions { max_tokens: Some(4), ..GenerateOptions::default() };
    let answer = block_on(engine.generate(prompt, &options, &StopFlag::default(), &mut |_| {})).unwrap();
    Said { logits, ids: answer.ids }
}

#[track_caller]
fn assert_close(what: &str, got: &[f32], expected: &[f32], bound: f32) {
    assert_eq!(got.len(), expected.len(), "{what}");
    let mean = expected.iter().sum::<f32>() / expected.len() as f32;
    let variance = expected.iter().map(|value| (value - mean).powi(2)).sum::<f32>() / expected.len() as f32;
    for (id, (got, expected)) in got.iter().zip(expected).enumerate() {
        let error = (got - expected).abs() / variance.sqrt();
        assert!(error <= bound, "{what}: logit {id}: got {got}, expected {expected}, error {error:e}");
    }
}

/// That containers of the same weights say the same on each device as the first of them on the CPU; gives its logits.
#[track_caller]
fn check(containers: &[Container], devices: &[Device]) -> Vec<f32> {
    let golden = Golden::read();
    let prompt = &golden.prompt;
    let expected = say(&mut load(&containers[0].open(), &NoStore, Device::Reference), prompt);
    for container in containers {
        for device in devices {
            let store = MemoryStore::new();
            for (keeping, mut engine) in [
                ("not kept", load(&container.open(), &NoStore, *device)),
                ("kept", load(&container.open(), &store, *device)),
            ] {
                let what = format!("{} on {device:?}, {keeping}", container.name);
                let said = say(&mut engine, prompt);
                assert_close(&what, &said.logits, &expected.logits, bound(*device));
                assert_eq!(said.ids, expected.ids, "{what}");
                assert!(engine.not_stored().is_none(), "{what}");
            }
            let again = container.open();
            let said = say(&mut load(&again, &store, *device), prompt);
            assert_close(
                &format!("{} again", container.name),
                &said.logits,
                &expected.logits,
                bound(*device),
            );
            for (name, _) in &container.files {
                let calls = again.source(name).unwrap().calls();
                assert_eq!(calls, 0, "{}: {name} was asked for on the second visit", container.name);
            }
        }
    }
    expected.logits
}

/// Whether its bytes are wanted back and forth, so that a store keeps all of them before any is read.
fn in_two_passes(container: &Container) -> bool {
    let files = container.open();
    let header = block_on(read_header(Origin { files: &files, store: &NoStore })).unwrap();
    !header.checkpoint.in_one_pass()
}

#[test]
fn plain_containers() {
    let golden = Golden::read();
    let got = check(&golden.containers(), &[Device::Reference, Device::Cpu, PLAIN]);
    assert_close("the golden", &got, &golden.logits, bound(Device::Reference));
}

#[test]
fn four_bits_around_the_middle() {
    let model = Quantization { zeros: Zeros::Middle, order: Order::Sorted }.of(&Golden::read());
    let containers = [
        model.plain(),
        model.awq(),
        model.gptq_v1(),
        model.gptq_v2(),
        model.gptq_without_index(),
        model.pack_quantized(),
        model.mlc(),
    ];
    for packed in &containers[1..] {
        assert!(in_two_passes(packed), "{}", packed.name);
    }
    check(&containers, &[Device::Reference, Device::Cpu, PLAIN]);
}

#[test]
fn four_bits_with_zero_points() {
    let model = Quantization { zeros: Zeros::Any, order: Order::Sorted }.of(&Golden::read());
    let containers = [model.plain(), model.awq(), model.gptq_v1(), model.gptq_v2(), model.pack_quantized()];
    check(&containers, &[Device::Reference, Device::Cpu, PLAIN]);
}

#[test]
fn columns_in_the_order_of_importance() {
    for (zeros, order) in [(Zeros::Middle, Order::ByInput), (Zeros::Any, Order::ByMatrix)] {
        let model = Quantization { zeros, order }.of(&Golden::read());
        let containers = [model.plain(), model.gptq_v1(), model.gptq_v2(), model.pack_quantized()];
        check(&containers, &[Device::Reference, Device::Cpu, PLAIN, SUBGROUPS, INT8]);
    }
}

/// No quantizer packs embeddings so, but a file may have them.
#[test]
fn embeddings_and_output_in_the_order_of_importance() {
    for zeros in [Zeros::Middle, Zeros::Any] {
        let model = Quantization { zeros, order: Order::ByMatrix }.of(&Golden::read());
        check(&[model.plain(), model.all_pack_quantized()], &[Device::Reference, Device::Cpu, PLAIN]);
    }
}

/// Dispatches of a step of one token, and bytes that a load takes on the device.
fn cost(container: &Container) -> (u64, u64) {
    let mut engine = load(&container.open(), &NoStore, PLAIN);
    let counts = |engine: &Engine| match engine.backend() {
        Backend::Gpu(model) => model.gpu().counts(),
        Backend::Cpu(_) => panic!("a GPU was asked for"),
    };
    let loaded = counts(&engine);
    let options = GenerateOptions { max_tokens: Some(4), ..GenerateOptions::default() };
    block_on(engine.generate(&[5], &options, &StopFlag::default(), &mut |_| {})).unwrap();
    let steps = counts(&engine) - loaded;
    assert_eq!(steps.dispatches % steps.submits, 0, "steps differ");
    (steps.dispatches / steps.submits, loaded.bytes_allocated)
}

#[test]
fn each_of_them_converted() {
    let golden = Golden::read();
    let sorted = |zeros| Quantization { zeros, order: Order::Sorted }.of(&golden);
    let [middle, any] = [sorted(Zeros::Middle), sorted(Zeros::Any)];
    for mut containers in [
        golden.containers(),
        vec![middle.plain(), middle.awq(), middle.gptq_v1(), middle.pack_quantized(), middle.mlc()],
        vec![any.plain(), any.awq(), any.gptq_v2(), any.pack_quantized()],
    ] {
        let folders: Vec<Container> = containers.iter().map(|container| converted(container, None)).collect();
        containers.truncate(1);
        containers.extend(folders);
        check(&containers, &[Device::Reference, Device::Cpu, PLAIN, INT8]);
    }
}

/// What is quantized on its way is what a converted folder holds, to the bit: on both devices, from every kind of file.
#[test]
fn each_of_them_quantized_on_its_way() {
    let golden = Golden::read();
    let model = |zeros, order| Quantization { zeros, order }.of(&golden);
    let mut containers = golden.containers();
    containers.push(model(Zeros::Any, Order::Sorted).awq());
    containers.push(converted(&containers[0], Some(Quant::Q6)));
    for container in &containers {
        for (quant, becomes) in [(Quant::Q4, "Q4_0"), (Quant::Q4M, "Q4_1"), (Quant::Q8, "Q8_0")] {
            check_quantized(&golden, container, quant, becomes);
        }
    }
    // To the 4 bits that it has already there is nothing to do.
    let by_importance = model(Zeros::Middle, Order::ByMatrix).gptq_v1();
    check_quantized(&golden, &by_importance, Quant::Q4M, "Q4_1");
    check_quantized(&golden, &by_importance, Quant::Q8, "Q8_0");
}

#[track_caller]
fn check_quantized(golden: &Golden, container: &Container, quant: Quant, becomes: &str) {
    let folder = converted(container, Some(quant));
    for device in [Device::Reference, Device::Cpu, PLAIN] {
        let what = format!("{} to {quant} on {device:?}", container.name);
        let mut engine = load_quantized(&container.open(), &NoStore, device, Quantize::To(quant));
        assert_eq!(engine.info().quantization, becomes, "{what}");
        let got = say(&mut engine, &golden.prompt);
        let expected = say(&mut load(&folder.open(), &NoStore, device), &golden.prompt);
        let different = got.logits.iter().zip(&expected.logits).position(|(got, expected)| got != expected);
        assert_eq!(different, None, "{what}: the first logit that differs");
        assert_eq!(got.ids, expected.ids, "{what}");
    }
}

/// A gather before a product where columns have an order; and where q, k and v differ in it, a dispatch each.
#[test]
fn only_an_order_costs() {
    const LAYERS: u64 = 3;
    let golden = Golden::read();
    let model = |order| Quantization { zeros: Zeros::Middle, order }.of(&golden);
    let sorted = model(Order::Sorted);
    let plain = cost(&sorted.gptq_without_index());
    // Where the CPU stands for a GPU, splits of attention are put together in each layer.
    assert_eq!(plain.0, 6 * LAYERS + 3);
    assert_eq!(cost(&sorted.gptq_v1()), plain, "an index in order");

    let (dispatches, _) = cost(&model(Order::ByInput).gptq_v1());
    assert_eq!(dispatches, plain.0 + 4 * LAYERS, "one gather for each of four products");
    // 2 gathers for q and k, 2 for gate and up, 1 each for o and down; q, k and v part into 3, gate, up and their
    // activation too.
    let (dispatches, _) = cost(&model(Order::ByMatrix).gptq_v1());
    assert_eq!(dispatches, plain.0 + 10 * LAYERS, "orders of their own");
}
