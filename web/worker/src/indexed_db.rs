//! Where pieces rest in a browser: IndexedDB, one Blob a piece.
//!
//! Blobs, not buffers: browsers keep a Blob as a file, and reading one is many times faster.
//! The record of a model is written in a transaction of its own, after the pieces that it tells of. One that says that
//! all of them are there is not done before the disk has it, so that a download is lost to no power cut.

use std::cell::RefCell;
use std::rc::Rc;

use idb::{Database, DatabaseEvent, Factory, ObjectStoreParams, TransactionMode};
use js_sys::{Array, Uint8Array};
use store::{Aside, Hash, Record, Store, StoreError};
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::JsFuture;
use web_sys::{Blob, Crypto};

use crate::durable::{Durability, RawDatabase};
use crate::fetch::describe;
use crate::held::InBrowser;
use crate::port::{breathe, scope};

const DATABASE: &str = "pronk-models";
const VERSION: u32 = 1;

/// Key: `[model, index]`; value: a Blob.
const PIECES: &str = "pieces";

/// Key: model; value: the record's bytes. And small values besides, whose keys no address begins as.
const RECORDS: &str = "records";

/// The models of this site.
#[derive(Default)]
pub(crate) struct IndexedDb {
    connection: RefCell<Option<Rc<Connection>>>,
}

/// The open database, as `idb` has it and as the browser does.
struct Connection {
    database: Database,
    raw: RawDatabase,
}

impl IndexedDb {
    /// Opened on first use, so that a browser that refuses storage can still run a model.
    async fn connection(&self) -> Result<Rc<Connection>, StoreError> {
        if let Some(connection) = self.connection.borrow().as_ref() {
            return Ok(connection.clone());
        }
        let opened = Rc::new(open().await.map_err(|error| failed(&error))?);
        *self.connection.borrow_mut() = Some(opened.clone());
        Ok(opened)
    }

    async fn get(&self, store: &str, key: JsValue) -> Result<Option<JsValue>, StoreError> {
        let connection = self.connection().await?;
        let get = async {
            let transaction = connection.database.transaction(&[store], TransactionMode::ReadOnly)?;
            transaction.object_store(store)?.get(key)?.await
        };
        get.await.map_err(|error| failed(&error))
    }

    /// Done only when the transaction is: a full disk shows at its end.
    async fn put(
        &self,
        store: &str,
        key: &JsValue,
        value: &JsValue,
        durability: Durability,
    ) -> Result<(), StoreError> {
        let connection = self.connection().await?;
        let put = async {
            let transaction = connection.raw.writing(store, durability)?;
            transaction.object_store(store)?.put(value, Some(key))?.await?;
            transaction.await
        };
        match put.await {
            Ok(result) if result.is_committed() => Ok(()),
            Ok(_) => Err(failed(&"the transaction was aborted")),
            Err(error) => Err(failed(&error)),
        }
    }

    async fn delete(&self, store: &str, key: impl Into<idb::Query>) -> Result<(), StoreError> {
        let connection = self.connection().await?;
        let delete = async {
            let transaction = connection.raw.writing(store, Durability::Default)?;
            transaction.object_store(store)?.delete(key)?.await?;
            transaction.await
        };
        delete.await.map(|_| ()).map_err(|error| failed(&error))
    }
}

impl Store for IndexedDb {
    type Held = InBrowser;

    fn hold(&self, bytes: Vec<u8>) -> InBrowser {
        InBrowser::new(&bytes)
    }

    async fn piece(&self, model: &str, index: u32) -> Result<Option<InBrowser>, StoreError> {
        let blob = self.get(PIECES, piece_key(model, index)).await?;
        let Some(blob) = blob.and_then(|value| value.dyn_into::<Blob>().ok()) else { return Ok(None) };
        // The file behind the Blob may be gone, though the record of it is not.
        let buffer = JsFuture::from(blob.array_buffer()).await;
        let buffer = buffer.map_err(|error| failed(&describe(&error)))?;
        Ok(Some(InBrowser(Uint8Array::new(&buffer))))
    }

    async fn breathe(&self) {
        breathe().await;
    }

