// transformers.js: ONNX Runtime in WebAssembly or on WebGPU. Its model is made of the same GGUF, see
// xtask/src/peers/onnx.rs. It computes in a worker, as its documentation has it, and as the others do.

import { existsSync } from "node:fs";
import { join } from "node:path";

import { serve } from "./serve.mjs";

/** For the CPU the build without WebGPU: half as large, and no slower than the one that is taken by itself. */
const BUILDS = { cpu: "ort-wasm-simd-threaded", gpu: "ort-wasm-simd-threaded.asyncify" };

export class Transformers {
  /** `models` holds a folder for the model; `weights` is the name of a file of it, `bits` what people call it. */
  static async start({ folder, version, models, weights, bits, device, threads }) {
    const nested = join(folder, "node_modules/onnxruntime-web/dist");
    const ort = existsSync(nested) ? nested : join(folder, "../../onnxruntime-web/dist");
    const here = import.meta.dirname;
    const server = await serve({ transformers: join(folder, "dist"), ort, models, here }, { isolated: threads > 1 });
    const transformers = new Transformers();
    const name = `transformers.js ${version} in ${bits}`;
    return Object.assign(transformers, { name, device, threads, url: server.url, server, weights });
  }

  async open(page) {
    this.server.requests.length = 0;
    await page.goto(this.url);
    const { weights, threads } = this;
    await page.evaluate(load, { weights, threads, gpu: this.device === "gpu", build: BUILDS[this.device] });
  }

  ask(page, messages, tokens) {
    return page.evaluate(ask, { messages, tokens });
  }

  async requests() {
    return [...this.server.requests];
  }

  close() {
    this.server.close();
  }
}

// Runs in the page.
function load(options) {
  const worker = new Worker("/here/transformers-worker.mjs", { type: "module" });
  globalThis.transformers = worker;
  return new Promise((resolve, reject) => {
    worker.onerror = (event) => reject(new Error(event.message || "The worker could not be started."));
    worker.onmessage = ({ data }) => (data.failed ? reject(new Error(data.failed)) : resolve());
    worker.postMessage({ load: options });
  });
}

// Runs in the page.
function ask(question) {
  const times = [];
  const worker = globalThis.transformers;
  const answered = new Promise((resolve, reject) => {
    worker.onmessage = ({ data }) => {
      if (data.failed) reject(new Error(data.failed));
      if (data.token) times.push(performance.now());
      if (data.answer) resolve(data.answer);
    };
  });
  const start = performance.now();
  worker.postMessage({ ask: question });
  return answered.then((answer) => ({
    ...answer,
    reused_tokens: 0,
    tokens: times.length,
    first_token: (times[0] - start) / 1000,
    decode: (times.at(-1) - times[0]) / 1000,
  }));
}
