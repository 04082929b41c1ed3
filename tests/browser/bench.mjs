// Speed and memory of the page, as rows for xtask/src/bench.rs.

import { App } from "./lib/app.mjs";
import { launch, openPage } from "./lib/browser.mjs";
import { compressedDownloads } from "./lib/downloads.mjs";
import { until } from "./lib/harness.mjs";
import { Rows } from "./lib/rows.mjs";
import { reset, weightBytes } from "./lib/server.mjs";
import { browserName } from "./lib/settings.mjs";

// What the issue asks for on 2 cores without a GPU.
const WANTED = { chromium: { prefill: 4, decode: 2.8 }, firefox: { prefill: 35, decode: 10 } }[browserName];

// What the fastest peer reads with two threads, and twice what it writes with one, on a machine half as fast as that of
// docs/performance.md; ratios of one run are what `bench --peers` gives.
const WANTED_ON_CPU = { prefill: 107, decode: 28 };
const FIRST_TOKEN_SECONDS = 2;
const HEAP_MIB = 128;
const FRAME_MS = 100;
const COMPRESSED_KB = { page: 300, worker: 1200 };

// With the template around it about 128 tokens.
const QUESTION = `Read this and say in a few sentences what it is about. The springbok is an antelope of southern and
south-western Africa. When it is excited it leaps into the air again and again with a bowed back and stiff legs, and
comes down on all four feet at once; this is called pronking. Nobody knows for certain why it does so. It may show
others that there is danger, or show a cheetah that this animal is strong and not worth the chase.`.replace(/\s+/g, " ");

const { browser } = await launch();
const { page } = await openPage(browser);
const rows = new Rows();

const app = new App(page, "GPU");
await reset();
await app.open();
await page.evaluate(watchFrames);
let start = Date.now();
await app.loadDemo();
rows.add("first load", (Date.now() - start) / 1000, "s");
const downloads = await compressedDownloads();
rows.add("compressed download, the page", downloads.page / 1000, "KB", COMPRESSED_KB.page);
rows.add("compressed download, the worker", downloads.worker / 1000, "KB", COMPRESSED_KB.worker);
await rows.addHeap(page, "heap of the worker at its largest, loading", HEAP_MIB);

await someWords(app);
rows.add("prefill", parseFloat(await app.text("prefill-rate")), "tok/s", WANTED.prefill);
rows.add("decode", parseFloat(await app.text("decode-rate")), "tok/s", WANTED.decode);
await rows.addHeap(page, "heap of the worker at its largest");
const frames = await page.evaluate(() => globalThis.frames_watched);
rows.add("longest gap between frames", frames.gap, "ms", FRAME_MS);
if (frames.task !== null) rows.add("longest task on the page's thread", frames.task, "ms", FRAME_MS);

await reset();
await app.open();
start = Date.now();
await app.loadDemo();
rows.add("second load, from storage", (Date.now() - start) / 1000, "s");
rows.add("weights fetched by the second load", await weightBytes(), "bytes", 0);

const onCpu = new App(page, "Processor");
await onCpu.open();
start = Date.now();
await onCpu.loadDemo();
rows.add("load from storage, on the CPU", (Date.now() - start) / 1000, "s");
await someWords(onCpu);
rows.add("prefill, on the CPU", parseFloat(await onCpu.text("prefill-rate")), "tok/s", WANTED_ON_CPU.prefill);
rows.add("decode, on the CPU", parseFloat(await onCpu.text("decode-rate")), "tok/s", WANTED_ON_CPU.decode);

// As someone meets it who was here before: the page opens, the model lies there, and a short question is asked.
const again = new App(page, "Processor");
start = Date.now();
await again.open();
await again.loadDemo();
await again.ask("Hello!");
await until("a first word", async () => ((await again.answer())?.text.length ?? 0) > 0, { seconds: 60 });
rows.add("page open to first token, on the CPU", (Date.now() - start) / 1000, "s", FIRST_TOKEN_SECONDS);

rows.write();
await browser.close();

/** An answer of some forty words, in an empty conversation. */
async function someWords(app) {
  await app.ask(QUESTION);
  await until("forty words", async () => {
    const answer = await app.answer();
    return (answer?.text.split(/\s+/).length ?? 0) > 40 || answer?.finished;
  }, { seconds: 600 });
  if (await app.isBusy()) await app.click("stop");
  await app.finishedAnswer({ seconds: 60 });
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
