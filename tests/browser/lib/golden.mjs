// What the demo model is and says, by tests/golden/smollm2-golden.json.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";

import { root } from "./settings.mjs";

export const DEMO_BYTES = 98_362_432;
export const CAPITAL = "What is the capital of France?";

/** Fails unless `answer` is the whole golden answer to CAPITAL. */
export function checkCapital(answer) {
  const golden = JSON.parse(readFileSync(join(root, "tests/golden/smollm2-golden.json"), "utf8"));
  const found = golden.cases.find(({ messages }) => messages.length === 1 && messages[0].content === CAPITAL);
  assert.ok(found, `smollm2-golden.json has no chat that asks ${CAPITAL}`);
  // The smallest margin is more than twice what f16 in the KV cache may cost, so every token counts.
  assert.ok(Math.min(...found.greedy_margins) > 0.08);
  assert.equal(answer.finished, "end_of_turn");
  assert.equal(answer.text.trim(), found.greedy_text.replace(/<\|im_end\|>$/, ""));
}
