// Noise of Gumbel's distribution for every token, from seed, position and id. `cpu`'s sampler has the same.

// What the noise of all tokens at a position follows from.
fn noise_key(low: u32, high: u32, position: u32) -> vec2u {
    let first = scramble(scramble(scramble(low) + high) + position);
    let second = scramble(scramble(position ^ 0x9E3779B9u) + high) + low;
    return vec2u(first, scramble(second));
}

// Evenly distributed words, one for each id.
fn noise(key: vec2u, id: u32) -> u32 {
    return scramble(scramble(id + key.x) ^ key.y);
}

fn scramble(word: u32) -> u32 {
    var mixed = (word ^ (word >> 16u)) * 0x7FEB352Du;
    mixed = (mixed ^ (mixed >> 15u)) * 0x846CA68Bu;
    return mixed ^ (mixed >> 16u);
}

// -ln(wait), where wait = -ln(1 - u) and u is `word` as a number between 0 and 1.
// The highest of many follows from the least u, so those are resolved as finely as words are, by a series.
fn gumbel(word: u32) -> f32 {
    let u = part(word);
    let series = 1.0 + u * (0.5 + u * (1.0 / 3.0 + u * (0.25 + u * (0.2 + u / 6.0))));
    let wait = select(-log(part(~word)), u * series, word < 0x10000000u);
    return -log(wait);
}

fn part(word: u32) -> f32 {
    return (f32(word) + 0.5) * 2.3283064365386963e-10;
}
