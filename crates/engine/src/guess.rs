//! Where guesses come from: what is in the context, or a smaller model.

use protocol::{GenerateOptions, Sampling};

use crate::lookup::lookup;
use crate::{Engine, EngineError, Speculate, StopFlag};

impl Engine {
    /// Has a smaller model of the same vocabulary guess tokens ahead where nothing can be looked up ("assisted generation").
    /// Which tokens come does not depend on it.
    ///
    /// # Errors
    /// If its tokens are others.
    pub fn assist_by(&mut self, mut draft: Engine) -> Result<(), EngineError> {
        if let Some(id) = self.tokenizer.first_difference(&draft.tokenizer) {
            let [expected, found] = [&self.tokenizer, &draft.tokenizer].map(|tokens| tokens.decode(&[id]));
            return Err(EngineError::OtherVocabulary { id, expected, found });
        }
        draft.speculate(Speculate::Never);
        self.draft = Some(Box::new(draft));
        Ok(())
    }

    /// Whether there is a guess of `len` tokens after `ids`, as far as can be told for nothing.
    pub(crate) fn has_guess(&self, ids: &[u32], len: usize) -> bool {
        len > 0 && (self.draft.is_some() || !lookup(ids, len).is_empty())
    }

    /// What may follow `ids`, at most `len` tokens.
    pub(crate) async fn guess(&mut self, ids: &[u32], len: usize) -> Result<Vec<u32>, EngineError> {
        if len == 0 {
            return Ok(Vec::new());
        }
        let found = lookup(ids, len);
        match &mut self.draft {
            Some(draft) if found.is_empty() && ids.len() + len <= draft.backend.context() => {
                let mut guess = draft.foretell(ids, len).await?;
                // Tables of embeddings may have rows beyond the tokens, and not as many.
                let known = guess.iter().take_while(|id| (**id as usize) < self.vocab_size).count();
                guess.truncate(known);
                Ok(guess)
            }
            _ => Ok(found),
        }
    }

    /// The likeliest `len` tokens after `ids`, or fewer if they end the turn.
    async fn foretell(&mut self, ids: &[u32], len: usize) -> Result<Vec<u32>, EngineError> {
        let sampling = Sampling { temperature: Some(0.0), ..Sampling::default() };
        let options = GenerateOptions { max_tokens: Some(len as u32), sampling };
        let (stop, mut on_event) = (StopFlag::default(), |_| {});
        // A draft has no draft, but the compiler cannot know.
        Ok(Box::pin(self.generate(ids, &options, &stop, &mut on_event)).await?.ids)
    }
}
