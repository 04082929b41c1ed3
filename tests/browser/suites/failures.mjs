// Everything that goes wrong with a model, its host or the browser is a sentence in the page, and nothing is lost.

import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

import { App } from "../lib/app.mjs";
import { checkTroubles, launch, openPage } from "../lib/browser.mjs";
import { CAPITAL, DEMO_BYTES, checkCapital } from "../lib/golden.mjs";
import { test } from "../lib/harness.mjs";
import { fault, requests, reset } from "../lib/server.mjs";
import { fixtures, root, serverUrl } from "../lib/settings.mjs";

const DEMO = ".gguf";
const PIECE = 16 * 1024 * 1024;
const DAMAGED = /^(Network|ModelFile): .*(damaged|hash|SHA-256|checksum|corrupt)/;
const tiny = readFileSync(join(root, "tests/golden/gguf/tiny-basic-quants.gguf"));

// Both browsers write failed requests to the console by themselves.
const FAILED_REQUEST = [/Failed to load resource/, /NetworkError/, /ERR_/];

export async function failures({ browser }) {
  await test("a model that is not there", () => broken(browser, {
    arm: () => fault(DEMO, "status", { value: 404 }),
    says: /^Network: .*404/,
  }));

  await test("a page in place of a model", () => broken(browser, {
    arm: () => fault(DEMO, "html"),
    says: /^(Network|ModelFile): .*(page|HTML)/,
  }));

  await test("a byte that is wrong on the host", () => broken(browser, {
    arm: () => fault(DEMO, "corrupt", { value: 3 * PIECE + 12345 }),
    says: DAMAGED,
  }));

  await test("a host that has too much to do is asked again", () => mended(browser, {
    arm: () => fault(DEMO, "status", { value: 503, times: 1 }),
    shows: (served) => served.filter(({ status }) => status === 503).length === 1,
  }));

  await test("a connection cut in the middle of a piece is taken up again", () => mended(browser, {
    arm: () => fault(DEMO, "cut", { value: 5_000_000, times: 2 }),
    shows: (served) => served.filter(({ sent }) => sent === 5_000_000).length === 2,
  }));

  await test("a host that ignores ranges", () => mended(browser, {
    arm: () => fault(DEMO, "whole"),
    shows: (served) => served.every(({ status }) => status === 200),
  }));

  await test("a byte that was changed on its way, once", () => mended(browser, {
    arm: () => fault(DEMO, "corrupt", { value: 3 * PIECE + 12345, times: 1 }),
    // The piece is fetched a second time.
    shows: (served) => served.reduce((sum, { sent }) => sum + sent, 0) > DEMO_BYTES + 0.9 * PIECE,
    orSays: DAMAGED,
  }));

  await test("a model of another architecture is named", () => badFile(browser, {
    name: "another-architecture.gguf",
    content: replaced(tiny, "llama", "bloom"),
    says: /^ModelFile: .*bloom/,
  }));

  await test("a file that is no GGUF", () => badFile(browser, {
    name: "no.gguf",
    content: Buffer.from("This is a letter, not a model. ".repeat(100)),
    says: /^ModelFile: .*GGUF/,
  }));

  await test("a file that ends too early", () => badFile(browser, {
    name: "truncated.gguf",
    content: tiny.subarray(0, tiny.length - 1000),
    says: /^ModelFile: .*(end|truncated|cut off|incomplete)/,
  }));

  await test("a header that counts 2^64-1 tensors", () => badFile(browser, {
    name: "hostile.gguf",
    content: hostile(tiny),
    says: /^ModelFile: .*18446744073709551615/,
  }));

  await test("an address that is none", async () => {
    const tab = await openPage(browser);
    const app = new App(tab.page);
    await app.open();
    await app.loadUrl("no address at all");
    assert.match(remark(await app.outcome({ seconds: 30 })), /address|URL/);
    await checkTroubles(tab, FAILED_REQUEST);
    await tab.context.close();
  });

  await test("a request that is none is answered with a failure, and the next is heard", async () => {
    const tab = await openPage(browser);
    const app = new App(tab.page);
    await app.open();
    const generate = (messages) => ({ request: { generate: { turn: 7, messages, options: {} } } });
    const [nonsense, none, halfAsked, asked] = await tab.page.evaluate(answers, [
      { request: { nonsense: {} } }, 5, generate(5), generate([]),
    ]);
    for (const { failed } of [nonsense, none, halfAsked]) {
      assert.match(failed.failure.message, /^The engine was asked for something that it does not know \(.+\); reload the page\.$/);
    }
    assert.deepEqual([halfAsked.failed.turn, asked.failed.turn], [7, 7]);
    assert.match(asked.failed.failure.message, /^No model is loaded/);
    await checkTroubles(tab);
    await tab.context.close();
  });

  await withoutWebGpu();
}

