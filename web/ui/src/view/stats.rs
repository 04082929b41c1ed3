//! The figures of the latest answer, and how full the context is.

use protocol::Usage;
use yew::{Html, Properties, component, html};

use crate::format::{count, rate, seconds};

#[derive(Properties, PartialEq)]
pub(super) struct StatsProps {
    /// `None` before the first answer.
    pub usage: Option<Usage>,
    /// Tokens that fit the context; `None` without a model.
    pub context: Option<u32>,
}

#[component]
pub(super) fn Stats(props: &StatsProps) -> Html {
    let Some(usage) = &props.usage else { return Html::default() };
    html! {
        <div class="stats" data-testid="stats">
            if let Some(rate) = rate(usage.decode_tokens_per_second) {
                <span title="Tokens written a second"><b data-testid="decode-rate">{ rate }</b>{ " tok/s" }</span>
            }
            if let Some(rate) = rate(usage.prefill_tokens_per_second) {
                <span class="wide-only" title={prompt_title(usage)}>
                    { "prompt " }<b data-testid="prefill-rate">{ rate }</b>{ " tok/s" }
                </span>
            }
            if usage.seconds_to_first_token > 0.0 {
                <span class="wide-only" title="Time from the question to the answer’s first token">
                    { "first token " }<b>{ seconds(usage.seconds_to_first_token) }</b>
                </span>
            }
            if let Some(seed) = usage.seed {
                <span class="wide-only" title="With this seed, the same question is answered the same">
                    { "seed " }<b data-testid="seed">{ seed }</b>
                </span>
            }
            if let Some(context) = props.context {
                { meter(usage.context_used, context) }
            }
        </div>
    }
}

fn prompt_title(usage: &Usage) -> String {
    format!(
        "The prompt had {} tokens; {} of them were still in memory.",
        count(usage.prompt_tokens.into()),
        count(usage.reused_tokens.into())
    )
}

fn meter(used: u32, context: u32) -> Html {
    let (used, context) = (u64::from(used), u64::from(context));
    html! {
        <span class="context" title="Tokens of the context in use">
            <label>
                <span>{ "context " }<b data-testid="context-used">{ count(used) }</b>{ format!(" of {}", count(context)) }</span>
                <meter
                    min="0"
                    max={context.to_string()}
                    high={(context * 9 / 10).to_string()}
                    value={used.min(context).to_string()}
                />
            </label>
        </span>
    }
}
