//! A manifest as JSON, sealed.

use serde_json::{Map, Value, json};

use super::{Hash, Manifest, ManifestFile, ManifestTensor};
use crate::manifest::parse::{FORMAT, SEAL, SEAL_END, VERSION};

impl Manifest {
    /// The file's bytes. `hash` is SHA-256.
    pub fn to_bytes(&self, hash: impl FnOnce(&[u8]) -> Hash) -> Vec<u8> {
        let files: Vec<Value> = self.files.iter().map(file).collect();
        let tensors: Vec<Value> = self.tensors.iter().map(|tensor| self.tensor(tensor)).collect();
        let head = json!({
            "format": FORMAT,
            "version": VERSION,
            "name": self.name,
            "licence": self.licence,
            "built_with_llama": self.built_with_llama,
            "source": self.source,
        });
        let mut text = String::from("{");
        for (key, value) in head.as_object().into_iter().flatten() {
            text += &format!("\n  {}: {value},", json!(key));
        }
        // A line for each entry: people read it, and compare two of them.
        for (key, rows) in [("files", files), ("tensors", tensors)] {
            let rows: Vec<String> = rows.iter().map(|row| format!("\n    {row}")).collect();
            text += &format!("\n  \"{key}\": [{}],", rows.join(","));
        }
        text += SEAL;
        let seal = hex(&hash(text.as_bytes()));
        (text + &seal + SEAL_END).into_bytes()
    }

    fn tensor(&self, tensor: &ManifestTensor) -> Value {
        let parts = tensor.parts.iter().map(|part| {
            let mut entry = Map::new();
            let name = self.files.get(part.file).map(|file| file.name.as_str());
            entry.insert("file".into(), name.into());
            entry.insert("rows".into(), part.rows.into());
            if let Some(scales) = part.scales {
                entry.insert("scales".into(), scales.into());
            }
            entry.insert("words".into(), part.words.into());
            Value::Object(entry)
        });
        let parts: Vec<Value> = parts.collect();
        json!({"name": tensor.name, "type": tensor.dtype, "shape": tensor.shape, "parts": parts})
    }
}

fn file(file: &ManifestFile) -> Value {
    let mut entry = json!({"name": file.name, "size": file.size, "sha256": hex(&file.sha256)});
    if let (Some(entry), 2..) = (entry.as_object_mut(), file.pieces.len()) {
        let pieces: Vec<String> = file.pieces.iter().map(hex).collect();
        entry.insert("pieces".into(), pieces.into());
    }
    entry
}

fn hex(hash: &Hash) -> String {
    hash.iter().map(|byte| format!("{byte:02x}")).collect()
}
