//! A plan is a list of dispatches with their pipelines and bind groups made, ready to be run any number of times.

use crate::{Access, Constant, Dialect, Gpu, GpuError, Kernel, Needs, View};

/// Dispatches in order. Running it creates nothing on the device.
#[derive(Debug, Default)]
pub struct Plan {
    pub(crate) dispatches: Vec<Dispatch>,
}

#[derive(Debug)]
pub(crate) struct Dispatch {
    pub(crate) pipeline: wgpu::ComputePipeline,
    pub(crate) tensors: wgpu::BindGroup,
    pub(crate) workgroups: [Extent; 3],
}

/// Workgroups along one dimension of a grid.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Extent {
    /// Always this many.
    Fixed(u32),
    /// One for every so many tokens of the step.
    Tokens(u32),
    /// The same of at most `most` tokens, from the `first` on: none where the step has no more than those before it.
    TokensFrom {
        /// Tokens before them.
        first: u32,
        /// Of how many.
        most: u32,
        /// For how many each.
        each: u32,
    },
    /// As many as [`Step::splits`](crate::Step::splits) says: none, and so no dispatch, unless it was called.
    Splits,
    /// One in a step that has splits, else no dispatch.
    IfSplit,
    /// One in a step that has no splits, else no dispatch.
    IfWhole,
}

impl Extent {
    pub(crate) fn workgroups(self, seq_len: u32, splits: u32) -> u32 {
        match self {
            Extent::Fixed(count) => count,
            Extent::Tokens(each) => seq_len.div_ceil(each),
            Extent::TokensFrom { first, most, each } => {
                seq_len.saturating_sub(first).min(most).div_ceil(each)
            }
            Extent::Splits => splits,
            Extent::IfSplit => splits.min(1),
            Extent::IfWhole => 1 - splits.min(1),
        }
    }
}

/// Collects dispatches; [`PlanBuilder::finish`] reports what the device refused of them.
#[derive(Debug)]
pub struct PlanBuilder<'a> {
    gpu: &'a Gpu,
    specs: Vec<Spec<'a>>,
}

#[derive(Debug)]
struct Spec<'a> {
    kernel: Kernel,
    constants: Vec<Constant>,
    tensors: Vec<View<'a>>,
    workgroups: [Extent; 3],
}

impl Gpu {
    /// Starts a plan.
    pub fn plan(&self) -> PlanBuilder<'_> {
        PlanBuilder { gpu: self, specs: Vec::new() }
    }
}

impl<'a> PlanBuilder<'a> {
    /// The device that the plan is for.
    pub fn gpu(&self) -> &'a Gpu {
        self.gpu
    }

    /// Adds a dispatch that binds tensors or rows of them. Panics if they are not as many as the kernel binds: a mistake of
    /// ours.
    pub fn dispatch<T: Clone + Into<View<'a>>>(
        &mut self,
        kernel: Kernel,
        constants: &[Constant],
        tensors: &[T],
        workgroups: [Extent; 3],
    ) {
        assert_eq!(kernel.bindings.len(), tensors.len(), "{}: bindings", kernel.name);
        let (constants, tensors) = (constants.to_vec(), tensors.iter().cloned().map(Into::into).collect());
        self.specs.push(Spec { kernel, constants, tensors, workgroups });
    }

    /// Name, needs and text of every kernel so far, for those who compile them elsewhere.
    pub fn sources(&self, dialect: Dialect) -> Vec<(&'static str, Needs, String)> {
        let source =
            |spec: &Spec| (spec.kernel.name, spec.kernel.needs, spec.kernel.source(&spec.constants, dialect));
        self.specs.iter().map(source).collect()
    }

    /// Makes the pipelines and bind groups, all inside one error scope: a scope each would cost a round trip each.
    pub async fn finish(self) -> Result<Plan, GpuError> {
        let make = |Spec { kernel, constants, tensors, workgroups }: Spec| {
            let pipeline = self.gpu.pipeline(&kernel, &constants);
            let tensors = self.gpu.bind(&kernel, &pipeline, &tensors);
            Dispatch { pipeline, tensors, workgroups }
        };
        let dispatches = self.gpu.checked("a plan", || self.specs.into_iter().map(make).collect()).await?;
        Ok(Plan { dispatches })
    }
}

impl Gpu {
    /// Equal kernels with equal constants share a pipeline, whatever the layer.
    fn pipeline(&self, kernel: &Kernel, constants: &[Constant]) -> wgpu::ComputePipeline {
        let source = kernel.source(constants, Dialect::HERE);
        let mut pipelines = self.pipelines.borrow_mut();
        pipelines.entry(source).or_insert_with_key(|source| self.compile(kernel, source)).clone()
    }

    fn compile(&self, kernel: &Kernel, source: &str) -> wgpu::ComputePipeline {
        self.counters.add(|counts| counts.objects_created += 1);
        let label = Some(kernel.name);
        let source = wgpu::ShaderSource::Wgsl(source.into());
        let module = self.device.create_shader_module(wgpu::ShaderModuleDescriptor { label, source });
        let entries: Vec<_> =
            (0..).zip(&kernel.bindings).map(|(binding, access)| layout_entry(binding, *access)).collect();
        let tensors = self
            .device
            .create_bind_group_layout(&wgpu::BindGroupLayoutDescriptor { label, entries: &entries });
        let layout = self.device.create_pipeline_layout(&wgpu::PipelineLayoutDescriptor {
            label,
            bind_group_layouts: &[Some(&self.uniforms.layout), Some(&tensors)],
            immediate_size: 0,
        });
        // Every kernel writes its workgroup memory before reading it, so zeroing it would be time lost.
        let compilation_options = wgpu::PipelineCompilationOptions {
            zero_initialize_workgroup_memory: false,
            ..Default::default()
        };
        self.device.create_compute_pipeline(&wgpu::ComputePipelineDescriptor {
            label,
            layout: Some(&layout),
            module: &module,
            entry_point: Some("main"),
            compilation_options,
            cache: None,
        })
    }

    fn bind(&self, kernel: &Kernel, pipeline: &wgpu::ComputePipeline, tensors: &[View]) -> wgpu::BindGroup {
        self.counters.add(|counts| counts.objects_created += 1);
        let entries: Vec<_> = (0..)
            .zip(tensors)
            .map(|(binding, view)| wgpu::BindGroupEntry { binding, resource: view.resource() })
            .collect();
        let layout = pipeline.get_bind_group_layout(1);
        let descriptor =
            wgpu::BindGroupDescriptor { label: Some(kernel.name), layout: &layout, entries: &entries };
        self.device.create_bind_group(&descriptor)
    }
}

fn layout_entry(binding: u32, access: Access) -> wgpu::BindGroupLayoutEntry {
    let ty = match access {
        Access::Read => wgpu::BufferBindingType::Storage { read_only: true },
        Access::Write => wgpu::BufferBindingType::Storage { read_only: false },
        Access::Uniform => wgpu::BufferBindingType::Uniform,
    };
    let ty = wgpu::BindingType::Buffer { ty, has_dynamic_offset: false, min_binding_size: None };
    wgpu::BindGroupLayoutEntry { binding, visibility: wgpu::ShaderStages::COMPUTE, ty, count: None }
}
