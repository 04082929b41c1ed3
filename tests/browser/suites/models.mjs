// Where models come from besides the first download: files, other models, a load that was cancelled, a device that left.

import assert from "node:assert/strict";
import { copyFileSync, mkdirSync } from "node:fs";
import { join } from "node:path";

import { App } from "../lib/app.mjs";
import { checkTroubles, openPage } from "../lib/browser.mjs";
import { CAPITAL, DEMO_BYTES, checkCapital } from "../lib/golden.mjs";
import { test, until } from "../lib/harness.mjs";
import { fault, requests, reset, weightBytes } from "../lib/server.mjs";
import { browserName, demoModel, fixtures, root, serverUrl } from "../lib/settings.mjs";

const PIECE = 16 * 1024 * 1024;
const TINY = `${root}/tests/golden/gguf/tiny-basic-quants.gguf`;
const MIXED = `${root}/tests/golden/gguf/tiny-mixed-quants.gguf`;
const HUB = `${root}/tests/golden/tiny-llama-3.1`;
const HUB_FILES = [
  "config.json", "model.safetensors.index.json",
  "model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors",
];

export async function models({ browser }) {
  const inPage = (body, { provoked = [], device } = {}) => async () => {
    const tab = await openPage(browser);
    const app = new App(tab.page, device);
    await reset();
    await app.open();
    await body(app, tab);
    await checkTroubles(tab, provoked);
    await tab.context.close();
    await reset();
  };

  await test("a file from disk is read where it lies, and answers", inPage(async (app, { page }) => {
    const input = await page.$('[data-testid="file-input"]');
    await input.uploadFile(demoModel);
    await app.loaded();
    await app.ask(CAPITAL);
    checkCapital(await app.finishedAnswer());
    assert.equal(await weightBytes(), 0, "bytes of weights were fetched");
    assert.equal(await storedBytes(page), 0, "the file was copied into the browser's storage");
    // With one piece of 16 MiB it is 37 MiB; with a second it would be above this.
    if (browserName === "chromium") assert.ok((await heap(page)) < 48 * 1024 * 1024, "more than one piece was in memory");
  }, { device: "GPU" }));

  for (const device of ["GPU", "Processor"]) await test(`a file with every block type answers, on the ${device}`, inPage(async (app, { page }) => {
    const input = await page.$('[data-testid="file-input"]');
    await input.uploadFile(MIXED);
    await app.loaded();
    await app.ask("Hi");
    await until("some tokens", async () => /[1-9]/.test(await app.text("decode-rate")), { seconds: 60 });
    if (await app.isBusy()) await app.click("stop");
    await app.finishedAnswer({ seconds: 20 });
  }, { device }));

  // Firefox gets none: web/worker/src/deputy.rs.
  if (browserName === "chromium") await test("on the processor a second worker takes half of the layers, and the same is said", inPage(async (app, { page }) => {
    const workers = async (expected) => {
      await until(`${expected} workers`, () => page.workers().length === expected, { seconds: 20 });
    };
    const answer = async () => {
      await app.ask(CAPITAL);
      const { text } = await app.finishedAnswer();
      assert.match(text, /Paris/);
      return text;
    };
    await app.loadDemo();
    await workers(2);
    const shared = await answer();
    // Another model has another: the one before must go with its half.
    await app.click("model-chip");
    await app.choose("option-device", "Processor, one core");
    await app.loadDemo();
    await workers(1);
    assert.equal(await answer(), shared);
  }, { device: "Processor" }));

  await test("the files of a Hugging Face folder are taken together", inPage(async (app, { page }) => {
    const input = await page.$('[data-testid="file-input"]');
    await input.uploadFile(...HUB_FILES.map((name) => `${HUB}/${name}`));
    await app.loaded();
    await app.ask("Hi");
    await until("the page to say what is missing", () => app.has("error"), { seconds: 20 });
    assert.match(await app.outcome(), /^ModelFile: This model came without a tokenizer/);
  }));

  await test("a Hugging Face folder is loaded by its address, and once", inPage(async (app) => {
    const folder = join(fixtures, "tiny-llama");
    mkdirSync(folder, { recursive: true });
    for (const name of HUB_FILES) copyFileSync(`${HUB}/${name}`, join(folder, name));
    const address = new URL("fixtures/tiny-llama/", serverUrl).href;
    await app.loadUrl(address);
    await app.loaded();
    assert.match(await app.text("model-chip"), /tiny-llama/);
    const asked = (await requests()).filter(({ path }) => path.startsWith("/fixtures/tiny-llama/"));
    assert.ok(asked.length >= HUB_FILES.length, `${asked.length} requests`);

    await app.open();
    await reset();
    await app.loadUrl(address);
    await app.loaded();
    const again = (await requests()).filter(({ path }) => path.startsWith("/fixtures/tiny-llama/"));
    assert.deepEqual(again, [], "files were asked for on the second visit");
  }, { provoked: [/404|Failed to load resource/] }));

  await test("a model is loaded as was chosen, and refused where it has less", inPage(async (app, { page }) => {
    await app.choose("option-context", "32,768 tokens");
    await app.click("load-demo");
    assert.equal(
      await app.outcome(),
      "LoadOptions: A context of 32768 tokens was asked for, but the model has at most 8192.",
    );
    await app.choose("option-context", "1,024 tokens");
    await app.choose("option-kv", "Floats");
    await app.choose("option-weights", "8 bits");
    await app.loadDemo();
    assert.match(await app.text("model-chip"), /1,024 tokens/);
    assert.match(await app.text("model-facts"), /Q8_0/);
    await app.ask(CAPITAL);
    assert.match((await app.finishedAnswer()).text, /Paris/);

    // What is in use can be loaded again only if it would be another.
    const canLoad = () => page.$eval('[data-testid="load"]', (button) => !button.disabled);
    await app.click("model-chip");
    assert.match(await app.text("context-facts"), /a context of 1,024 tokens, of which 1,000 take 46.1 MB in f32/);
    assert.equal(await canLoad(), false);
    await app.choose("option-weights", "As stored");
    assert.equal(await canLoad(), true);
    await app.loadDemo();
    assert.match(await app.text("model-facts"), /Q4_1/);
  }));

  await test("a dropped file takes the place of the model that is loaded", inPage(async (app, { page }) => {
    await app.loadDemo();
    await drag(page, TINY, "dragenter");
    await until("the page to say where to drop", () => page.$(".drop-hint"), { seconds: 5 });
    await drag(page, TINY, "drop");
    await until("the other model", async () => /tiny/.test(await app.text("model-chip")), { seconds: 60 });
    assert.equal(await page.$(".drop-hint"), null);
    await app.loaded();

    // And back again, from the models' list.
    await reset();
    await app.click("model-chip");
    await app.loadDemo();
    await app.ask(CAPITAL);
    checkCapital(await app.finishedAnswer());
    assert.equal(await weightBytes(), 0, "the stored model was fetched again");
  }));

  await test("a download that is cancelled keeps what has come, also over a reload", inPage(async (app, { page }) => {
    await fault(".gguf", "slow", { value: 12_000_000 });
    await app.click("load-demo");
    await until("two pieces", async () => (await done(page)) > 2 * PIECE, { seconds: 60, every: 20 });
    await app.click("cancel");
    await until("the load to stop", () => app.has("load-demo"), { seconds: 20 });
    assert.equal(await app.has("error"), false);
    const stopped = await settledWeights();
    assert.ok(stopped < DEMO_BYTES - PIECE, `${stopped} bytes came in spite of Cancel`);

    await reset();
    await app.open();
    await app.loadDemo();
    const rest = await weightBytes();
    assert.ok(rest <= DEMO_BYTES - 2 * PIECE, `${rest} bytes were fetched after two pieces had been stored`);
    await app.ask(CAPITAL);
    checkCapital(await app.finishedAnswer());
  }));

  await test("a stored model can be removed, and is fetched anew", inPage(async (app, { page }) => {
    await app.loadDemo();
    assert.equal(await storedBytes(page), DEMO_BYTES);
    await app.open();
    await app.click("remove");
    await app.click("remove-confirm");
    await until("the model to be gone", async () => !(await app.has("remove")) && !(await app.has("remove-confirm")));
    assert.equal(await storedBytes(page), 0, "pieces of a removed model were left behind");
    await reset();
    await app.loadDemo();
    assert.ok((await weightBytes()) >= DEMO_BYTES);
  }));

  // Firefox lets no driver into workers.
  if (browserName === "chromium") {
    await test("a model is whole only once the disk has it", inPage(async (app, { page }) => {
      await worker(page, watchTransactions);
      await app.loadDemo();
      const writing = await worker(page, () => globalThis.transactions.filter(({ mode }) => mode === "readwrite"));
      const of = (name) => writing.filter(({ store }) => store === name).map(({ durability }) => durability);
      // The first of each forgets what may have been there.
      const [[, ...records], [, ...pieces]] = [of("records"), of("pieces")];
      assert.equal(pieces.length, Math.ceil(DEMO_BYTES / PIECE));
      assert.ok(pieces.every((durability) => durability === "default"), `pieces: ${pieces}`);
      // One record after each piece, and the last says that there are no more.
      assert.deepEqual(records, pieces.map((_, index) => (index + 1 < pieces.length ? "default" : "strict")));
    }));

    await test("a device that is lost in the middle of an answer is said, and the model comes back", inPage(async (app, { page }) => {
      await worker(page, keepDevices);
      await app.loadDemo();
      await app.ask("Count from one to one hundred in words, and explain each number.");
      // Where the CPU stands for the GPU, compiling for it takes half a minute by itself.
      await until("the answer to begin", async () => ((await app.answer())?.text.length ?? 0) > 10, { seconds: 180 });
      await worker(page, () => globalThis.devices.forEach((device) => device.destroy()));
      await until("the page to say so", () => app.has("error"), { seconds: 20 });
      assert.match(await app.outcome(), /^DeviceLost: The GPU was lost/);
      assert.equal((await app.answer()).finished, "failed");
      await app.click("remedy");
      await app.loaded();
      await app.click("new-chat");
      await app.ask(CAPITAL);
      checkCapital(await app.finishedAnswer());
    }, { device: "GPU" }));
  }
}

