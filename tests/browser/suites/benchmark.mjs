// What the benchmark's page finds out about a model on a device, and what it gives away as JSON.

import assert from "node:assert/strict";

import { App } from "../lib/app.mjs";
import { checkTroubles, openPage } from "../lib/browser.mjs";
import { CAPITAL, checkCapital } from "../lib/golden.mjs";
import { outFile, test, until } from "../lib/harness.mjs";
import { browserName, pageUrl, root } from "../lib/settings.mjs";

const TINY = `${root}/tests/golden/gguf/tiny-basic-quants.gguf`;

export async function benchmark({ browser }) {
  await test("the demo is measured on the processor, and is right by what is stored for it", async () => {
    const tab = await openPage(browser);
    const app = new App(tab.page, "Processor");
    await app.open();
    await app.choose("option-context", "1,024 tokens");
    await app.loadDemo();
    await app.click("other-view");
    await until("the benchmark", () => app.has("benchmark-start"));
    assert.equal(await app.has("composer"), false, "a question would be asked out of sight");

    await app.click("benchmark-start");
    await until("a stage", async () => /writing after them/.test(await app.text("benchmark-stage")), { seconds: 60 });
    assert.equal(await tab.page.$eval('[data-testid="benchmark-stage"]', (stage) => stage.getAttribute("aria-live")), "polite");
    const report = await finished(app);
    assert.deepEqual(
      [report.accuracy.against, report.accuracy.passed, report.accuracy.greedy],
      ["stored", true, { expected: 8, agreed: 8 }],
    );
    assert.match(await app.text("benchmark-accuracy"), /^Right: .*8 of 8 tokens as expected/);
    assert.equal(report.device.kernels, "simd");
    assert.deepEqual([report.adapter, report.read_bytes_per_second, report.weight_bytes_per_token], [null, null, null]);
    checkSpeeds(report, [16, 512], (fraction) => fraction === null);
    assert.deepEqual(report.left_out, [{ prompt_tokens: 2048, reason: "context" }]);
    assert.equal(report.model.quantization, "Q4_1");
    assert.match(report.browser, browserName === "firefox" ? /Firefox/ : /Chrome/);
    assert.equal(await app.text("status"), "The benchmark is done.");
    await fitsPhone(tab.page);

    await app.click("other-view");
    await until("the chat", () => app.has("composer"));
    await app.ask(CAPITAL);
    checkCapital(await app.finishedAnswer());
    await checkTroubles(tab);
    await tab.context.close();
  });

  await test("the benchmark has an address, asks for a model first, measures the GPU, and can be stopped", async () => {
    const tab = await openPage(browser);
    const app = new App(tab.page, "GPU");
    await tab.page.goto(`${pageUrl}#/benchmark`, { waitUntil: "load" });
    await until("the page to offer a model", () => app.has("load-demo"), { seconds: 60 });
    assert.equal(await app.has("benchmark-start"), false, "there is nothing to measure yet");
    await app.choose("option-device", "GPU");
    const input = await tab.page.$('[data-testid="file-input"]');
    await input.uploadFile(TINY);
    await until("the benchmark", () => app.has("benchmark-start"), { seconds: 60 });

    await app.click("benchmark-start");
    await until("a way to stop it", () => app.has("benchmark-stop"), { seconds: 5 });
    await app.click("benchmark-stop");
    await until("it to stop", () => app.has("benchmark-start"), { seconds: 60 });
    assert.equal(await app.text("status"), "The benchmark was stopped.");
    assert.equal(await app.has("benchmark-report"), false);

    assert.deepEqual([await app.has("tuning"), await app.has("excluded")], [false, false], "nobody has asked for trials yet");

    await app.click("benchmark-try");
    await until("the trials", async () => /Trying the kernels/.test(await app.text("benchmark-stage")), { seconds: 5 });
    const report = await finished(app);
    assert.deepEqual([report.accuracy.against, report.accuracy.passed], ["itself", true]);
    assert.ok(report.accuracy.error !== null && report.accuracy.greedy === null);
    assert.ok(report.read_bytes_per_second > 1e6, `${report.read_bytes_per_second} bytes a second`);
    assert.ok(report.weight_bytes_per_token > 0);
    assert.ok(report.adapter.binding_bytes >= 128 * 1024 * 1024);
    assert.ok(Array.isArray(report.adapter.features));
    // SwiftShader has subgroups, Firefox has none to give; whether kernels use them is another matter.
    assert.equal(report.adapter.features.includes("subgroups"), browserName === "chromium");
    assert.equal(report.adapter.subgroup_sizes !== null, report.device.kernels === "subgroups");
    checkSpeeds(report, [16], (fraction) => fraction > 0 && fraction < 1);
    checkTuning(report.tuning);
    assert.deepEqual(report.device.excluded, []);
    const rows = await tab.page.$$eval('[data-testid="tuning-row"]', (rows) => rows.map((row) => row.textContent));
    // Three for a token and three for many, and one of each is chosen.
    assert.equal(rows.length, 6);
    assert.equal(rows.filter((row) => row.includes("(chosen)")).length, 2, rows.join("; "));
    assert.equal(await app.has("excluded"), false);
    await checkTroubles(tab);
    await tab.context.close();
  });
}

