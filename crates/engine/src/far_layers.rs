//! Half of a model's layers on another processor, where one has no threads: in a browser, by a second worker.
//!
//! While a prompt is read, that worker takes one step through its half while this one takes the next through its own.

use std::fmt;
use std::future::Future;
use std::pin::Pin;

use cpu::simd::{Layers, Order, Wanted, answered};

use crate::EngineError;

/// What an answer is waited for with: its bytes, or why there will be none.
pub type LineAnswer<'a> = Pin<Box<dyn Future<Output = Result<Vec<u8>, String>> + 'a>>;

/// The line to whoever runs a [`Deputy`](cpu::simd::Deputy): every order that is sent is answered, in turn.
pub trait Line {
    /// Sends an order.
    fn send(&mut self, order: Vec<u8>);
    /// Waits for the next answer.
    fn answer(&mut self) -> LineAnswer<'_>;
}

/// Orders that may be unanswered while another is sent: one that is being obeyed, and one behind it.
const MOST_UNANSWERED: usize = 2;

/// Tokens of a step of a prompt. Fewer read the weights too often, and of more the last step waits too long for its second
/// half: 122 tokens are read fastest so.
pub(crate) const CHUNK: usize = 16;

/// The later half of the layers, which a deputy has: the end of the line at which orders are given.
pub(crate) struct FarLayers {
    line: Box<dyn Line>,
    unanswered: usize,
}

impl FarLayers {
    /// Hands layers over, once there is somebody who takes them.
    pub(crate) async fn hand_over(line: Box<dyn Line>, layers: Layers) -> Result<FarLayers, EngineError> {
        let mut far = FarLayers { line, unanswered: 0 };
        for order in Order::take_over(layers) {
            far.tell(order).await?;
        }
        far.settle(0).await?;
        Ok(far)
    }

    /// Takes the stream of a step through its layers, `[tokens, hidden_size]`, and gives what is wanted of it. Does not wait
    /// where nothing is.
    pub(crate) async fn forward(&mut self, x: &[f32], wanted: Wanted) -> Result<Vec<f32>, EngineError> {
        self.tell(Order::forward(x, wanted)).await?;
        match wanted {
            Wanted::Nothing => Ok(Vec::new()),
            Wanted::Last | Wanted::Each => self.settle(0).await,
        }
    }

    /// Forgets the tokens from `position` on.
    pub(crate) fn rewind(&mut self, position: usize) {
        self.send(Order::rewind(position));
    }

    async fn tell(&mut self, order: Order) -> Result<(), EngineError> {
        self.settle(MOST_UNANSWERED - 1).await?;
        self.send(order);
        Ok(())
    }

    fn send(&mut self, order: Order) {
        self.line.send(order.bytes());
        self.unanswered += 1;
    }

    /// Waits until at most `left` orders are unanswered, and gives the last answer's stream. After one that could not be
    /// obeyed those behind it mean nothing, so they are waited for, too.
    async fn settle(&mut self, left: usize) -> Result<Vec<f32>, EngineError> {
        let mut stream = Ok(Vec::new());
        while self.unanswered > if stream.is_ok() { left } else { 0 } {
            let answer = self.line.answer().await.map_err(|reason| EngineError::Deputy { reason })?;
            self.unanswered -= 1;
            stream = stream.and(answered(&answer));
        }
        Ok(stream?)
    }
}

impl fmt::Debug for FarLayers {
    fn fmt(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
        formatter.debug_struct("FarLayers").field("unanswered", &self.unanswered).finish_non_exhaustive()
    }
}
