// Tests in the order they are written, each with a name and a time, and one line of totals that xtask reads.

import { mkdirSync } from "node:fs";
import { join } from "node:path";

import { browserName, out } from "./settings.mjs";

let passed = 0;
let failed = 0;

/** Runs one test. A failure is printed and counted, and the next test runs. */
export async function test(name, body) {
  const start = Date.now();
  const took = () => `${((Date.now() - start) / 1000).toFixed(1)} s`;
  try {
    await body();
    passed += 1;
    console.log(`test ${browserName}: ${name} ... ok (${took()})`);
  } catch (error) {
    failed += 1;
    console.log(`test ${browserName}: ${name} ... FAILED (${took()})\n${indent(error.stack ?? String(error))}`);
  }
}

/** Prints the totals in the manner of cargo's tests and ends the process. */
export function finish() {
  const verdict = failed ? "FAILED" : "ok";
  console.log(`test result: ${verdict}. ${passed} passed; ${failed} failed; 0 ignored`);
  process.exit(failed ? 1 : 0);
}

function indent(text) {
  return text.replace(/^/gm, "    ");
}

/** Looks again and again until `look` returns something true; says what it waited for if that never comes. */
export async function until(what, look, { seconds = 30, every = 100 } = {}) {
  const end = Date.now() + seconds * 1000;
  for (;;) {
    const seen = await look();
    if (seen) return seen;
    if (Date.now() > end) throw new Error(`Waited ${seconds} s in vain for ${what}.`);
    await new Promise((resume) => setTimeout(resume, every));
  }
}

/** Where a test leaves a file for eyes. */
export function outFile(name) {
  mkdirSync(out, { recursive: true });
  return join(out, name);
}
