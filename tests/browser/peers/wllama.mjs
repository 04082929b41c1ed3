// wllama: llama.cpp in WebAssembly. Set as its README says: threads, layers on the GPU and the context by name, all
// else as it takes it by itself.

import { basename, dirname, join } from "node:path";

import { demoModel } from "../lib/settings.mjs";
import { CONTEXT } from "./question.mjs";
import { serve } from "./serve.mjs";

export class Wllama {
  /** `folder` holds the package. */
  static async start({ folder, version, device, threads }) {
    const folders = { wllama: join(folder, "esm"), model: dirname(demoModel) };
    const server = await serve(folders, { isolated: threads > 1 });
    return Object.assign(new Wllama(), { name: `wllama ${version}`, device, threads, url: server.url, server });
  }

  async open(page) {
    this.server.requests.length = 0;
    await page.goto(this.url);
    const gpu = this.device === "gpu";
    const model = new URL(`model/${basename(demoModel)}`, this.url).href;
    const options = { n_threads: this.threads, n_ctx: CONTEXT, ...(gpu ? {} : { n_gpu_layers: 0 }) };
    await page.evaluate(load, { model, gpu, options });
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

// Runs in the page. Where it is allowed no threads, or finds no GPU that it can use, it makes do without a word.
async function load({ model, gpu, options }) {
  const { Wllama } = await import(new URL("/wllama/index.js", location.href).href);
  const paths = { default: new URL("/wllama/wasm/wllama.wasm", location.href).href };
  let offloaded = false;
  const debug = (...words) => (offloaded ||= /offloaded [1-9]\d*\/\d+ layers to GPU/.test(words.join(" ")));
  const wllama = new Wllama(paths, { logger: { ...console, debug } });
  await wllama.loadModelFromUrl(model, options);
  if (wllama.getNumThreads() !== options.n_threads) throw new Error(`It has ${wllama.getNumThreads()} threads.`);
  if (gpu && !offloaded) throw new Error("It puts no layer on this adapter, and would compute on the CPU.");
  globalThis.wllama = wllama;
}

// Runs in the page.
async function ask({ messages, tokens }) {
  const times = [];
  let text = "";
  let last;
  const start = performance.now();
  const options = { messages, max_tokens: tokens, temperature: 0, cache_prompt: false, timings_per_token: true };
  const stream = await globalThis.wllama.createChatCompletion({ ...options, stream: true });
  for await (const chunk of stream) {
    const piece = chunk.choices?.[0]?.delta?.content;
    if (piece) {
      times.push(performance.now());
      text += piece;
    }
    last = chunk.timings ?? last;
  }
  return {
    prompt_tokens: last.prompt_n + (last.cache_n ?? 0),
    reused_tokens: last.cache_n ?? 0,
    tokens: last.predicted_n,
    first_token: (times[0] - start) / 1000,
    decode: (times.at(-1) - times[0]) / 1000,
    own_prefill: last.prompt_per_second,
    own_decode: last.predicted_per_second,
    pieces: times.length,
    text,
  };
}
