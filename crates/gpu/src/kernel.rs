//! A kernel is WGSL in pieces, the constants that fit it to a model, and the list of its bindings.

use std::fmt::Write;

/// One operation in WGSL. Pieces are prepended whole; variants differ by constants only.
#[derive(Clone, Debug)]
pub struct Kernel {
    /// Its file's name, for labels and messages.
    pub name: &'static str,
    /// The pieces, in the order in which they are joined.
    pub wgsl: Vec<&'static str>,
    /// The storage buffers of group 1, in binding order.
    pub bindings: &'static [Access],
    /// What it asks of the device.
    pub needs: Needs,
}

/// How a kernel uses a buffer. Read-only wherever possible: writable bindings cost barriers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// `var<storage, read>`
    Read,
    /// `var<storage, read_write>`
    Write,
}

/// Features beyond WebGPU's core.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Needs {
    /// Runs everywhere.
    Nothing,
    /// `subgroupAdd` and its kin.
    Subgroups,
}

/// A `const` line in front of the pieces. Sizes as literals let compilers unroll and drop bounds checks.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Constant {
    /// `const NAME = 1u;`
    U32(&'static str, u32),
    /// `const NAME = 1f;`
    F32(&'static str, f32),
}

/// Who compiles the text: browsers want `enable subgroups;`, naga refuses the line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dialect {
    /// Tint in Chromium, WebKit, naga inside Firefox.
    Browser,
    /// naga inside wgpu.
    Native,
}

impl Dialect {
    /// The dialect of this build.
    pub const HERE: Dialect = if cfg!(target_arch = "wasm32") { Dialect::Browser } else { Dialect::Native };
}

impl Kernel {
    /// The whole text: enables, constants, pieces.
    pub fn source(&self, constants: &[Constant], dialect: Dialect) -> String {
        let mut text = String::new();
        if self.needs == Needs::Subgroups && dialect == Dialect::Browser {
            text.push_str("enable subgroups;\n");
        }
        for constant in constants {
            // Writing to a String cannot fail.
            let _ = match constant {
                Constant::U32(name, value) => writeln!(text, "const {name} = {value}u;"),
                Constant::F32(name, value) => writeln!(text, "const {name} = f32({value:e});"),
            };
        }
        for piece in &self.wgsl {
            text.push_str(piece);
            text.push('\n');
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kernel() -> Kernel {
        Kernel { name: "k", wgsl: vec!["a", "b"], bindings: &[], needs: Needs::Subgroups }
    }

    #[test]
    fn constants_come_before_the_pieces() {
        let constants = [Constant::U32("N", 7), Constant::F32("EPS", 1e-5)];
        let got = kernel().source(&constants, Dialect::Native);
        assert_eq!(got, "const N = 7u;\nconst EPS = f32(1e-5);\na\nb\n");
    }

    #[test]
    fn only_browsers_get_the_enable_line() {
        assert!(kernel().source(&[], Dialect::Browser).starts_with("enable subgroups;\n"));
        assert!(!kernel().source(&[], Dialect::Native).contains("enable"));
    }
}
