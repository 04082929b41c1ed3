//! The search for one scale, with levels around zero: the sixteens of `Q6_K`.

use super::{ONE, dot, nearest, nearest_level};

/// The levels of a type.
#[derive(Clone, Copy)]
pub(super) struct Levels {
    pub(super) lowest: i16,
    pub(super) highest: i16,
    /// As many bits as there is room for behind the levels tried.
    pub(super) fraction: u32,
}

/// The scale that serves some levels best, and what it keeps: `(Σ x q)² / Σ q²`.
#[derive(Clone, Copy)]
struct Fit {
    kept: f32,
    d: f32,
}

/// `values` as whole numbers, and `largest`, the one of the largest magnitude, as 32,767.
#[inline(always)]
pub(super) fn whole<const LEN: usize>(values: &[f32; LEN], largest: f32) -> [i16; LEN] {
    let factor = ONE / largest;
    values.map(|value| nearest(value * factor))
}

/// The best scale for whole numbers `x`, of which the largest is tried at the levels `tried`.
#[inline(always)]
pub(super) fn best_scale<const LEN: usize>(x: &[i16; LEN], levels: Levels, tried: &[f32]) -> f32 {
    // A product with it has one level in its upper 16 bits, before the fraction.
    let one_level = 65_536.0 * (1 << levels.fraction) as f32;
    let mut best = Fit { kept: 0.0, d: ONE / f32::from(levels.lowest) };
    for level in tried {
        best = best.or(fit(x, (level * (one_level / ONE)) as i16, levels));
    }
    best.or(fit(x, (one_level / best.d) as i16, levels)).d
}

#[inline(always)]
fn fit<const LEN: usize>(x: &[i16; LEN], factor: i16, levels: Levels) -> Fit {
    let Levels { lowest, highest, fraction } = levels;
    let q = x.map(|x| nearest_level(x, factor, 0, fraction).clamp(lowest, highest));
    let (xq, qq) = (dot(x, &q) as f32, dot(&q, &q) as f32);
    let d = xq / qq;
    Fit { kept: xq * d, d }
}

impl Fit {
    #[inline(always)]
    fn or(self, other: Fit) -> Fit {
        if other.kept > self.kept { other } else { self }
    }
}
