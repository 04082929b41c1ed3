//! Which files of a folder a model consists of, remembered so that the next visit need not ask which there are.
//!
//! Kept as a model of one piece with a record, so that it is checked and forgotten as any other.
//! Written last: where there is a listing, every file of it has been read once.

use crate::{Hash, Held, Record, Store, StoreError};

/// The names of a folder's files, if they were remembered whole.
pub async fn read_listing<T: Store>(store: &T, key: &str) -> Option<Vec<String>> {
    let record = store.record(key).await.ok()??;
    let held = store.piece(key, 0).await.ok()??;
    let is_right = record.pieces == [Some(store.hash(&held).await)];
    let mut bytes = Vec::new();
    held.append_to(0..held.size(), &mut bytes);
    let text = String::from_utf8(bytes).ok().filter(|_| is_right)?;
    Some(text.lines().map(str::to_owned).collect())
}

/// Remembers the names of a folder's files. None of them has a line break in it.
pub async fn keep_listing<T: Store>(store: &T, key: &str, names: &[String]) -> Result<(), StoreError> {
    let held = store.hold(names.join("\n").into_bytes());
    let hash: Hash = store.hash(&held).await;
    store.keep_piece(key, 0, &held).await?;
    let record = Record { size: held.size() as u64, version: None, pieces: vec![Some(hash)] };
    store.keep_record(key, &record).await
}

#[cfg(test)]
mod tests {
    use pollster::block_on;

    use super::*;
    use crate::MemoryStore;

    const KEY: &str = "folder";

    #[test]
    fn names_come_back_unless_they_are_damaged() {
        let store = MemoryStore::new();
        assert_eq!(block_on(read_listing(&store, KEY)), None);
        for names in [vec!["config.json".to_owned(), "é b.safetensors".to_owned()], vec!["a".to_owned()]] {
            block_on(keep_listing(&store, KEY, &names)).unwrap();
            assert_eq!(block_on(read_listing(&store, KEY)), Some(names));
        }
        store.damage(KEY, 0, |bytes| bytes[0] ^= 1);
        assert_eq!(block_on(read_listing(&store, KEY)), None);
        store.lose(KEY, 0);
        assert_eq!(block_on(read_listing(&store, KEY)), None);
    }
}
