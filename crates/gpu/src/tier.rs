//! Which kernels a device runs, and what they multiply in.

/// The kernels a device can run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tier {
    /// Subgroup operations, with sizes from `min_size` to `max_size` lanes.
    Subgroups {
        /// Fewest lanes a subgroup may have.
        min_size: u32,
        /// Most lanes a subgroup may have.
        max_size: u32,
    },
    /// Workgroup memory only.
    Plain,
    /// Dot products of bytes, and neither barriers nor subgroups: what the CPU likes where it stands for a GPU.
    Int8,
}

/// What a GPU multiplies many tokens in. One token waits for memory, whatever it is multiplied in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Arithmetic {
    /// Floats.
    Floats,
    /// Halves, which take half of the room and of the time to fetch, and their sums floats.
    Halves,
    /// Whole numbers, whose dot products some devices have instructions for.
    WholeNumbers,
}

/// Which kernels to run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TierChoice {
    /// The best that the probes allow.
    #[default]
    Auto,
    /// Subgroups, or an error that says why not.
    Subgroups,
    /// Plain, even where subgroups work.
    Plain,
    /// Bytes, or an error that says why not.
    Int8,
}