/** Fires a drag event that carries a file from disk, as a file manager's drag does. */
async function drag(page, path, type) {
  const input = await page.evaluateHandle(() => Object.assign(document.createElement("input"), { type: "file" }));
  await input.uploadFile(path);
  await input.evaluate((input, type) => {
    const dataTransfer = new DataTransfer();
    dataTransfer.items.add(input.files[0]);
    document.body.dispatchEvent(new DragEvent(type, { dataTransfer, bubbles: true, cancelable: true }));
  }, type);
}

/** Bytes of the model that the page says are done. */
function done(page) {
  return page.evaluate(() => Number(document.querySelector('[data-testid="progress"]')?.dataset.done ?? 0));
}

/** Bytes of weights that went out, once no more do. */
async function settledWeights() {
  let last = -1;
  return until("the host to stop sending", async () => {
    const sent = (await requests()).length && (await weightBytes());
    const settled = sent === last;
    last = sent;
    return settled && { sent };
  }, { seconds: 20, every: 1500 }).then(({ sent }) => sent);
}

/** Bytes of all pieces in the browser's storage. `navigator.storage.estimate()` lags behind and is padded. */
function storedBytes(page) {
  return page.evaluate(async () => {
    const answer = (request) => new Promise((resolve, reject) => {
      request.onsuccess = () => resolve(request.result);
      request.onerror = () => reject(request.error);
    });
    const database = await answer(indexedDB.open("pronk-models"));
    const stored = [...database.objectStoreNames].includes("pieces");
    const pieces = stored ? await answer(database.transaction("pieces").objectStore("pieces").getAll()) : [];
    database.close();
    return pieces.reduce((sum, piece) => sum + piece.size, 0);
  });
}

function worker(page, body) {
  return page.workers()[0].evaluate(body);
}

function heap(page) {
  return worker(page, () => globalThis.pronkMemory.buffer.byteLength);
}

// Runs in the worker, before it opens its database.
function watchTransactions() {
  globalThis.transactions = [];
  const { prototype } = IDBDatabase;
  const begin = prototype.transaction;
  prototype.transaction = function (...args) {
    const transaction = begin.apply(this, args);
    const store = [...transaction.objectStoreNames].join();
    globalThis.transactions.push({ store, mode: transaction.mode, durability: transaction.durability });
    return transaction;
  };
}

// Runs in the worker, before the engine asks for a device.
function keepDevices() {
  globalThis.devices = [];
  const { prototype } = GPUAdapter;
  const { requestDevice } = prototype;
  prototype.requestDevice = async function (descriptor) {
    const device = await requestDevice.call(this, descriptor);
    globalThis.devices.push(device);
    return device;
  };
}
