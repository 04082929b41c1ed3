// A model of the size of Llama 3.2 1B in the page: loaded, asked, and loaded again from storage. In Chromium in floats,
// too, which the page quantizes on their way. Rows for xtask/src/bench.rs.

import assert from "node:assert/strict";

import { App } from "./lib/app.mjs";
import { checkTroubles, launch, openPage } from "./lib/browser.mjs";
import { until } from "./lib/harness.mjs";
import { Rows } from "./lib/rows.mjs";
import { reset, weightBytes } from "./lib/server.mjs";
import { browserName, serverUrl } from "./lib/settings.mjs";

const HEAP_MIB = 256;
const LOAD = { seconds: 900 };
const WORDS = 4;

const { browser } = await launch();
const rows = new Rows();
await measure("", "llama-3.2-1b", /Q4_0/, /^ready$/, await browser.createBrowserContext());
// What a page of its own context stores lies in memory, and may be a fraction of that: the usual one's lies on disk.
if (browserName === "chromium") {
  await measure("in floats: ", "llama-3.2-1b-bf16", /Q8_0/, /^Caveat: .* quantized to q8/, browser.defaultBrowserContext());
}
rows.write();
await browser.close();

/** Of the model in a folder, which has this type on the device, and of which the page says this when it is there. */
async function measure(prefix, folder, type, says, context) {
  const url = new URL(`real-size/${folder}/`, serverUrl).href;
  const tab = await openPage(browser, { context });
  const app = new App(tab.page, "GPU");
  const add = (name, ...figure) => rows.add(prefix + name, ...figure);
  const addHeap = (name) => rows.addHeap(tab.page, prefix + name, HEAP_MIB);

  await reset();
  await app.open();
  add("first load", await load(app, url, says), "s");
  assert.match(await app.text("model-facts"), type);
  add("weights fetched by the first load", (await weightBytes()) / 1e6, "MB");
  await answer(app);
  add("prefill", parseFloat(await app.text("prefill-rate")), "tok/s");
  add("decode", parseFloat(await app.text("decode-rate")), "tok/s");
  await addHeap("heap of the worker at its largest");

  await app.open();
  await reset();
  add("second load, from storage", await load(app, url, says), "s");
  add("weights fetched by the second load", await weightBytes(), "bytes", 0);
  await answer(app);
  await addHeap("heap of the worker, loading from storage");
  // A host can't be asked which files a folder has, only for each of them.
  await checkTroubles(tab, [/404/]);
  await tab.page.close();
}

/** Seconds that it took. */
async function load(app, url, says) {
  const start = Date.now();
  await app.loadUrl(url);
  const outcome = await app.outcome(LOAD);
  const seconds = (Date.now() - start) / 1000;
  assert.match(outcome, says);
  if (outcome !== "ready") await app.dismiss();
  return seconds;
}

/** Some tokens of nonsense, which is all that the model has to say. */
async function answer(app) {
  await app.ask("Hi");
  await until("an answer", async () => {
    const answer = await app.answer();
    if (answer?.finished === "failed") throw new Error(`The answer failed: ${await app.text("error")}`);
    return (answer?.text.length ?? 0) > 4 * WORDS || answer?.finished;
  }, LOAD);
  if (await app.isBusy()) await app.click("stop");
  await app.finishedAnswer({ seconds: 120 });
}
