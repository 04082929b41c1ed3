//! How far a transaction has come when it says that it is done, which `idb` has no word for and web-sys calls unstable.

use idb::Transaction;
use js_sys::{Object, Reflect};
use wasm_bindgen::JsValue;
use wasm_bindgen::prelude::wasm_bindgen;
use web_sys::IdbTransaction;

/// What a transaction waits for before it is done.
#[derive(Clone, Copy)]
pub(crate) enum Durability {
    /// As the browser likes: most leave the bytes to the operating system, and a loss of power may take them back.
    Default,
    /// The disk has it, and all that was written before.
    Strict,
}

#[wasm_bindgen]
extern "C" {
    /// An `IDBDatabase`.
    #[derive(Clone)]
    pub(crate) type RawDatabase;

    #[wasm_bindgen(method, catch, js_name = transaction)]
    fn transaction(
        this: &RawDatabase,
        store: &str,
        mode: &str,
        options: &Object,
    ) -> Result<IdbTransaction, JsValue>;
}

impl RawDatabase {
    /// A transaction that may write. Browsers that know no durability pass it over.
    pub(crate) fn writing(&self, store: &str, durability: Durability) -> Result<Transaction, idb::Error> {
        let word = match durability {
            Durability::Default => "default",
            Durability::Strict => "strict",
        };
        let options = Object::new();
        Reflect::set(&options, &JsValue::from("durability"), &JsValue::from(word))
            .and_then(|_| self.transaction(store, "readwrite", &options))
            .map(Transaction::from)
            .map_err(idb::Error::TransactionOpenFailed)
    }
}
