//! The page's entry: Trunk compiles this to the WASM that `index.html` starts.

fn main() {
    ui::run();
}
