//! What wgpu leaves out of `requestDevice`, and of what comes before it.

use wasm_bindgen::prelude::wasm_bindgen;

#[wasm_bindgen(module = "/src/request_device.js")]
extern "C" {
    /// Makes every device come with subgroups where its adapter has them. To be called before wgpu is.
    #[wasm_bindgen(js_name = askForSubgroups)]
    pub(crate) fn ask_for_subgroups();

    /// Of the adapter that the last device came from, as far as the browser tells; else empty.
    #[wasm_bindgen(js_name = vendorAndArchitecture)]
    pub(crate) fn vendor_and_architecture() -> String;
}
