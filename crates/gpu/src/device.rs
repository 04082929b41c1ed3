//! The device: what was found, what it grants, and the objects that every plan shares.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::fmt;
use std::rc::Rc;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use crate::adapter::{report, request_adapter, request_device};
use crate::counters::Counters;
use crate::features::{features, has_subgroups};
use crate::probe_f16::probe_f16;
use crate::probe_int8::probe_int8;
use crate::readback::ReadbackRing;
use crate::step::UniformArena;
use crate::tier::{Arithmetic, Tier, TierChoice};
use crate::upload::Uploads;
use crate::{Counts, GpuError, Pause, probe};

/// An open device. It is used from one thread.
pub struct Gpu {
    pub(crate) device: wgpu::Device,
    pub(crate) queue: wgpu::Queue,
    pub(crate) counters: Counters,
    pub(crate) uniforms: UniformArena,
    pub(crate) readbacks: Rc<ReadbackRing>,
    pub(crate) uploads: Uploads,
    pub(crate) pipelines: RefCell<HashMap<String, wgpu::ComputePipeline>>,
    limits: Limits,
    report: Report,
    tier: Cell<Tier>,
    arithmetic: Cell<Arithmetic>,
    /// As the adapter bounds them; zeros where it does not.
    subgroup_sizes: [u32; 2],
    lost: Arc<Mutex<Option<String>>>,
    /// What passes between two nudges of a browser that needs them.
    pub(crate) pause: Option<Pause>,
    /// How long an answer may take.
    pub(crate) patience: Option<Duration>,
}

impl fmt::Debug for Gpu {
    fn fmt(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
        formatter
            .debug_struct("Gpu")
            .field("report", &self.report)
            .field("tier", &self.tier)
            .finish_non_exhaustive()
    }
}

/// Lanes of a subgroup that computes few numbers at once.
const FEW_LANES: u32 = 4;

/// What the adapter says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// Name for people.
    pub adapter: String,
    /// Whether it is software on the CPU.
    pub software: bool,
    /// The driver and its version, where the platform tells.
    pub driver: String,
    /// What it has beyond WebGPU's core, of what bears on speed: WebGPU's names.
    pub features: Vec<&'static str>,
}

/// What the device grants. Never below WebGPU's defaults.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Bytes that one binding can cover.
    pub binding_bytes: u64,
    /// Workgroups along one dimension of a dispatch.
    pub workgroups: u32,
}

impl Gpu {
    /// Opens the fastest adapter with all the limits it has, and probes what its kernels would rely on.
    pub async fn request(choice: TierChoice) -> Result<Gpu, GpuError> {
        let adapter = request_adapter().await?;
        let mut report = report(&adapter);
        let limits = adapter.limits();
        let info = adapter.get_info();
        let subgroup_sizes = [info.subgroup_min_size, info.subgroup_max_size];
        let (device, queue) = request_device(&adapter, &report).await?;
        report.features = features(&adapter, &device);
        let lost = Arc::new(Mutex::new(None));
        watch(&device, &lost);

        let counters = Counters::default();
        let uniforms = UniformArena::new(&device);
        let readbacks = Rc::new(ReadbackRing::default());
        let uploads = Uploads::default();
        let limits = Limits {
            binding_bytes: limits.max_storage_buffer_binding_size.min(limits.max_buffer_size),
            workgroups: limits.max_compute_workgroups_per_dimension,
        };
        let pipelines = RefCell::new(HashMap::new());
        let (tier, arithmetic) = (Cell::new(Tier::Plain), Cell::new(Arithmetic::Floats));
        let gpu = Gpu {
            device,
            queue,
            counters,
            uniforms,
            readbacks,
            uploads,
            pipelines,
            limits,
            report,
            tier,
            arithmetic,
            subgroup_sizes,
            lost,
            pause: None,
            patience: None,
        };
        gpu.turn_to(choice).await?;
        Ok(gpu)
    }

    /// Has plans made from now on run these kernels, after a probe of what they rely on, and multiply many tokens in what
    /// suits them. Those made before stay as they are.
    pub async fn turn_to(&self, choice: TierChoice) -> Result<(), GpuError> {
        let tier = self.choose_tier(choice).await?;
        self.tier.set(tier);
        self.arithmetic.set(self.untried_arithmetic(tier));
        Ok(())
    }

    /// A GPU takes floats until others have been tried. A CPU that stands for one multiplies bytes, unless it computes few
    /// at once: SwiftShader reads a prompt one and a half times as fast in floats.
    fn untried_arithmetic(&self, tier: Tier) -> Arithmetic {
        match tier {
            Tier::Int8 if self.report.software && !self.is_narrow() => Arithmetic::WholeNumbers,
            _ => Arithmetic::Floats,
        }
    }

