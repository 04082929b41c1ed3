//! Damage to a folder is found wherever it is.

use convert::{ConvertError, Damage, MemoryOutput, Output, verify};

use crate::models::gguf;
use crate::{converted, hash, options};

fn damages(output: &MemoryOutput) -> Result<Vec<Damage>, ConvertError> {
    verify(output, hash, &mut |_, _| {}).map(|(_, damages)| damages)
}

#[test]
fn a_changed_byte_in_any_file_is_found() {
    let (output, _) = converted(&gguf("tiny-basic-quants"), &options(None, 500_000));
    assert_eq!(damages(&output), Ok(vec![]));
    for (name, bytes) in output.files() {
        let step = (bytes.len() / 40).max(1);
        for at in (0..bytes.len()).step_by(step).chain([bytes.len() - 1]) {
            let mut changed = bytes.clone();
            changed[at] ^= 1;
            output.write(&name, &changed).unwrap();
            match damages(&output) {
                Ok(found) => {
                    let [Damage::Changed { name: found, .. }] = found.as_slice() else {
                        unreachable!("byte {at} of {name}: {found:?}")
                    };
                    assert_eq!((found, name == "manifest.json"), (&name, false));
                }
                Err(error) => assert_eq!(name, "manifest.json", "{error}"),
            }
        }
        output.remove(&name).unwrap();
        match damages(&output) {
            Ok(found) => assert_eq!(found, [Damage::Missing { name: name.clone() }]),
            Err(error) => assert_eq!((error, name.as_str()), (ConvertError::NoManifest, "manifest.json")),
        }
        output.write(&name, &bytes).unwrap();
    }
    assert_eq!(damages(&output), Ok(vec![]));
}
