//! A kernel is WGSL in pieces, the constants that fit it to a model, and the list of its bindings.

use std::fmt::Write;

/// One operation in WGSL. Pieces are prepended whole; variants differ by constants only.
#[derive(Clone, Debug)]
pub struct Kernel {
    /// Its file's name, for labels and messages.
    pub name: &'static str,
    /// The pieces, in the order in which they are joined.
    pub wgsl: Vec<&'static str>,
    /// The buffers of group 1, in binding order.
    pub bindings: Vec<Access>,
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
    /// `var<uniform>`, of at most [`UNIFORM_BYTES`](crate::UNIFORM_BYTES): faster to read where the CPU stands for a GPU.
    Uniform,
}

/// Features beyond WebGPU's core.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Needs {
    /// Runs everywhere.
    Nothing,
    /// `subgroupAdd` and its kin.
    Subgroups,
    /// `dot4I8Packed`.
    Int8Dot,
    /// `f16`, and arithmetic in it.
    F16,
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
        match self.needs {
            Needs::Subgroups if dialect == Dialect::Browser => text.push_str("enable subgroups;\n"),
            // Compilers that have it need no such line; with it, the others say what they lack.
            Needs::Int8Dot => text.push_str("requires packed_4x8_integer_dot_product;\n"),
            // Everybody wants this line.
            Needs::F16 => text.push_str("enable f16;\n"),
            Needs::Subgroups | Needs::Nothing => {}
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

    fn kernel(needs: Needs) -> Kernel {
        Kernel { name: "k", wgsl: vec!["a", "b"], bindings: vec![], needs }
    }

    #[test]
    fn constants_come_before_the_pieces() {
        let constants = [Constant::U32("N", 7), Constant::F32("EPS", 1e-5)];
        let got = kernel(Needs::Subgroups).source(&constants, Dialect::Native);
        assert_eq!(got, "const N = 7u;\nconst EPS = f32(1e-5);\na\nb\n");
    }

    #[test]
    fn only_browsers_get_the_enable_line() {
        let kernel = kernel(Needs::Subgroups);
        assert!(kernel.source(&[], Dialect::Browser).starts_with("enable subgroups;\n"));
        assert!(!kernel.source(&[], Dialect::Native).contains("enable"));
    }

    #[test]
    fn whoever_lacks_a_language_feature_is_told_so() {
        for dialect in [Dialect::Browser, Dialect::Native] {
            assert!(kernel(Needs::Int8Dot).source(&[], dialect).starts_with("requires packed_4x8"));
            assert!(!kernel(Needs::Nothing).source(&[], dialect).contains("requires"));
            assert!(kernel(Needs::F16).source(&[], dialect).starts_with("enable f16;\n"));
        }
    }
}
