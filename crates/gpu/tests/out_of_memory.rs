//! A device without memory for what is to be made: a sentence, and what is smaller still fits.
//!
//! The memory of a GPU that is software is the process's, and so is the limit of it. What is large is never written to, so
//! it takes none. That goes for lavapipe: SwiftShader does not look whether it was given any, and falls over.

#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, reason = "A test that cannot go on says so by panicking.")]

use std::process::Command;

use gpu::{Allocator, Gpu, GpuError, TierChoice};
use pollster::block_on;

/// What every device binds at once.
const LARGE: usize = 128 << 20;

/// Bytes of addresses that this process has.
fn addresses() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let size = status.lines().find_map(|line| line.strip_prefix("VmSize:")).unwrap();
    size.trim().strip_suffix(" kB").unwrap().parse::<usize>().unwrap() * 1024
}

/// Has it get no more than so many.
fn limit_addresses(bytes: usize) {
    let (pid, limit) = (std::process::id().to_string(), format!("--as={bytes}:"));
    assert!(Command::new("prlimit").args(["--pid", &pid, &limit]).status().unwrap().success());
}

#[test]
fn what_there_is_no_memory_for_is_refused_by_its_name() {
    let gpu = block_on(Gpu::request(TierChoice::Plain)).unwrap();
    if !gpu.report().software {
        return; // No limit of a process bounds what hardware has.
    }
    let make = |bytes: usize| {
        block_on(gpu.allocate("the KV cache", |make: &Allocator| make.tensor("keys", [1024, bytes / 4096])))
    };
    drop(make(LARGE).unwrap());

    limit_addresses(addresses() + LARGE / 2);
    let refused = make(LARGE).unwrap_err();
    assert_eq!(refused, GpuError::OutOfMemory { what: "the KV cache".to_owned() });
    let sentence = "the device ran out of memory while making room for the KV cache; choose a smaller model or a shorter context";
    assert_eq!(refused.to_string(), sentence);

    let fits = make(1 << 20).unwrap();
    assert_eq!(block_on(gpu.read_words(&fits, 0, 4)).unwrap(), [0; 4]);
}