    async fn keep_piece(&self, model: &str, index: u32, bytes: &InBrowser) -> Result<(), StoreError> {
        let parts = Array::of1(&bytes.0);
        let blob = Blob::new_with_u8_array_sequence(&parts);
        let blob = blob.map_err(|error| failed(&describe(&error)))?;
        self.put(PIECES, &piece_key(model, index), &blob, Durability::Default).await
    }

    async fn record(&self, model: &str) -> Result<Option<Record>, StoreError> {
        let value = self.get(RECORDS, JsValue::from(model)).await?;
        let bytes = value.and_then(|value| value.dyn_into::<Uint8Array>().ok());
        bytes.map(|bytes| Record::from_bytes(&bytes.to_vec())).transpose()
    }

    async fn keep_record(&self, model: &str, record: &Record) -> Result<(), StoreError> {
        let bytes = Uint8Array::from(record.to_bytes().as_slice());
        let durability = if record.is_whole() { Durability::Strict } else { Durability::Default };
        self.put(RECORDS, &JsValue::from(model), &bytes, durability).await
    }

    async fn forget(&self, model: &str) -> Result<(), StoreError> {
        self.delete(RECORDS, JsValue::from(model)).await?;
        let [first, last] = [0, u32::MAX].map(|index| piece_key(model, index));
        let range = idb::KeyRange::bound(&first, &last, Some(false), Some(false));
        let range = range.map_err(|error| failed(&error))?;
        self.delete(PIECES, range).await
    }

    /// The browser's own SHA-256 is several times faster than one in WASM. It is there on safe origins only.
    async fn hash(&self, bytes: &InBrowser) -> Hash {
        digest(&bytes.0).await.unwrap_or_else(|| Hash::of_held(bytes))
    }
}

impl Aside for IndexedDb {
    async fn value(&self, name: &str) -> Result<Option<Vec<u8>>, StoreError> {
        let value = self.get(RECORDS, aside_key(name)).await?;
        Ok(value.and_then(|value| value.dyn_into::<Uint8Array>().ok()).map(|bytes| bytes.to_vec()))
    }

    async fn keep_value(&self, name: &str, bytes: &[u8]) -> Result<(), StoreError> {
        self.put(RECORDS, &aside_key(name), &Uint8Array::from(bytes), Durability::Strict).await
    }
}

/// None where the browser has no hash of its own, as on origins that are not safe.
async fn digest(bytes: &Uint8Array) -> Option<Hash> {
    let crypto: Crypto = scope().crypto().ok()?;
    let digest = crypto.subtle().digest_with_str_and_buffer_source("SHA-256", bytes).ok()?;
    let digest = Uint8Array::new(&JsFuture::from(digest).await.ok()?);
    Some(Hash(digest.to_vec().try_into().ok()?))
}

async fn open() -> Result<Connection, idb::Error> {
    let mut request = Factory::new()?.open(DATABASE, Some(VERSION))?;
    request.on_upgrade_needed(|event| {
        // An upgrade that fails leaves the database without its stores, and the first use of one says so.
        if let Ok(database) = event.database() {
            for store in [PIECES, RECORDS] {
                drop(database.create_object_store(store, ObjectStoreParams::new()));
            }
        }
    });
    let mut database = request.await?;
    // Another tab with a newer version of the page may want to upgrade.
    database.on_version_change(|event| {
        if let Ok(database) = event.database() {
            database.close();
        }
    });
    // It is told for as long as the page lives, whoever holds the database.
    database.forget_callbacks();
    let raw = JsValue::from(database);
    Ok(Connection { database: Database::try_from(raw.clone())?, raw: raw.unchecked_into() })
}

fn piece_key(model: &str, index: u32) -> JsValue {
    Array::of2(&JsValue::from(model), &JsValue::from(index)).into()
}

fn aside_key(name: &str) -> JsValue {
    JsValue::from(format!("aside {name}"))
}

/// A full disk is the one failure that a person can do something about.
fn failed(found: &dyn std::fmt::Display) -> StoreError {
    let detail = found.to_string();
    if detail.contains("Quota") { StoreError::Quota { detail } } else { StoreError::Storage { detail } }
}
