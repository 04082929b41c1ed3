//! Both models of the crate behind one signature, each with how far it may be from transformers.

use cpu::{Model, Weights, simd};
use format::Checkpoint;

/// A model that takes tokens.
pub(crate) trait Forward {
    /// The logits after each of `ids`.
    fn read(&mut self, ids: &[u32]) -> Vec<Vec<f32>>;
    fn position(&self) -> usize;
    fn rewind(&mut self, position: usize);
}

impl Forward for Model {
    fn read(&mut self, ids: &[u32]) -> Vec<Vec<f32>> {
        ids.iter().map(|id| self.forward(*id)).collect()
    }

    fn position(&self) -> usize {
        Model::position(self)
    }

    fn rewind(&mut self, position: usize) {
        Model::rewind(self, position);
    }
}

impl Forward for simd::Model {
    /// In steps that fill groups of tokens and that don't.
    fn read(&mut self, ids: &[u32]) -> Vec<Vec<f32>> {
        let vocab_size = self.config().vocab_size;
        let mut all = Vec::with_capacity(ids.len());
        for ids in ids.chunks(61) {
            let position = simd::Model::position(self);
            // What is left out for a token that nothing is asked of, nobody misses.
            for wanted in [simd::Wanted::Nothing, simd::Wanted::Last] {
                let x = self.forward(ids, wanted).unwrap();
                assert_eq!(x.len() / self.config().hidden_size, usize::from(wanted == simd::Wanted::Last));
                all.extend((!x.is_empty()).then(|| self.logits(&x)));
                simd::Model::rewind(self, position);
            }
            let last = all.pop().unwrap_or_default();
            let x = self.forward(ids, simd::Wanted::Each).unwrap();
            all.extend(self.logits(&x).chunks_exact(vocab_size).map(<[f32]>::to_vec));
            assert_eq!(all.last(), Some(&last), "the last of {} tokens alone", ids.len());
        }
        all
    }

    fn position(&self) -> usize {
        simd::Model::position(self)
    }

    fn rewind(&mut self, position: usize) {
        simd::Model::rewind(self, position);
    }
}

/// A model whose later half of layers a deputy computes.
pub(crate) struct Shared {
    model: simd::Model,
    deputy: simd::Deputy,
}

impl Shared {
    /// The half goes when there are keys and values already, so that these have to go with it.
    fn new(mut model: simd::Model) -> Shared {
        model.forward(&[1, 2, 3, 4], simd::Wanted::Nothing).unwrap();
        let mut deputy = simd::Deputy::default();
        if let Some(half) = model.give_half() {
            for order in simd::Order::take_over(half) {
                assert!(deputy.obey(&order.bytes()).unwrap().is_empty());
            }
        }
        let mut shared = Shared { model, deputy };
        shared.rewind(0);
        shared
    }

    fn forward(&mut self, ids: &[u32], wanted: simd::Wanted) -> Vec<f32> {
        let x = self.model.forward(ids, wanted).unwrap();
        simd::answered(&self.deputy.obey(&simd::Order::forward(&x, wanted).bytes()).unwrap()).unwrap()
    }
}

impl Forward for Shared {
    fn read(&mut self, ids: &[u32]) -> Vec<Vec<f32>> {
        let (config, position) = (*self.model.config(), self.position());
        let mut all = Vec::with_capacity(ids.len());
        for ids in ids.chunks(61) {
            let x = self.forward(ids, simd::Wanted::Each);
            all.extend(self.model.logits(&x).chunks_exact(config.vocab_size).map(<[f32]>::to_vec));
        }
        // Once more, as a prompt is read: nothing is wanted but what follows its last token.
        let (last, before) = ids.split_last().unwrap();
        self.rewind(position);
        assert!(self.forward(before, simd::Wanted::Nothing).is_empty());
        let x = self.forward(&[*last], simd::Wanted::Last);
        assert_close("the last", &self.model.logits(&x), all.last().unwrap(), 1e-4);
        all
    }

    fn position(&self) -> usize {
        self.model.position()
    }

    fn rewind(&mut self, position: usize) {
        self.model.rewind(position);
        assert!(self.deputy.obey(&simd::Order::rewind(position).bytes()).unwrap().is_empty());
    }
}

/// What computes, by name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Reference,
    Simd,
    /// The same with a deputy.
    Shared,
}

impl Kind {
    pub(crate) const ALL: [Kind; 3] = [Kind::Reference, Kind::Simd, Kind::Shared];

    /// A model from the bytes of its files, taken in pieces of so many.
    pub(crate) fn load(self, checkpoint: &Checkpoint, files: &[Vec<u8>], piece: usize) -> Box<dyn Forward> {
        macro_rules! push {
            ($builder:expr) => {{
                let mut builder = $builder;
                for (file, bytes) in files.iter().enumerate() {
                    for (index, bytes) in bytes.chunks(piece).enumerate() {
                        builder.push(file, (index * piece) as u64, bytes).unwrap();
                    }
                }
                builder.finish().unwrap()
            }};
        }
        let simd = || {
            let weights = push!(simd::Weights::builder(checkpoint).unwrap());
            simd::Model::new(checkpoint.config, weights)
        };
        match self {
            Kind::Reference => Box::new(Model::new(checkpoint.config, push!(Weights::builder(checkpoint)))),
            Kind::Simd => Box::new(simd()),
            Kind::Shared => Box::new(Shared::new(simd())),
        }
    }
}

/// That logits are those of transformers, but for `bound` of their standard deviation.
#[track_caller]
pub(crate) fn assert_close(what: &str, got: &[f32], expected: &[f32], bound: f32) {
    assert_eq!(got.len(), expected.len(), "{what}");
    let mean = expected.iter().sum::<f32>() / expected.len() as f32;
    let variance = expected.iter().map(|value| (value - mean).powi(2)).sum::<f32>() / expected.len() as f32;
    for (i, (got, expected)) in got.iter().zip(expected).enumerate() {
        let error = (got - expected).abs() / variance.sqrt();
        assert!(error <= bound, "{what}[{i}]: got {got}, expected {expected}, error {error:e}");
    }
}
