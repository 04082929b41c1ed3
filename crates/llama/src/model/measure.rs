//! What a token reads, and its products by themselves: for those who measure.

use super::Model;
use crate::LlamaError;
use crate::plans::products;

impl Model {
    /// Bytes of weights that a decoded token reads: every matrix once, but of the table of embeddings a row.
    pub fn bytes_per_token(&self) -> u64 {
        self.weights.bytes() - self.weights.table_bytes() + self.weights.row_bytes()
    }

    /// The same without that row: what there is to read at least.
    pub fn bytes_to_read(&self) -> u64 {
        self.weights.bytes() - self.weights.table_bytes()
    }

    /// Runs the matrix products of `tokens` tokens, without all else that they take, and waits for the last. What is in
    /// the KV cache is forgotten.
    pub async fn run_products(&mut self, tokens: usize) -> Result<(), LlamaError> {
        self.rewind(0);
        let Model { gpu, config, weights, caches, buffers, .. } = &*self;
        let plan = products(gpu, config, weights, caches, buffers).await?;
        let params = self.params(1);
        for _ in 1..tokens {
            self.gpu.step(1, &params).run(&plan).submit()?;
        }
        let receipt = self.gpu.step(1, &params).run(&plan).submit_and_read(&self.buffers.sampled, 0, 1)?;
        receipt.words(&self.gpu).await?;
        Ok(())
    }
}
