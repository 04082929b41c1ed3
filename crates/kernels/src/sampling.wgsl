// How tokens are drawn. Mirrors `Settings` in sampling.rs; what it means stands in format's sampling.rs.

struct Settings {
    inverse_temperature: f32,
    reach: f32,              // differences of scores from this on are too far
    top_k: u32,              // 0 for all
    top_p: u32,              // in parts of 2^-32; 0 for all
    min_p_distance: u32,
    seed: array<u32, 2>,     // the low word first
    repetition: f32,
    inverse_repetition: f32,
    frequency: f32,
    presence: f32,
    window: u32,             // how many of the last tokens are looked at
    biases: u32,             // how many tokens have one
    masked: u32,             // 1 where a mask says what is allowed
    log_probs: u32,          // how many tokens' are wanted beside the chosen one's
}

const MASKED = -3.4e38;
const MOST = 1e38;

// How many tokens come before the one that this step chooses.
fn seen() -> u32 {
    return step.position + step.row + 1u;
}

fn is_number(bits: u32) -> bool {
    return (bits & 0x7FFFFFFFu) <= 0x7F800000u;
}