    /// Has plans made from now on multiply many tokens in these, after a probe.
    pub async fn multiply_in(&self, arithmetic: Arithmetic) -> Result<(), GpuError> {
        match arithmetic {
            Arithmetic::Floats => {}
            Arithmetic::Halves => {
                probe_f16(self).await.map_err(|found| GpuError::NoHalves { found })?;
            }
            Arithmetic::WholeNumbers => {
                probe_int8(self).await.map_err(|found| GpuError::NoInt8 { found })?;
            }
        }
        self.arithmetic.set(arithmetic);
        Ok(())
    }

    /// Gives up waiting after so long, with [`GpuError::NoAnswer`]. A browser lets nobody wait, so there whoever awaits an
    /// answer has to look at the clock.
    pub fn answer_within(&mut self, patience: Duration) {
        self.patience = Some(patience);
    }

    /// What the adapter says of itself.
    pub fn report(&self) -> &Report {
        &self.report
    }

    /// What the device grants.
    pub fn limits(&self) -> Limits {
        self.limits
    }

    /// The kernels in use.
    pub fn tier(&self) -> Tier {
        self.tier.get()
    }

    /// What many tokens are multiplied in.
    pub fn arithmetic(&self) -> Arithmetic {
        self.arithmetic.get()
    }

    /// What has been asked of the device so far.
    pub fn counts(&self) -> Counts {
        self.counters.get()
    }

    /// Whether subgroups have few lanes, as far as the adapter says: SwiftShader's have 4, lavapipe's 8.
    pub fn is_narrow(&self) -> bool {
        let [_, most] = self.subgroup_sizes;
        (1..=FEW_LANES).contains(&most)
    }

    /// Fails once the device is lost.
    pub fn alive(&self) -> Result<(), GpuError> {
        // A poisoned lock would mean a panic inside the one-line callback below.
        let lost = self.lost.lock().map(|reason| reason.clone()).unwrap_or_default();
        lost.map_or(Ok(()), |reason| Err(GpuError::Lost { reason }))
    }

    /// The same, taken for one of hardware: so that tests can run whole models by the kernels that only such ones get.
    pub fn as_hardware(mut self) -> Gpu {
        self.report.software = false;
        self
    }

    /// Drops the device at once. Everything that uses it fails with [`GpuError::Lost`] from here on.
    pub fn destroy(&self) {
        note_loss(&self.lost, "it was given back".to_string());
        self.device.destroy();
    }

    pub(crate) fn create_buffer(&self, label: &str, size: u64, usage: wgpu::BufferUsages) -> wgpu::Buffer {
        self.counters.add(|counts| {
            counts.objects_created += 1;
            counts.bytes_allocated += size;
        });
        let label = Some(label);
        self.device.create_buffer(&wgpu::BufferDescriptor { label, size, usage, mapped_at_creation: false })
    }

    async fn choose_tier(&self, choice: TierChoice) -> Result<Tier, GpuError> {
        match choice {
            TierChoice::Plain => Ok(Tier::Plain),
            TierChoice::Int8 => probe_int8(self).await.map_err(|found| GpuError::NoInt8 { found }),
            TierChoice::Subgroups => {
                self.probed_subgroups().await.map_err(|found| GpuError::NoSubgroups { found })
            }
            TierChoice::Auto => {
                if self.report.software
                    && let Ok(tier) = probe_int8(self).await
                {
                    return Ok(tier);
                }
                Ok(self.probed_subgroups().await.unwrap_or(Tier::Plain))
            }
        }
    }

    /// The subgroup tier, or why it cannot be used.
    async fn probed_subgroups(&self) -> Result<Tier, String> {
        if !has_subgroups(&self.device) {
            return Err("this device or browser has none".to_string());
        }
        let [min_size, max_size] = self.subgroup_sizes;
        probe::subgroups(self, min_size, max_size).await
    }
}

/// Frees the device's memory at once: a browser would wait for its garbage collector, and the next model for it.
impl Drop for Gpu {
    fn drop(&mut self) {
        self.destroy();
    }
}

/// Remembers why the device went, and keeps stray validation errors from ending the program.
fn watch(device: &wgpu::Device, lost: &Arc<Mutex<Option<String>>>) {
    let lost = Arc::clone(lost);
    device.set_device_lost_callback(move |reason, message| {
        note_loss(&lost, if message.is_empty() { format!("{reason:?}") } else { message });
    });
    // Errors that matter are caught in scopes; one that escapes them shows as a wrong answer in the tests.
    device.on_uncaptured_error(Arc::new(|error| eprintln!("pronk: the GPU reported: {error}")));
}

/// The first reason counts: others follow from it.
fn note_loss(lost: &Mutex<Option<String>>, reason: String) {
    if let Ok(mut lost) = lost.lock() {
        lost.get_or_insert(reason);
    }
}
