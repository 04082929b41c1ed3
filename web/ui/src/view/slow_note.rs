//! The line that says why answers will not come as fast as they could.

use protocol::{DeviceReason, DeviceReport, Kernels};
use yew::{Html, html};

use crate::advice::PageContext;
use crate::platform;
use crate::state::Loaded;

/// Nothing where the model runs on a graphics processor, or where it was the person who chose.
pub(super) fn slow_note(loaded: Option<&Loaded>) -> Html {
    let Some(DeviceReport { reason, kernels, software, adapter, .. }) = loaded.map(|loaded| &loaded.device)
    else {
        return Html::default();
    };
    let words = match (reason, kernels) {
        (DeviceReason::TooLargeForCpu, _) => {
            "Slow: no GPU found, and the model is too large to run on the processor without what stands for one ("
        }
        (_, Kernels::Subgroups | Kernels::Plain | Kernels::Int8 | Kernels::Reference) if *software => {
            "Slow: this runs on the processor, and not in the fastest way ("
        }
        (DeviceReason::NoGpu { .. } | DeviceReason::SoftwareGpu { .. }, Kernels::Simd) => {
            "No GPU found, so the model runs on the processor ("
        }
        _ => return Html::default(),
    };
    let found = match reason {
        DeviceReason::NoGpu { found } => found,
        DeviceReason::SoftwareGpu { adapter } => adapter,
        _ => adapter,
    };
    let advice = match platform::page_context() {
        PageContext::Secure => {
            "). If this device has a GPU, switch on hardware acceleration in the browser’s settings."
        }
        PageContext::Insecure => {
            "). Browsers offer the GPU only to pages opened over https or from localhost: open this page that way."
        }
    };
    html! {
        <p class="slow" data-testid="slow">
            { words }
            <bdi>{ found }</bdi>
            { advice }
        </p>
    }
}
