// wgpu cannot ask for `subgroups` on the web (gfx-rs/wgpu issue 10146), so the request is completed on its way.

let vendor = '';

export function askForSubgroups() {
  const prototype = self.GPUAdapter?.prototype;
  const original = prototype?.requestDevice;
  if (!original) return;
  prototype.requestDevice = function (descriptor = {}) {
    const features = new Set(descriptor.requiredFeatures ?? []);
    if (this.features.has('subgroups')) features.add('subgroups');
    vendor = [this.info?.vendor, this.info?.architecture].filter(Boolean).join(' ');
    return original.call(this, { ...descriptor, requiredFeatures: [...features] });
  };
}

// Nor does wgpu pass these on.
export function vendorAndArchitecture() {
  return vendor;
}
