//! The worker: protocol on one side, engine on the other, and the browser behind `store`'s traits.
//!
//! It speaks first: the page sends nothing before [`Event::Ready`](protocol::Event::Ready).

#[cfg(target_arch = "wasm32")]
mod deputy;
#[cfg(target_arch = "wasm32")]
mod durable;
#[cfg(target_arch = "wasm32")]
mod fetch;
#[cfg(target_arch = "wasm32")]
mod file;
#[cfg(target_arch = "wasm32")]
mod held;
#[cfg(target_arch = "wasm32")]
mod indexed_db;
#[cfg(target_arch = "wasm32")]
mod nudge;
#[cfg(target_arch = "wasm32")]
mod port;
#[cfg(target_arch = "wasm32")]
mod request_device;
#[cfg(target_arch = "wasm32")]
mod session;
#[cfg(target_arch = "wasm32")]
mod site;
#[cfg(any(target_arch = "wasm32", test))]
mod work;

#[cfg(target_arch = "wasm32")]
fn main() {
    console_error_panic_hook::set_once();
    if deputy::is_this() {
        return deputy::serve();
    }
    request_device::ask_for_subgroups();
    port::show_memory();
    wasm_bindgen_futures::spawn_local(session::run());
}

/// Only a browser runs the worker; elsewhere it is built so that the workspace is one.
#[cfg(not(target_arch = "wasm32"))]
fn main() {}
