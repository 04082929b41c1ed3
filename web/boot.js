// Starts the page's module. A file of its own, since the content security policy allows no inline script.

const { js, wasm } = document.querySelector("script[data-js]").dataset;

// Under Trusted Types only the address of the worker has to become a script, and only from this site.
// There is no way to make HTML of a string.
globalThis.trustedTypes?.createPolicy("default", {
  createScriptURL: (url) => (new URL(url, document.baseURI).origin === location.origin ? url : null),
});

const { default: init } = await import(new URL(js, document.baseURI));
await init({ module_or_path: new URL(wasm, document.baseURI) });
