//! What a device can refuse or lose.

/// Every failure of the GPU, each with what to do about it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum GpuError {
    /// There is no adapter at all.
    #[error("no GPU adapter was found ({found}); use a browser with WebGPU, or install a Vulkan driver")]
    NoAdapter {
        /// What the platform said.
        found: String,
    },
    /// An adapter is there, but gives no device.
    #[error("the GPU {adapter} did not open ({found}); close other programs that use it and try again")]
    NoDevice {
        /// The adapter's name.
        adapter: String,
        /// What the platform said.
        found: String,
    },
    /// Subgroup kernels were asked for by name.
    #[error("subgroup kernels were asked for, but {found}; use the plain kernels")]
    NoSubgroups {
        /// Why not.
        found: String,
    },
    /// Kernels of bytes were asked for by name.
    #[error("kernels of bytes were asked for, but {found}; use the plain kernels")]
    NoInt8 {
        /// Why not.
        found: String,
    },
    /// Products of halves were asked for by name.
    #[error("products of halves were asked for, but {found}; use those of floats")]
    NoHalves {
        /// Why not.
        found: String,
    },
    /// One tensor is larger than the device binds.
    #[error("{label} takes {bytes} bytes, but this device binds at most {limit} at once")]
    TooLarge {
        /// The tensor.
        label: String,
        /// Its size.
        bytes: u64,
        /// The device's limit.
        limit: u64,
    },
    /// The device has no memory left.
    #[error(
        "the device ran out of memory while making room for {what}; choose a smaller model or a shorter context"
    )]
    OutOfMemory {
        /// What did not fit.
        what: String,
    },
    /// The device is gone: driver reset, laptop asleep, tab throttled.
    #[error("the GPU was lost ({reason}); load the model again")]
    Lost {
        /// What the platform said.
        reason: String,
    },
    /// The device keeps whoever asked waiting.
    #[error("the GPU did not answer within {seconds} seconds; load the model again")]
    NoAnswer {
        /// How long it had.
        seconds: u64,
    },
    /// The device refused something we built: a mistake of ours.
    #[error("the GPU refused {what}: {found}; please report this")]
    Refused {
        /// What it was.
        what: String,
        /// What the platform said.
        found: String,
    },
}
