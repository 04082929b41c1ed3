//! How the next model is loaded: folded away, since what the engine chooses suits most.

use protocol::{Device, Kv, LoadOptions, ModelInfo, Quantize};
use web_sys::HtmlSelectElement;
use yew::{Callback, Event, Html, Properties, TargetCast, component, html};

use super::icons;
use crate::format::{bytes, count};
use crate::state::{Action, ModelPhase};

/// The shortest is for devices with little memory, the longest is Llama 3.1's.
const CONTEXTS: [(Option<u32>, &str); 6] = [
    (None, "Automatic"),
    (Some(1_024), "1,024 tokens"),
    (Some(4_096), "4,096 tokens"),
    (Some(8_192), "8,192 tokens"),
    (Some(32_768), "32,768 tokens"),
    (Some(131_072), "131,072 tokens"),
];

const DEVICES: [(Device, &str); 4] = [
    (Device::Automatic, "Automatic"),
    (Device::Gpu, "GPU"),
    (Device::Cpu, "Processor"),
    (Device::OneCore, "Processor, one core"),
];

const WEIGHTS: [(Quantize, &str); 4] = [
    (Quantize::Automatic, "Automatic"),
    (Quantize::Never, "As stored"),
    (Quantize::Q8, "8 bits"),
    (Quantize::Q4, "4 bits"),
];

#[derive(Properties, PartialEq)]
pub(super) struct LoadChoicesProps {
    pub options: LoadOptions,
    pub model: ModelPhase,
    pub act: Callback<Action>,
}

#[component]
pub(super) fn LoadChoices(props: &LoadChoicesProps) -> Html {
    let LoadChoicesProps { options, model, act } = props;
    let options = *options;
    let device = act.reform(move |device| Action::OptionsChanged(LoadOptions { device, ..options }));
    let context = act.reform(move |context| Action::OptionsChanged(LoadOptions { context, ..options }));
    let kv = act.reform(move |kv| Action::OptionsChanged(LoadOptions { kv, ..options }));
    let quantize = act.reform(move |quantize| Action::OptionsChanged(LoadOptions { quantize, ..options }));
    html! {
        <details class="load-options">
            <summary data-testid="load-options">{ "Options" }</summary>
            <div class="choices">
                { choice("option-device", "Runs on", DEVICES, options.device, device) }
                { choice("option-context", "Context", CONTEXTS, options.context, context) }
                { choice("option-kv", "Keys and values", Kv::ALL.map(precision), options.kv, kv) }
                { choice("option-weights", "Weights", WEIGHTS, options.quantize, quantize) }
            </div>
            <p class="note">
                { "For the model that you load next. A longer context takes more memory: in floats twice as much as in \
                   halves, in bytes little more than half as much. Fewer bits lose a little. The processor keeps floats." }
            </p>
            if let ModelPhase::Loaded(loaded) = model {
                <p class="note" data-testid="context-facts">{ context_facts(&loaded.model) }</p>
            }
        </details>
    }
}

fn context_facts(model: &ModelInfo) -> String {
    let (context, kv) = (count(model.context.into()), model.kv.name());
    let memory = bytes(model.kv_bytes_per_token.saturating_mul(1000));
    format!("The model in use has a context of {context} tokens, of which 1,000 take {memory} in {kv}.")
}

fn precision(kv: Kv) -> (Kv, &'static str) {
    match kv {
        Kv::I8 => (kv, "Bytes"),
        Kv::F16 => (kv, "Halves"),
        Kv::F32 => (kv, "Floats"),
    }
}

/// A list to choose from. What is chosen is told by its place, so that values need no words of their own.
fn choice<T: Copy + PartialEq + 'static, const N: usize>(
    id: &'static str,
    label: &'static str,
    choices: [(T, &'static str); N],
    chosen: T,
    choose: Callback<T>,
) -> Html {
    let options = choices.map(|(value, words)| {
        html! { <option selected={value == chosen}>{ words }</option> }
    });
    let onchange = Callback::from(move |event: Event| {
        let at = event.target_unchecked_into::<HtmlSelectElement>().selected_index();
        if let Some((value, _)) = usize::try_from(at).ok().and_then(|at| choices.get(at)) {
            choose.emit(*value);
        }
    });
    html! {
        <div class="choice">
            <label for={id}>{ label }</label>
            <div class="choice-list">
                <select {id} data-testid={id} {onchange}>{ for options }</select>
                { icons::chevron() }
            </div>
        </div>
    }
}
