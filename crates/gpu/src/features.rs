//! What a device has beyond WebGPU's core and what bears on speed, by WebGPU's own names: for those who report on it.

/// Those that wgpu tells of an adapter, in browsers too.
const OF_ADAPTER: [(wgpu::Features, &str); 2] =
    [(wgpu::Features::SHADER_F16, "shader-f16"), (wgpu::Features::TIMESTAMP_QUERY, "timestamp-query")];

/// The features' names.
pub(crate) fn features(adapter: &wgpu::Adapter, device: &wgpu::Device) -> Vec<&'static str> {
    let offered = adapter.features();
    let named = OF_ADAPTER.into_iter().filter(|(feature, _)| offered.contains(*feature));
    let subgroups = has_subgroups(device).then_some("subgroups");
    named.map(|(_, name)| name).chain(subgroups).collect()
}

/// In browsers, too: wgpu knows this one there.
pub(crate) fn has_f16(device: &wgpu::Device) -> bool {
    device.features().contains(wgpu::Features::SHADER_F16)
}

#[cfg(not(target_arch = "wasm32"))]
pub(crate) fn has_subgroups(device: &wgpu::Device) -> bool {
    device.features().contains(wgpu::Features::SUBGROUP)
}

/// wgpu's web backend does not know the feature (wgpu issue 10146), so the browser is asked itself.
#[cfg(target_arch = "wasm32")]
pub(crate) fn has_subgroups(device: &wgpu::Device) -> bool {
    device.as_webgpu().is_some_and(|device| device.features().has("subgroups"))
}

#[cfg(test)]
mod tests {
    use pollster::block_on;

    use crate::{Gpu, TierChoice};

    /// What a device has does not depend on the kernels that are chosen for it.
    #[test]
    fn a_device_with_subgroup_kernels_says_that_it_has_subgroups() {
        let features = |choice| block_on(Gpu::request(choice)).unwrap().report().features.clone();
        let found = features(TierChoice::Subgroups);
        assert!(found.contains(&"subgroups"), "{found:?}");
        assert_eq!(features(TierChoice::Plain), found);
    }
}
