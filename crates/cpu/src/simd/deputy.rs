//! Layers that are computed elsewhere: by a second worker in a browser, where one has no threads.
//!
//! A model gives away its later half of the layers, with their weights, keys and values, and sends the stream of each step
//! there. Then two steps of a prompt are computed at once, half of the layers each; a token by itself gains nothing.
//! Nothing of this is stored or comes from outside: both ends are the same program.
//!
//! ```text
//! orders    begin, then a layer each; then forward and rewind in any order. Numbers are 32 bits, little-endian
//! begin     0, hidden_size, intermediate_size, rms_norm_eps, position, inv_freq
//! layer     1, its weights and its cache
//! forward   2, which tokens are wanted, the stream
//! rewind    3, position
//! answers   to forward 0 and the stream of the wanted tokens, or, where no memory is left for those of the step,
//!           1, how many tokens there is room for, and the bytes that a layer lacks; to all else nothing, in no bytes
//! ```

use super::layers::{Layers, Shape, Wanted};
use super::packing::{Packing, Unpacking};
use crate::CpuError;

const BEGIN: u32 = 0;
const LAYER: u32 = 1;
const FORWARD: u32 = 2;
const REWIND: u32 = 3;

const DONE: u32 = 0;
const NO_MEMORY: u32 = 1;

/// What a deputy is told.
#[derive(Debug)]
pub struct Order(Vec<u8>);

impl Order {
    /// To take these layers over.
    pub fn take_over(layers: Layers) -> impl Iterator<Item = Order> {
        let mut begin = Packing::of(BEGIN);
        begin.count(layers.shape.hidden_size);
        begin.count(layers.shape.intermediate_size);
        begin.all(&[layers.shape.rms_norm_eps]);
        begin.count(layers.position);
        begin.all(&layers.inv_freq);
        let each = layers.layers.into_iter().map(|(weights, cache)| {
            let mut layer = Packing::of(LAYER);
            layer.layer(&weights);
            layer.cache(&cache);
            layer
        });
        std::iter::once(begin).chain(each).map(|packing| Order(packing.bytes()))
    }

    /// To take the stream of a step through the layers, `[tokens, hidden_size]`.
    pub fn forward(x: &[f32], wanted: Wanted) -> Order {
        let mut forward = Packing::of(FORWARD);
        forward.count(wanted as usize);
        forward.all(x);
        Order(forward.bytes())
    }

    /// To forget the tokens from `position` on.
    pub fn rewind(position: usize) -> Order {
        let mut rewind = Packing::of(REWIND);
        rewind.count(position);
        Order(rewind.bytes())
    }

    /// As it is sent.
    pub fn bytes(self) -> Vec<u8> {
        self.0
    }
}

/// The stream that an answer holds, `[wanted, hidden_size]`.
///
/// # Errors
/// If whoever answers has no memory left, or the answer is not whole.
pub fn answered(answer: &[u8]) -> Result<Vec<f32>, CpuError> {
    let mut answer = Unpacking::new(answer);
    if answer.is_empty() {
        return Ok(Vec::new());
    }
    if answer.number()? == DONE {
        return answer.all();
    }
    let tokens = answer.count()?;
    let bytes = answer.all()?.first().copied().unwrap_or_default();
    Err(CpuError::ContextOutOfMemory { tokens, bytes })
}

/// Who computes layers for a model that is elsewhere.
#[derive(Debug, Default)]
pub struct Deputy(Layers);

impl Deputy {
    /// Does what it is told, and gives the answer.
    ///
    /// # Errors
    /// If the order is not whole. That there is no memory left for a step is an answer.
    pub fn obey(&mut self, order: &[u8]) -> Result<Vec<u8>, CpuError> {
        let Deputy(layers) = self;
        let mut order = Unpacking::new(order);
        match order.number()? {
            BEGIN => {
                let [hidden_size, intermediate_size] = [order.count()?, order.count()?];
                let rms_norm_eps = order.all::<f32>()?.first().copied().unwrap_or_default();
                let shape = Shape { hidden_size, intermediate_size, rms_norm_eps };
                let position = order.count()?;
                *layers = Layers { shape, inv_freq: order.all()?, layers: Vec::new(), position };
            }
            LAYER => layers.layers.push((order.layer()?, order.cache()?)),
            FORWARD => {
                let wanted = match order.number()? {
                    0 => Wanted::Nothing,
                    1 => Wanted::Last,
                    _ => Wanted::Each,
                };
                return answer(layers.forward(order.all()?, wanted));
            }
            REWIND => layers.rewind(order.count()?),
            found => return Err(CpuError::NoOrder { found }),
        }
        Ok(Vec::new())
    }
}

fn answer(stream: Result<Vec<f32>, CpuError>) -> Result<Vec<u8>, CpuError> {
    match stream {
        Ok(x) => {
            let mut answer = Packing::of(DONE);
            answer.all(&x);
            Ok(answer.bytes())
        }
        Err(CpuError::ContextOutOfMemory { tokens, bytes }) => {
            let mut answer = Packing::of(NO_MEMORY);
            answer.count(tokens);
            answer.all(&[bytes]);
            Ok(answer.bytes())
        }
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_a_stream_or_what_is_lacking() {
        let lacks = CpuError::ContextOutOfMemory { tokens: 64, bytes: 1 << 33 };
        for stream in [Ok(Vec::new()), Ok(vec![1.0, -2.5]), Err(lacks)] {
            assert_eq!(answered(&answer(stream.clone()).unwrap()), stream);
        }
        assert_eq!(answered(&[]), Ok(Vec::new()));
        assert_eq!(answer(Err(CpuError::NoOrder { found: 9 })), Err(CpuError::NoOrder { found: 9 }));
        assert_eq!(answered(&[0, 0]), Err(CpuError::BrokenOff { expected: 4, found: 2 }));
    }

    #[test]
    fn orders_that_are_none_are_refused() {
        let mut deputy = Deputy::default();
        let order = |numbers: &[u32]| bytemuck::cast_slice::<u32, u8>(numbers).to_vec();
        for (bytes, sentence) in [
            (order(&[9]), "A worker was told 9, which is no order; load the model again."),
            (
                vec![1, 0],
                "What one worker sent another broke off: 4 bytes were expected, 2 came; load the model again.",
            ),
            (
                order(&[3]),
                "What one worker sent another broke off: 4 bytes were expected, 0 came; load the model again.",
            ),
            (
                order(&[2, 0, 7, 0]),
                "What one worker sent another broke off: 28 bytes were expected, 4 came; load the model again.",
            ),
            (
                order(&[2, 0, u32::MAX]),
                "What one worker sent another broke off: 17179869180 bytes were expected, 0 came; load the model again.",
            ),
        ] {
            assert_eq!(deputy.obey(&bytes).unwrap_err().to_string(), sentence, "{bytes:?}");
        }
    }
}
