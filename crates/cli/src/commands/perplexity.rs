//! `pronk perplexity`: how well a model foretells a text, and what it has lost against another.
//!
//! The text is cut into windows. Of each the second half is scored, so that every scored token has half a window or more
//! before it; a model that wants `bos` gets it in front of each window. As llama.cpp's `perplexity` does it.
//!
//! ```text
//! perplexity = exp(mean of -ln q(token))
//! divergence = mean of sum over the vocabulary of p (ln p - ln q)      p: --against, q: the model
//! ```

use std::fmt::Write;

use anyhow::{Context, Result, bail};
use engine::{Device, Engine, LoadOptions, Quantize};
use gpu::TierChoice;
use llama::KvType;
use serde::Serialize;

use crate::args::{ModelArgs, PerplexityArgs};
use crate::location::Location;
use crate::output::{print, print_json, tell};
use crate::source::load;

/// What is found.
#[derive(Debug, Default, Serialize)]
struct Scores {
    /// Tokens of the text that were scored.
    tokens: usize,
    perplexity: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    against: Option<Against>,
}

/// What is found against another model.
#[derive(Debug, Serialize)]
struct Against {
    perplexity: f64,
    /// In nats.
    mean_kl_divergence: f64,
    largest_kl_divergence: f64,
    /// How often both find the same token likeliest, 0 to 1.
    same_top: f64,
}

/// Sums over the scored tokens.
#[derive(Default)]
struct Sums {
    tokens: usize,
    surprise: f64,
    base_surprise: f64,
    divergence: f64,
    largest: f64,
    same_top: usize,
}

pub(crate) fn perplexity(args: &PerplexityArgs) -> Result<()> {
    let text = std::fs::read_to_string(&args.file)
        .with_context(|| format!("The text {} can't be read", args.file))?;
    let window = args.window as usize;
    let options = args.device.load_options(Some(window + 1), args.kv);
    let mut engine = load(&args.model, options)?;
    let mut base = match &args.against {
        None => None,
        Some(location) => {
            let device = in_floats(options.device);
            let truth = LoadOptions { device, quantize: Quantize::Never, kv: KvType::F32, ..options };
            Some(load(&of(location, &args.model), truth)?)
        }
    };
    let ids = engine.tokenizer().encode(&text)?;
    let windows: Vec<&[u32]> = ids.chunks_exact(window).collect();
    if windows.is_empty() {
        bail!(
            "{} has {} tokens, and a window takes {window}; take a longer text or a smaller --window",
            args.file,
            ids.len()
        );
    }
    let mut sums = Sums::default();
    for (index, ids) in windows.iter().enumerate() {
        score(&mut engine, base.as_mut(), ids, &mut sums)?;
        if !args.json {
            let so_far = (sums.surprise / sums.tokens as f64).exp();
            tell(&format!("window {} of {}: perplexity {so_far:.4}", index + 1, windows.len()));
        }
    }
    let scores = sums.scores(base.is_some());
    match args.json {
        true => print_json(&scores),
        false => Ok(print(&said(&scores))?),
    }
}

/// Where the other model computes, so that what rounding of activations loses shows, too.
fn in_floats(device: Device) -> Device {
    match device {
        Device::Gpu(TierChoice::Auto | TierChoice::Int8) => Device::Gpu(TierChoice::Plain),
        other => other,
    }
}

/// The other model is kept, or not, as the first one is.
fn of(location: &Location, model: &ModelArgs) -> ModelArgs {
    ModelArgs { location: location.clone(), no_cache: model.no_cache }
}

fn score(engine: &mut Engine, base: Option<&mut Engine>, ids: &[u32], sums: &mut Sums) -> Result<()> {
    let first = ids.len() / 2;
    let base = base.map(|base| log_probabilities(base, ids, first)).transpose()?;
    let log_probabilities = log_probabilities(engine, ids, first)?;
    for (at, q) in log_probabilities.iter().enumerate() {
        let Some(next) = ids.get(first + at).and_then(|id| q.get(*id as usize).map(|q| (*id as usize, *q)))
        else {
            continue;
        };
        let (token, surprise) = (next.0, -f64::from(next.1));
        sums.tokens += 1;
        sums.surprise += surprise;
        let Some(p) = base.as_ref().and_then(|base| base.get(at)) else { continue };
        if p.len() != q.len() {
            bail!("the two models have different vocabularies: {} and {} tokens", q.len(), p.len());
        }
        sums.compare(p, q, token);
    }
    Ok(())
}

