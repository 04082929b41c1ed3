// A model of the size of Llama 3.2 1B in the page: loaded, asked, and loaded again from storage. Rows for xtask/src/bench.rs.

import { App } from "./lib/app.mjs";
import { checkTroubles, launch, openPage } from "./lib/browser.mjs";
import { until } from "./lib/harness.mjs";
import { Rows } from "./lib/rows.mjs";
import { reset, weightBytes } from "./lib/server.mjs";
import { serverUrl } from "./lib/settings.mjs";

const MODEL = new URL("real-size/llama-3.2-1b/", serverUrl).href;
const HEAP_MIB = 256;
const LOAD = { seconds: 900 };
const WORDS = 4;

const { browser } = await launch();
const tab = await openPage(browser);
const app = new App(tab.page, "GPU");
const rows = new Rows(tab.page);

await reset();
await app.open();
rows.add("first load", await load(), "s");
rows.add("weights fetched by the first load", (await weightBytes()) / 1e6, "MB");
await answer();
rows.add("prefill", parseFloat(await app.text("prefill-rate")), "tok/s");
rows.add("decode", parseFloat(await app.text("decode-rate")), "tok/s");
await rows.addHeap("heap of the worker at its largest", HEAP_MIB);

await app.open();
await reset();
rows.add("second load, from storage", await load(), "s");
rows.add("weights fetched by the second load", await weightBytes(), "bytes", 0);
await answer();
await rows.addHeap("heap of the worker, loading from storage", HEAP_MIB);
await checkTroubles(tab);

rows.write();
await browser.close();

/** Seconds that it took. */
async function load() {
  const start = Date.now();
  await app.loadUrl(MODEL);
  await app.loaded(LOAD);
  return (Date.now() - start) / 1000;
}

/** Some tokens of nonsense, which is all that the model has to say. */
async function answer() {
  await app.ask("Hi");
  await until("an answer", async () => {
    const answer = await app.answer();
    if (answer?.finished === "failed") throw new Error(`The answer failed: ${await app.text("error")}`);
    return (answer?.text.length ?? 0) > 4 * WORDS || answer?.finished;
  }, LOAD);
  if (await app.isBusy()) await app.click("stop");
  await app.finishedAnswer({ seconds: 120 });
}
