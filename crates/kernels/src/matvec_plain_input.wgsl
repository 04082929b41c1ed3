// Activations are taken as they are.

fn squares_of(lane: u32, lanes: u32) -> f32 {
    return 0.0;
}

fn norm_scale(squares: f32) -> f32 {
    return 1.0;
}
