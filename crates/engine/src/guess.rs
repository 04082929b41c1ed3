//! Where guesses come from: what is in the context, or a smaller model.

use protocol::{GenerateOptions, Sampling};

use crate::lookup::lookup;
use crate::speculation::MANY;
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
        len > 0 && (self.draft_for(ids, len).is_some() || !lookup(ids, len).is_empty())
    }

    /// What may follow `ids`, at most `len` tokens. A draft that fails is let go of: an answer needs no guesses.
    pub(crate) async fn guess(&mut self, ids: &[u32], len: usize, stop: &StopFlag) -> Vec<u32> {
        if len == 0 {
            return Vec::new();
        }
        let found = lookup(ids, len);
        if !found.is_empty() || self.draft_for(ids, len).is_none() {
            return found;
        }
        let Some(draft) = &mut self.draft else { return Vec::new() };
        let Ok(mut guess) = draft.foretell(ids, len, stop).await else {
            self.draft = None;
            return Vec::new();
        };
        // Tables of embeddings may have rows beyond the tokens, and not as many.
        let known = guess.iter().take_while(|id| (**id as usize) < self.vocab_size).count();
        guess.truncate(known);
        guess
    }

    /// Has the draft read `ids` if it is to guess what follows them and is far behind, and says whether that was so.
    pub(crate) async fn catch_up(&mut self, ids: &[u32], len: usize, stop: &StopFlag) -> bool {
        let is_behind = self.draft_for(ids, len).is_some_and(|draft| draft.is_behind(ids));
        if len == 0 || !is_behind || !lookup(ids, len).is_empty() {
            return false;
        }
        let Some(draft) = &mut self.draft else { return false };
        // A draft has no draft, but the compiler cannot know.
        if Box::pin(draft.read(ids, stop)).await.is_err() {
            self.draft = None;
        }
        true
    }

    /// The draft, if it has the tokens and the room to guess `len` after `ids`.
    fn draft_for(&self, ids: &[u32], len: usize) -> Option<&Engine> {
        let draft = self.draft.as_deref()?;
        let has_room = ids.len() + len <= draft.backend.context();
        (has_room && draft.check(ids).is_ok()).then_some(draft)
    }

    /// Whether there is more to read than a check gives.
    fn is_behind(&self, ids: &[u32]) -> bool {
        let known = self.cached.iter().zip(ids).take_while(|(cached, id)| cached == id).count();
        ids.len() - known > MANY + 1
    }

    /// The likeliest `len` tokens after `ids`, or fewer if they end the turn.
    async fn foretell(&mut self, ids: &[u32], len: usize, stop: &StopFlag) -> Result<Vec<u32>, EngineError> {
        let sampling = Sampling { temperature: Some(0.0), ..Sampling::default() };
        let options = GenerateOptions { max_tokens: Some(len as u32), sampling };
        // As above.
        Ok(Box::pin(self.generate(ids, &options, stop, &mut |_| {})).await?.ids)
    }
}

#[cfg(test)]
mod tests {
    use pollster::block_on;
    use store::{MemoryFiles, NoStore};

    use super::*;
    use crate::{Device, LoadOptions, Origin};

    fn load() -> Engine {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/golden/gguf/tiny-basic-quants.gguf");
        let files = MemoryFiles::single("tiny.gguf", std::fs::read(path).unwrap());
        let options = LoadOptions { device: Device::Cpu, context: Some(64), ..LoadOptions::default() };
        block_on(Engine::load(Origin { files: &files, store: &NoStore }, options, &mut |_| {})).unwrap()
    }

    /// As many tokens have a row in the draft's table, and the prompt has those from 100 to 139: without one there is no guess,
    /// and the draft is kept for what it can read.
    #[test]
    fn a_draft_is_not_asked_about_tokens_that_it_has_not() {
        let prompt: Vec<u32> = (100..140).collect();
        let options = GenerateOptions { max_tokens: Some(12), ..GenerateOptions::default() };
        let answer = |engine: &mut Engine| {
            block_on(engine.generate(&prompt, &options, &StopFlag::default(), &mut |_| {})).unwrap()
        };
        let expected = answer(&mut load()).ids;
        for (rows, guesses) in [(100, false), (139, false), (330, true)] {
            let (mut engine, mut draft) = (load(), load());
            draft.vocab_size = rows;
            engine.assist_by(draft).unwrap();
            engine.speculate(Speculate::Always);
            assert_eq!(engine.has_guess(&prompt, 3), guesses, "{rows} rows");
            assert_eq!(answer(&mut engine).ids, expected, "{rows} rows");
            assert!(engine.draft.is_some(), "{rows} rows");
        }
    }
}
