//! Eight bits a weight, 32 to a block.

use half::f16;

/// f16 d, then 32 signed bytes: `d q`.
pub(super) fn q8_0(bytes: &[u8], out: &mut Vec<f32>) {
    let (blocks, _) = bytes.as_chunks::<34>();
    for [d0, d1, qs @ ..] in blocks {
        let d = f16::from_le_bytes([*d0, *d1]).to_f32();
        out.extend(qs.iter().map(|q| d * f32::from(q.cast_signed())));
    }
}
