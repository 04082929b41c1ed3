//! Four bits a weight, 32 to a block: byte j holds weight j in its low nibble and weight j + 16 in its high one.

use half::f16;

/// f16 d, then 16 bytes of nibbles: `d (q - 8)`.
pub(super) fn q4_0(bytes: &[u8], out: &mut Vec<f32>) {
    let (blocks, _) = bytes.as_chunks::<18>();
    for [d0, d1, qs @ ..] in blocks {
        let d = f16::from_le_bytes([*d0, *d1]).to_f32();
        out.extend(qs.iter().map(|q| d * (f32::from(q & 15) - 8.0)));
        out.extend(qs.iter().map(|q| d * (f32::from(q >> 4) - 8.0)));
    }
}

/// f16 d, f16 m, then 16 bytes of nibbles: `d q + m`.
pub(super) fn q4_1(bytes: &[u8], out: &mut Vec<f32>) {
    let (blocks, _) = bytes.as_chunks::<20>();
    for [d0, d1, m0, m1, qs @ ..] in blocks {
        let d = f16::from_le_bytes([*d0, *d1]).to_f32();
        let m = f16::from_le_bytes([*m0, *m1]).to_f32();
        out.extend(qs.iter().map(|q| d * f32::from(q & 15) + m));
        out.extend(qs.iter().map(|q| d * f32::from(q >> 4) + m));
    }
}
