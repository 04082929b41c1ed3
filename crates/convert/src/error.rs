//! What can keep a model from being converted.

use format::FormatError;

/// Every failure of this crate.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ConvertError {
    /// The source's bytes are not those of a model, or did not come whole.
    #[error(transparent)]
    Format(#[from] FormatError),
    /// A tensor whose values the asked type can't hold.
    #[error("{tensor} can't be converted to {to}: {why}")]
    Tensor {
        /// Which tensor.
        tensor: String,
        /// The type that it should become.
        to: String,
        /// What does not fit.
        why: Box<FormatError>,
    },
    /// The source can't be read.
    #[error("The source can't be read: {detail}.")]
    Source {
        /// What the platform says.
        detail: String,
    },
    /// The folder can't be written or read.
    #[error("The output folder can't be written: {detail}.")]
    Output {
        /// What the platform says.
        detail: String,
    },
    /// The disk gave back other bytes than were written.
    #[error(
        "{name} was written and reads back different: the disk or the memory is damaged. Convert to another disk."
    )]
    ReadBack {
        /// The file.
        name: String,
    },
    /// Something is in the folder that was not written by us.
    #[error(
        "The output folder has {name} in it, which pronk did not write: expected a new or empty folder, or one of its own. Choose another."
    )]
    NotOurs {
        /// One of the files.
        name: String,
    },
    /// Not even four rows fit a shard.
    #[error(
        "Shards of {found} bytes are too small: {tensor} needs at least {needed}. Take a larger --shard-size."
    )]
    ShardSize {
        /// What was asked for.
        found: u64,
        /// What would do for this tensor.
        needed: u64,
        /// The tensor that does not fit.
        tensor: String,
    },
    /// The shard can't be written as safetensors.
    #[error(
        "{name} can't be written as safetensors: {detail}. This is a mistake in pronk, please report it."
    )]
    Safetensors {
        /// The file.
        name: String,
        /// What the library says.
        detail: String,
    },
    /// There is no manifest to verify a folder by.
    #[error(
        "The folder has no manifest.json of pronk's, so there is nothing to verify it by: expected a folder that pronk convert made."
    )]
    NoManifest,
}
