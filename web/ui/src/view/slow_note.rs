//! The line that says why answers will come slowly.

use yew::{Html, html};

use crate::state::Loaded;

/// Nothing where the model runs on a graphics processor.
pub(super) fn slow_note(loaded: Option<&Loaded>) -> Html {
    let Some(loaded) = loaded.filter(|loaded| loaded.device.software) else { return Html::default() };
    html! {
        <p class="slow" data-testid="slow">
            { "Slow: no GPU found, so the model runs on the processor (" }
            <bdi>{ &loaded.device.adapter }</bdi>
            { "). If this device has a GPU, switch on hardware acceleration in the browser’s settings." }
        </p>
    }
}
