//! Tries subgroups before they are trusted.
//!
//! The kernels take it that a workgroup's invocations fill its subgroups in order, that the size is between
//! the adapter's bounds, and that `subgroupAdd` sums what it says. Devices exist where one of these is
//! wrong; there the plain kernels run.

use crate::{Access, Constant, Extent, Gpu, Kernel, Needs, Tier};

/// The workgroup size of the subgroup kernels; the mapping is probed at the size that is used.
const WORKGROUP_SIZE: u32 = 64;

const GROUPS: u32 = 2;

/// The subgroup tier, or why it cannot be used.
pub(crate) async fn subgroups(gpu: &Gpu, min_size: u32, max_size: u32) -> Result<Tier, String> {
    let answers = run(gpu).await.map_err(|error| error.to_string())?;
    let [min_size, max_size] = if min_size == 0 { [4, 128] } else { [min_size, max_size.max(min_size)] };
    for (index, answer) in (0..).zip(answers.chunks_exact(4)) {
        check(index % WORKGROUP_SIZE, answer, min_size, max_size)?;
    }
    Ok(Tier::Subgroups { min_size, max_size })
}

async fn run(gpu: &Gpu) -> Result<Vec<u32>, crate::GpuError> {
    let words = (GROUPS * WORKGROUP_SIZE) as usize * 4;
    let answers = gpu.allocate("the subgroup probe", |make| make.tensor("answers", [1, words])).await?;
    let kernel = Kernel {
        name: "probe",
        wgsl: vec![include_str!("probe.wgsl")],
        bindings: vec![Access::Write],
        needs: Needs::Subgroups,
    };
    let mut plan = gpu.plan();
    let constants = [Constant::U32("WORKGROUP_SIZE", WORKGROUP_SIZE)];
    plan.dispatch(
        kernel,
        &constants,
        &[&answers],
        [Extent::Fixed(GROUPS), Extent::Fixed(1), Extent::Fixed(1)],
    );
    let plan = plan.finish().await?;
    gpu.step(1, &0u32).run(&plan).submit_and_read(&answers, 0, words)?.words(gpu).await
}

fn check(index: u32, answer: &[u32], min_size: u32, max_size: u32) -> Result<(), String> {
    let size = answer[0];
    if size < min_size || size > max_size || !size.is_power_of_two() {
        return Err(format!("its subgroups have {size} lanes, not {min_size} to {max_size}"));
    }
    // A subgroup wider than the workgroup has only the workgroup's invocations active.
    let lanes = size.min(WORKGROUP_SIZE);
    let (lane, first) = (index % lanes, index - index % lanes);
    let members = first..first + lanes;
    let sum: u32 = members.clone().map(|member| member + 1).sum();
    let sums = members.sum::<u32>() + 1024 * lanes;
    let expected = [size, lane, sum, sums];
    if answer != expected {
        return Err(format!(
            "its subgroups miscompute: invocation {index} gave {answer:?}, not {expected:?}"
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_of_a_sound_device_pass_and_of_a_broken_one_do_not() {
        // Invocation 9 of 64, in subgroups of 8: members 8..16 have sum of (index + 1) = 100.
        let sound = [8, 1, 100, 92 + 8 * 1024];
        assert_eq!(check(9, &sound, 4, 32), Ok(()));
        for (broken, name) in [
            ([8, 2, 100, 92 + 8 * 1024], "lanes out of order"),
            ([8, 1, 99, 92 + 8 * 1024], "a wrong integer sum"),
            ([8, 1, 100, 92 + 7 * 1024], "a wrong vector sum"),
            ([64, 1, 100, 92 + 8 * 1024], "larger than promised"),
            ([6, 1, 100, 92 + 8 * 1024], "not a power of two"),
        ] {
            assert!(check(9, &broken, 4, 32).is_err(), "{name} passed");
        }
    }

    #[test]
    fn lavapipe_passes() {
        let gpu = pollster::block_on(Gpu::request(crate::TierChoice::Subgroups)).unwrap();
        assert!(matches!(gpu.tier(), Tier::Subgroups { .. }));
    }
}
