// Pronk and its peers on the same model in the same browser, turn about. Started by `cargo xtask bench --peers`, which
// makes rows of what this leaves in peers.json: all runs, and what did not run and why.

import { writeFileSync } from "node:fs";

import { outFile } from "./lib/harness.mjs";
import { onCpu, onGpu } from "./peers/field.mjs";
import { turn } from "./peers/turn.mjs";

const ROUNDS = Number(process.env.PRONK_PEERS_ROUNDS);

// A token takes a software GPU up to ten seconds, so few are asked for, and only once.
const CPU = { tokens: 64, warmUp: 64, seconds: 300 };
const GPU = { tokens: 8, warmUp: 2, seconds: 300 };

/** What other programs may take of a processor meanwhile, as in xtask/src/peers/figures.rs; else it is tried again. */
const MOST_BUSY = 0.1;
const TRIES = 3;
const PAUSE_MS = 20_000;

const runs = [];
const failures = [];
const cpu = await onCpu();
for (let round = 0; round < ROUNDS; round += 1) {
  for (const contestant of cpu) await play(contestant, round, CPU);
}
const gpu = await onGpu();
for (const contestant of gpu) await play(contestant, 0, GPU);
writeFileSync(outFile("peers.json"), JSON.stringify({ runs, failures }, null, 2));
for (const contestant of [...cpu, ...gpu]) contestant.close();

/** Whoever fails once is not asked again. */
async function play(contestant, round, settings) {
  const { name, device, threads } = contestant;
  const who = { name, device, threads };
  if (failures.some((failure) => same(failure, who))) return;
  const start = Date.now();
  try {
    const run = await undisturbed(contestant, settings);
    runs.push({ ...who, round, ...run });
    const [prefill, decode] = [(run.prompt_tokens - run.reused_tokens) / run.first_token, (run.tokens - 1) / run.decode];
    tell(who, `prefill ${prefill.toFixed(1)} tok/s, decode ${decode.toFixed(1)} tok/s`);
  } catch (error) {
    const reason = String(error?.message ?? error).split("\n")[0];
    failures.push({ ...who, reason, seconds: (Date.now() - start) / 1000 });
    tell(who, `does not run: ${reason}`);
  }
}

/** A turn, if there is one while other programs leave the machine alone. */
async function undisturbed(contestant, settings) {
  for (let tries = 1; ; tries += 1) {
    const run = await turn(contestant, settings);
    if (tries === TRIES || !(run.others > MOST_BUSY)) return run;
    console.log(`    Other programs kept ${run.others.toFixed(1)} processors busy; once more.`);
    await new Promise((resume) => setTimeout(resume, PAUSE_MS));
  }
}

function same(one, other) {
  return one.name === other.name && one.device === other.device && one.threads === other.threads;
}

function tell({ name, device, threads }, what) {
  const where = device === "gpu" ? "WebGPU" : `${threads} thread${threads > 1 ? "s" : ""}`;
  console.log(`    ${name}, ${where}: ${what}`);
}
