//! The whole Llama model on the CPU as fast as vector instructions go: for browsers without WebGPU, and for those whose
//! WebGPU is computed by the CPU, which is slower.
//!
//! Weights stay quantized, and are multiplied as whole numbers: activations are rounded to 16 bits with a scale a token,
//! which loses some 1e-5 of a product and so stays within what is asked of `f32`. Eight bits would lose a hundred times
//! as much, and gain nothing where `i32x4.dot_i16x8` is what multiplies.
//!
//! [`Matrix`] holds weights as the instructions read them, [`Activations`] what they are multiplied with, `product`
//! is the kernel, [`Layers::forward`] the model but for its ends, and a [`Deputy`]
//! computes half of the layers for a [`Model`] elsewhere.

mod activations;
mod attention;
mod deputy;
mod elementwise;
mod layers;
mod matrix;
mod model;
mod packing;
mod product;
mod threads;
mod weights;

pub use deputy::{Deputy, Order, answered};
pub use layers::{Layers, Wanted};
pub use model::Model;
pub use weights::{Weights, WeightsBuilder};
