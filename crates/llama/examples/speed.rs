use format::{Checkpoint, Gguf};
use gpu::{Gpu, TierChoice};
use llama::{KvType, Loader, Model, Options};
use pollster::block_on;
use std::time::Instant;
fn main() {
    let path = std::env::args().nth(1).unwrap();
    let tier = if std::env::args().nth(2).as_deref() == Some("plain") { TierChoice::Plain } else { TierChoice::Auto };
    let bytes = std::fs::read(path).unwrap();
    let t = Instant::now();
    let gguf = Gguf::parse(&bytes, bytes.len() as u64).unwrap();
    let checkpoint = Checkpoint::from_gguf(gguf).unwrap();
    println!("parse {:?}", t.elapsed());
    let t = Instant::now();
    let gpu = block_on(Gpu::request(tier)).unwrap();
    println!("gpu {:?} {:?} {:?}", gpu.report(), gpu.tier(), t.elapsed());
    let t = Instant::now();
    let mut loader = block_on(Loader::new(&gpu, &checkpoint)).unwrap();
    for piece in bytes.chunks(16 << 20) { loader.push(piece).unwrap(); }
    let weights = loader.finish().unwrap();
    println!("load {:?}", t.elapsed());
    let t = Instant::now();
    let mut model = block_on(Model::new(gpu, checkpoint.config.clone(), weights, Options { context: 2048, chunk: 128, kv: KvType::F16 })).unwrap();
    println!("model {:?}", t.elapsed());
    let ids: Vec<u32> = (0..128).map(|i| 1000 + i * 37).collect();
    for _ in 0..3 {
    model.rewind(0);
    let t = Instant::now();
    let r = model.prefill_and_choose(&ids).unwrap();
    block_on(r.words(model.gpu())).unwrap();
    println!("prefill 128: {:.2} tok/s", 128.0 / t.elapsed().as_secs_f64());
    let t = Instant::now();
    let before = model.gpu().counts();
    for _ in 0..16 { let r = model.decode().unwrap(); block_on(r.words(model.gpu())).unwrap(); }
    println!("decode: {:.2} tok/s {:?}", 16.0 / t.elapsed().as_secs_f64(), model.gpu().counts() - before);
    }
}
