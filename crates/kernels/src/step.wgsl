// What every kernel knows of the step it runs in. Mirrors `StepParams` in step.rs.

struct Step {
    position: u32, // of the step's first token
    seq_len: u32,  // tokens in this step
    row: u32,      // the token of this step whose logits are wanted
    slot: u32,     // where in the ring the chosen id goes
    split_len: u32, // positions that a workgroup of attention takes, where a token's are split
}

@group(0) @binding(0) var<uniform> step: Step;