/** Runs in the page: what a worker of one's own answers to each message, once it has spoken. */
async function answers(messages) {
  const worker = new Worker(document.querySelector('meta[name="pronk-worker"]').content, { type: "module" });
  const next = () => new Promise((resolve, reject) => {
    worker.onmessage = ({ data }) => resolve(data);
    worker.onerror = ({ message }) => reject(new Error(message));
  });
  const heard = [];
  await next();
  for (const message of messages) {
    const answer = next();
    worker.postMessage(message);
    heard.push(await answer);
  }
  worker.terminate();
  return heard;
}

/** The demo cannot be loaded; the page says why, and works again once the host does. */
async function broken(browser, { arm, says }) {
  const tab = await openPage(browser);
  const app = new App(tab.page);
  await reset();
  await app.open();
  await arm();
  await app.click("load-demo");
  assert.match(remark(await app.outcome()), says);
  assert.ok(await app.has("load-demo"), "the model can no longer be chosen");
  await checkTroubles(tab, FAILED_REQUEST);
  await tab.context.close();
  await reset();
}

/** The demo is loaded in spite of what happens, or, if that is allowed, the page says why not. */
async function mended(browser, { arm, shows, orSays }) {
  const tab = await openPage(browser);
  const app = new App(tab.page);
  await reset();
  await app.open();
  await arm();
  await app.click("load-demo");
  const outcome = remark(await app.outcome());
  if (orSays?.test(outcome)) return;
  assert.equal(outcome, "ready");
  const served = (await requests()).filter(({ path }) => path.endsWith(DEMO));
  assert.ok(shows(served), `the host did not break its answers: ${JSON.stringify(served)}`);
  await checkTroubles(tab, FAILED_REQUEST);
  await tab.context.close();
  await reset();
}

/** A file that cannot be a model of ours, by address and from disk. */
async function badFile(browser, { name, content, says }) {
  const path = join(fixtures, name);
  writeFileSync(path, content);
  const tab = await openPage(browser);
  const app = new App(tab.page);
  await app.open();
  await app.loadUrl(new URL(`fixtures/${name}`, serverUrl).href);
  assert.match(remark(await app.outcome({ seconds: 60 })), says);

  await app.open();
  const input = await tab.page.$('[data-testid="file-input"]');
  await input.uploadFile(path);
  assert.match(remark(await app.outcome({ seconds: 60 })), says);
  await checkTroubles(tab);
  await tab.context.close();
}

async function withoutWebGpu() {
  await test("a browser without WebGPU: the processor answers, and the GPU is refused in a sentence", async () => {
    const { browser } = await launch({ webgpu: false });
    try {
      const tab = await openPage(browser, { webgpu: false });
      const app = new App(tab.page);
      await app.open();
      await app.loadDemo();
      assert.match(await app.text("slow"), /^No GPU found, so the model runs on the processor/);
      assert.match(await app.text("model-chip"), /CPU/);
      await app.ask(CAPITAL);
      checkCapital(await app.finishedAnswer());

      const onGpu = new App(tab.page, "GPU");
      await onGpu.open();
      await onGpu.click("load-demo");
      assert.match(remark(await onGpu.outcome({ seconds: 30 })), /^NoWebGpu: /);
      await checkTroubles(tab);
    } finally {
      await browser.close();
    }
  });
}

/** Prints what a person would read, for whoever reads the tests' output. */
function remark(outcome) {
  if (outcome !== "ready") console.log(`    ${outcome}`);
  return outcome;
}

function replaced(bytes, from, to) {
  const at = bytes.indexOf(from);
  assert.ok(at >= 0 && from.length === to.length);
  const copy = Buffer.from(bytes);
  copy.write(to, at);
  return copy;
}

/** GGUF's number of tensors stands behind the magic and the version. */
function hostile(bytes) {
  const copy = Buffer.from(bytes);
  copy.writeBigUInt64LE(0xffff_ffff_ffff_ffffn, 8);
  return copy;
}
