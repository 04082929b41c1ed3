// Under Trusted Types this worker's own script, and nothing else, may become another worker.
globalThis.trustedTypes?.createPolicy("default", {
  createScriptURL: (url) => (url === location.href ? url : null),
});

export function startDeputy(name) {
  return new Worker(location.href, { type: "module", name });
}
