//! The adapter, what it says of itself, and what is asked of it.

use crate::GpuError;
use crate::device::Report;

pub(crate) async fn request_adapter() -> Result<wgpu::Adapter, GpuError> {
    let mut descriptor = wgpu::InstanceDescriptor::new_without_display_handle();
    descriptor.backends = wgpu::Backends::PRIMARY | wgpu::Backends::BROWSER_WEBGPU;
    let instance = wgpu::Instance::new(descriptor);
    let options = wgpu::RequestAdapterOptions {
        power_preference: wgpu::PowerPreference::HighPerformance,
        ..Default::default()
    };
    let adapter = instance.request_adapter(&options).await;
    adapter.map_err(|error| GpuError::NoAdapter { found: error.to_string() })
}

pub(crate) async fn request_device(
    adapter: &wgpu::Adapter,
    report: &Report,
) -> Result<(wgpu::Device, wgpu::Queue), GpuError> {
    let descriptor = wgpu::DeviceDescriptor {
        label: Some("pronk"),
        // wgpu's web backend does not know subgroups (wgpu issue 10146): there the worker adds it itself.
        required_features: adapter.features() & (wgpu::Features::SUBGROUP | wgpu::Features::SHADER_F16),
        required_limits: adapter.limits(),
        memory_hints: wgpu::MemoryHints::MemoryUsage,
        ..Default::default()
    };
    let refused = |found: String| GpuError::NoDevice { adapter: report.adapter.clone(), found };
    adapter.request_device(&descriptor).await.map_err(|error| refused(error.to_string()))
}

pub(crate) fn report(adapter: &wgpu::Adapter) -> Report {
    let info = adapter.get_info();
    // Browsers keep the name to themselves as a rule.
    let adapter = if info.name.is_empty() { "WebGPU adapter".to_string() } else { info.name };
    let software = info.device_type == wgpu::DeviceType::Cpu;
    let driver = [info.driver, info.driver_info].join(" ").trim().to_string();
    Report { adapter, software, driver, features: Vec::new() }
}
