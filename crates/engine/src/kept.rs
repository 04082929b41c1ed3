//! What of a model is kept on this machine, whichever files it is in.

use format::split_names;
use store::{Files, Store, StoreError, read_listing};

use crate::Origin;
use crate::bytes::listing_key;
use crate::open::single;

/// Whether every file of a model is kept, so that it can be loaded without its host.
pub async fn is_kept<F: Files, T: Store>(origin: Origin<'_, F, T>) -> bool {
    let keys = keys(origin).await;
    for key in &keys {
        let record = origin.store.record(key).await.ok().flatten();
        if !record.is_some_and(|record| record.is_whole()) {
            return false;
        }
    }
    !keys.is_empty()
}

/// Removes every file of a model from where it is kept.
pub async fn forget<F: Files, T: Store>(origin: Origin<'_, F, T>) -> Result<(), StoreError> {
    for key in keys(origin).await {
        origin.store.forget(&key).await?;
    }
    Ok(())
}

/// What the store knows the files by, the list of them last; empty if nothing is known of a folder.
async fn keys<F: Files, T: Store>(Origin { files, store }: Origin<'_, F, T>) -> Vec<String> {
    if let Some(name) = single(files) {
        let names = split_names(name).unwrap_or_else(|| vec![name.to_owned()]);
        return names.iter().map(|name| files.key(name)).collect();
    }
    let key = listing_key(files);
    let Some(names) = read_listing(store, &key).await else { return Vec::new() };
    names.iter().map(|name| files.key(name)).chain([key]).collect()
}
