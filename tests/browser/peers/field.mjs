// Who takes part. What `cargo xtask` has installed stands in variables; xtask/src/peers/mod.rs sets them.

import { readFileSync } from "node:fs";
import { join } from "node:path";

import { Pronk } from "./pronk.mjs";
import { Transformers } from "./transformers.mjs";
import { Wllama } from "./wllama.mjs";

const packages = join(process.env.PRONK_PEERS, "node_modules");
const models = process.env.PRONK_PEERS_ONNX;

/** Those on the CPU, who take turns. */
export async function onCpu() {
  const all = [];
  for (const threads of [1, 2]) {
    all.push(new Pronk({ device: "cpu", threads }));
    all.push(await wllama({ device: "cpu", threads }));
    if (!models) continue;
    all.push(await transformers({ weights: "model_int8", bits: "int8", device: "cpu", threads }));
    all.push(await transformers({ weights: "model_f32", bits: "f32", device: "cpu", threads }));
  }
  return all;
}

/** Those on WebGPU. */
export async function onGpu() {
  const all = [new Pronk({ device: "gpu", threads: 1 }), await wllama({ device: "gpu", threads: 1 })];
  if (models) all.push(await transformers({ weights: "model_q4", bits: "q4", device: "gpu", threads: 1 }));
  return all;
}

const wllama = (options) => Wllama.start({ ...installed("@wllama/wllama"), ...options });
const transformers = (options) => Transformers.start({ ...installed("@huggingface/transformers"), models, ...options });

function installed(name) {
  const folder = join(packages, name);
  return { folder, version: JSON.parse(readFileSync(join(folder, "package.json"), "utf8")).version };
}
