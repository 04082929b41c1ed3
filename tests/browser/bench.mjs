// Speed and memory of the page, as rows for xtask/src/bench.rs.

import { writeFileSync } from "node:fs";

import { App } from "./lib/app.mjs";
import { launch, openPage } from "./lib/browser.mjs";
import { outFile, until } from "./lib/harness.mjs";
import { reset, weightBytes } from "./lib/server.mjs";
import { browserName } from "./lib/settings.mjs";

// What the issue asks for on 2 cores without a GPU.
const WANTED = { chromium: { prefill: 1.5, decode: 1.2 }, firefox: { prefill: 6, decode: 2 } }[browserName];
const HEAP_MIB = 128;
const FRAME_MS = 100;

// With the template around it about 128 tokens.
const QUESTION = `Read this and say in a few sentences what it is about. The springbok is an antelope of southern and
south-western Africa. When it is excited it leaps into the air again and again with a bowed back and stiff legs, and
comes down on all four feet at once; this is called pronking. Nobody knows for certain why it does so. It may show
others that there is danger, or show a cheetah that this animal is strong and not worth the chase.`.replace(/\s+/g, " ");

const { browser } = await launch();
const { page } = await openPage(browser);
const app = new App(page);
const rows = [];
const row = (name, value, unit, wanted) => rows.push({ name, value, unit, ...(wanted === undefined ? {} : { wanted }) });

await reset();
await app.open();
await page.evaluate(watchFrames);
let start = Date.now();
await app.loadDemo();
row("first load", (Date.now() - start) / 1000, "s");
await heapRow("heap of the worker at its largest, loading", HEAP_MIB);

await app.ask(QUESTION);
await until("forty words", async () => {
  const answer = await app.answer();
  return (answer?.text.split(/\s+/).length ?? 0) > 40 || answer?.finished;
}, { seconds: 600 });
if (await app.isBusy()) await app.click("stop");
await app.finishedAnswer({ seconds: 60 });
row("prefill", parseFloat(await app.text("prefill-rate")), "tok/s", WANTED.prefill);
row("decode", parseFloat(await app.text("decode-rate")), "tok/s", WANTED.decode);
await heapRow("heap of the worker at its largest");
const frames = await page.evaluate(() => globalThis.frames_watched);
row("longest gap between frames", frames.gap, "ms", FRAME_MS);
if (frames.task !== null) row("longest task on the page's thread", frames.task, "ms", FRAME_MS);

await reset();
await app.open();
start = Date.now();
await app.loadDemo();
row("second load, from storage", (Date.now() - start) / 1000, "s");
row("weights fetched by the second load", await weightBytes(), "bytes", 0);

writeFileSync(outFile("bench.json"), JSON.stringify(rows, null, 2));
await browser.close();

/** WebAssembly memory never shrinks, so what it has now is the most it has had. Firefox lets no driver into workers. */
async function heapRow(name, wanted) {
  if (browserName !== "chromium") return;
  const sizes = page.workers().map((worker) => worker.evaluate(() => globalThis.pronkMemory?.buffer.byteLength ?? 0));
  row(name, Math.max(0, ...(await Promise.all(sizes))) / (1024 * 1024), "MiB", wanted);
}

// Runs in the page. Only Chromium tells how long tasks take; on a machine without a GPU a gap between frames
// may also mean that the model's work left the page no core.
function watchFrames() {
  const seen = { gap: 0, task: null };
  globalThis.frames_watched = seen;
  let last = performance.now();
  const frame = (now) => {
    seen.gap = Math.max(seen.gap, now - last);
    last = now;
    requestAnimationFrame(frame);
  };
  requestAnimationFrame(frame);
  if (PerformanceObserver.supportedEntryTypes.includes("longtask")) {
    seen.task = 0;
    const observer = new PerformanceObserver((list) => {
      for (const { duration } of list.getEntries()) seen.task = Math.max(seen.task, duration);
    });
    observer.observe({ type: "longtask" });
  }
}
