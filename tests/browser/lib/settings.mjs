// What `cargo xtask` hands over; xtask/src/browser.rs lists it.

import { readFileSync } from "node:fs";
import { join } from "node:path";

function setting(name) {
  const value = process.env[name];
  if (!value) throw new Error(`${name} is not set: start this through \`cargo xtask test browser\`.`);
  return value;
}

export const serverUrl = setting("PRONK_URL");
export const pageUrl = new URL("pronk/", serverUrl).href;
export const browserName = setting("PRONK_BROWSER");
export const browserPath = setting("PRONK_BROWSER_PATH");
export const puppeteerPath = setting("PRONK_PUPPETEER");
export const root = setting("PRONK_ROOT");
export const fixtures = setting("PRONK_FIXTURES");
export const out = setting("PRONK_OUT");

/** The golden answer to a chat of one message, without the token that ends it. */
export function goldenAnswer(question) {
  const golden = JSON.parse(readFileSync(join(root, "tests/golden/smollm2-golden.json"), "utf8"));
  const found = golden.cases.find(({ messages }) => messages.length === 1 && messages[0].content === question);
  if (!found) throw new Error(`smollm2-golden.json has no chat that asks ${question}`);
  return { text: found.greedy_text.replace(/<\|im_end\|>$/, ""), margins: found.greedy_margins };
}