/// Logarithms of the probabilities of what comes at each place of `ids` from `first` on, `[ids - first, vocab_size]`.
fn log_probabilities(engine: &mut Engine, ids: &[u32], first: usize) -> Result<Vec<Vec<f32>>> {
    let bos = engine.tokenizer().bos_before_text();
    let read: Vec<u32> = bos.into_iter().chain(ids.iter().copied()).collect();
    // What comes at a place is foretold by the token before it; the last token foretells what is not there.
    let before = first + bos.map_or(0, |_| 1) - 1;
    let mut rows = Vec::with_capacity(ids.len() - first);
    let take = &mut |_, logits: &[f32]| rows.push(log_softmax(logits));
    pollster::block_on(engine.each_logits(read.get(..read.len() - 1).unwrap_or_default(), before, take))?;
    Ok(rows)
}

fn log_softmax(logits: &[f32]) -> Vec<f32> {
    let most = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let sum: f64 = logits.iter().map(|logit| f64::from(logit - most).exp()).sum();
    let offset = f64::from(most) + sum.ln();
    logits.iter().map(|logit| (f64::from(*logit) - offset) as f32).collect()
}

fn top(values: &[f32]) -> Option<usize> {
    (0..values.len()).max_by(|a, b| values[*a].total_cmp(&values[*b]))
}

impl Sums {
    fn compare(&mut self, p: &[f32], q: &[f32], token: usize) {
        let terms = p.iter().zip(q).map(|(p, q)| f64::from(*p).exp() * (f64::from(*p) - f64::from(*q)));
        let divergence: f64 = terms.filter(|term| term.is_finite()).sum();
        self.base_surprise -= p.get(token).map_or(0.0, |p| f64::from(*p));
        self.divergence += divergence;
        self.largest = self.largest.max(divergence);
        self.same_top += usize::from(top(p) == top(q));
    }

    fn scores(&self, compared: bool) -> Scores {
        let mean = |sum: f64| sum / self.tokens as f64;
        let against = Against {
            perplexity: mean(self.base_surprise).exp(),
            mean_kl_divergence: mean(self.divergence),
            largest_kl_divergence: self.largest,
            same_top: mean(self.same_top as f64),
        };
        Scores {
            tokens: self.tokens,
            perplexity: mean(self.surprise).exp(),
            against: compared.then_some(against),
        }
    }
}

fn said(scores: &Scores) -> String {
    let mut text = format!("perplexity       {:.4} over {} tokens\n", scores.perplexity, scores.tokens);
    if let Some(against) = &scores.against {
        // Writing to a `String` cannot fail.
        let _ = writeln!(text, "against          {:.4}", against.perplexity);
        let _ = writeln!(
            text,
            "KL divergence    {:.6} in the mean, {:.4} at most",
            against.mean_kl_divergence, against.largest_kl_divergence
        );
        let _ = writeln!(text, "same top token   {:.2} %", against.same_top * 100.0);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn divergence_of_two_known_distributions() {
        let ln = |values: [f64; 3]| values.map(|value| value.ln() as f32);
        let (p, q) = (ln([0.5, 0.25, 0.25]), ln([0.25, 0.25, 0.5]));
        let mut sums = Sums { tokens: 2, ..Sums::default() };
        sums.compare(&p, &q, 0);
        sums.compare(&p, &p, 1);
        let scores = sums.scores(true).against.unwrap();
        // 0.5 ln 2 - 0.25 ln 2, and nothing.
        let expected = 0.25 * 2f64.ln();
        assert!((scores.mean_kl_divergence - expected / 2.0).abs() < 1e-6, "{scores:?}");
        assert!((scores.largest_kl_divergence - expected).abs() < 1e-6, "{scores:?}");
        assert_eq!(scores.same_top, 0.5);
        // The base gave 1/2 and 1/4.
        assert!((scores.perplexity - 8f64.sqrt()).abs() < 1e-5, "{scores:?}");
    }

    #[test]
    fn logits_become_logarithms_of_probabilities() {
        let got = log_softmax(&[1000.0, 1000.0 + 3f32.ln(), f32::NEG_INFINITY]);
        for (got, expected) in got.iter().zip([0.25f32.ln(), 0.75f32.ln(), f32::NEG_INFINITY]) {
            assert!(*got == expected || (got - expected).abs() < 1e-4, "got {got}, expected {expected}");
        }
    }
}
