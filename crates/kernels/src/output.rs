//! Where a matrix product puts its results.

use gpu::Constant;

/// What happens to the results of a product.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Output {
    /// They take the place of what is in `out`, from this column on.
    Columns(usize),
    /// They are added to `out`, from this column on: the residual connection.
    Residual(usize),
}

impl Output {
    /// The same, `columns` further to the right.
    pub fn shifted(self, columns: usize) -> Output {
        match self {
            Output::Columns(first) => Output::Columns(first + columns),
            Output::Residual(first) => Output::Residual(first + columns),
        }
    }

    pub(crate) fn column(self) -> usize {
        match self {
            Output::Columns(first) | Output::Residual(first) => first,
        }
    }

    pub(crate) fn constants(self) -> [Constant; 2] {
        [
            Constant::U32("OUT_COLUMN", self.column() as u32),
            Constant::U32("ACCUMULATE", u32::from(matches!(self, Output::Residual(_)))),
        ]
    }
}
