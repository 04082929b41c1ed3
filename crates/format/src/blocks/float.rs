//! Plain floats: blocks of one weight.

use half::f16;

pub(super) fn f32(bytes: &[u8], out: &mut Vec<f32>) {
    let (values, _) = bytes.as_chunks();
    out.extend(values.iter().map(|le| f32::from_le_bytes(*le)));
}

pub(super) fn f16(bytes: &[u8], out: &mut Vec<f32>) {
    let (values, _) = bytes.as_chunks();
    out.extend(values.iter().map(|le| f16::from_le_bytes(*le).to_f32()));
}
