//! What wgpu leaves out of `requestDevice`.

use wasm_bindgen::prelude::wasm_bindgen;

#[wasm_bindgen(module = "/src/request_device.js")]
extern "C" {
    /// Makes every device come with subgroups where its adapter has them. To be called before wgpu is.
    #[wasm_bindgen(js_name = askForSubgroups)]
    pub(crate) fn ask_for_subgroups();
}