/** That every kind of kernels that the browser has was compared with the plain one and timed. */
function checkTuning({ rows, chosen, prefill }) {
  assert.deepEqual(rows.map(({ kernels }) => kernels), ["plain", "subgroups", "int8"]);
  const [plain, subgroups, int8] = rows;
  assert.equal(plain.verdict.is, "reference");
  // Firefox has no subgroups; dot products of bytes are in both.
  assert.equal(subgroups.verdict.is, browserName === "chromium" ? "right" : "untried", JSON.stringify(subgroups));
  assert.equal(int8.verdict.is, "right", JSON.stringify(int8));
  for (const { verdict, microseconds } of rows) {
    assert.equal(microseconds > 0, verdict.is !== "untried", JSON.stringify(rows));
  }
  assert.ok(rows.some(({ kernels, microseconds }) => kernels === chosen && microseconds > 0), chosen);
  checkPrefill(prefill, chosen === "subgroups" ? chosen : "plain");
}

/** That halves and whole numbers were compared with floats where there are any: SwiftShader has no halves. */
function checkPrefill({ rows, chosen }, floats) {
  assert.deepEqual(rows.map(({ kernels }) => kernels), [floats, "halves", "int8"]);
  assert.equal(rows[0].verdict.is, "reference");
  assert.equal(rows[1].verdict.is, browserName === "firefox" ? "right" : "untried", JSON.stringify(rows));
  assert.equal(rows[2].verdict.is, "right", JSON.stringify(rows));
  assert.ok(rows.some(({ kernels, microseconds }) => kernels === chosen && microseconds > 0), chosen);
}

/** The report behind the page's tables, once there is one. */
async function finished(app) {
  await until("the report", () => app.has("benchmark-report"), { seconds: 600 });
  await app.page.screenshot({ path: outFile("benchmark.png") });
  assert.ok(await app.has("copy"), "there is nothing to copy the JSON with");
  return JSON.parse(await app.text("benchmark-json"));
}

/** That there are speeds after at least these prompts, and that their parts of the limit are as `isFraction` says. */
function checkSpeeds({ speeds, left_out }, least, isFraction) {
  const measured = speeds.map(({ prompt_tokens }) => prompt_tokens);
  assert.deepEqual(measured.slice(0, least.length), least);
  assert.deepEqual([...measured, ...left_out.map(({ prompt_tokens }) => prompt_tokens)], [16, 512, 2048]);
  for (const speed of speeds) {
    assert.ok(speed.prefill_tokens_per_second > 0 && speed.decode_tokens_per_second > 0, JSON.stringify(speed));
    assert.ok(isFraction(speed.bandwidth_fraction), JSON.stringify(speed));
  }
}

async function fitsPhone(page) {
  const before = page.viewport();
  await page.setViewport({ width: 390, height: 844 });
  const wide = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
  await page.screenshot({ path: outFile("benchmark-phone.png") });
  assert.equal(wide, 0, "pixels beyond the right edge");
  await page.setViewport(before);
}
