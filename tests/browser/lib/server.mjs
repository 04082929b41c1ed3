// What the test server was asked for, and what it is to break (xtask/src/serve/faults.rs).

import { serverUrl } from "./settings.mjs";

async function ask(question) {
  const response = await fetch(new URL(`__test__/${question}`, serverUrl));
  if (!response.ok) throw new Error(`The test server does not understand ${question}.`);
  return response.json();
}

/** All answers since the last reset: `{ path, range, status, sent }`. */
export const requests = () => ask("requests");

/** Ends all faults and forgets the requests. */
export const reset = () => ask("reset");

/** Breaks the next answers for addresses that end with `path`; without `times`, all of them. */
export const fault = (path, kind, { value, times } = {}) => {
  const query = new URLSearchParams({ path, kind });
  if (value !== undefined) query.set("value", value);
  if (times !== undefined) query.set("times", times);
  return ask(`fault?${query}`);
};

/** Bytes of weights that went out since the last reset. */
export async function weightBytes() {
  const weights = (await requests()).filter(({ path }) => /\.(gguf|safetensors)$/.test(path));
  return weights.reduce((sum, { sent }) => sum + sent, 0);
}
