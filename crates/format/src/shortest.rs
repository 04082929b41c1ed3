//! Numbers of 32 bits, written as their authors wrote them.

/// The number that was meant: as `f64`, 1e-5 would be 9.999999747378752e-6.
pub fn shortest(value: f32) -> f64 {
    value.to_string().parse().unwrap_or(f64::from(value))
}
