// Every shader in this browser's own compiler: Tint in Chromium, naga in Firefox.

import assert from "node:assert/strict";

import { openPage } from "../lib/browser.mjs";
import { test } from "../lib/harness.mjs";
import { browserName, serverUrl } from "../lib/settings.mjs";

export async function shaders({ browser }) {
  await test("every shader compiles, and makes a pipeline where its text is not in another's", async () => {
    const { page, context } = await openPage(browser);
    await page.goto(new URL("pages/blank.html", serverUrl).href);
    const report = await page.evaluate(compileAll, new URL("fixtures/wgsl.json", serverUrl).href);
    assert.deepEqual(report.failures, []);
    // Of 15 types, their products, three kinds of caches, and what is the same for all.
    assert.ok(report.compiled > 200, `there are only ${report.compiled} shaders`);
    if (browserName === "chromium") assert.ok(report.subgroups, "SwiftShader should have subgroups");
    if (browserName === "firefox") assert.ok(report.f16, "lavapipe should have halves");
    // Nothing asks for more than WebGPU's core but subgroups, which this Firefox does not have, and halves, which SwiftShader
    // does not have.
    const allowed = report.left_out.filter(
      ({ needs_subgroups, needs_f16 }) => (needs_subgroups && !report.subgroups) || (needs_f16 && !report.f16),
    );
    assert.deepEqual(report.left_out, allowed);
    const halves = report.left_out.filter(({ needs_f16 }) => needs_f16).length;
    console.log(
      `    ${report.compiled} shaders compiled, ${report.made} of them into pipelines; left out: ${halves} need halves, ${report.left_out.length - halves} subgroups`,
    );
    await context.close();
  });
}

// Runs in the page.
async function compileAll(url) {
  const shaders = await (await fetch(url)).json();
  const adapter = await navigator.gpu?.requestAdapter();
  if (!adapter) return { failures: ["there is no WebGPU adapter"], compiled: 0, made: 0, left_out: [] };
  const optional = ["subgroups", "shader-f16", "timestamp-query"].filter((feature) => adapter.features.has(feature));
  const device = await adapter.requestDevice({ requiredFeatures: optional });
  const has = (feature) => device.features.has(feature);
  const report = { failures: [], left_out: [], compiled: 0, made: 0, subgroups: has("subgroups"), f16: has("shader-f16") };
  for (const { name, wgsl, needs_subgroups, needs_f16, runs } of shaders) {
    const required = /requires\s+(\w+)\s*;/.exec(wgsl)?.[1];
    const lacks = required && !navigator.gpu.wgslLanguageFeatures.has(required);
    if ((needs_subgroups && !has("subgroups")) || (needs_f16 && !has("shader-f16")) || lacks) {
      report.left_out.push({ name, needs_subgroups, needs_f16, required });
      continue;
    }
    // Tint asks for the line that naga does not know.
    const missing_line = needs_subgroups && !/enable\s+subgroups\s*;/.test(wgsl);
    device.pushErrorScope("validation");
    const module = device.createShaderModule({ code: missing_line ? `enable subgroups;\n${wgsl}` : wgsl });
    const { messages } = await module.getCompilationInfo();
    const errors = messages.filter(({ type }) => type === "error").map((m) => `${m.lineNum}:${m.linePos} ${m.message}`);
    if (errors.length === 0 && runs) {
      report.made += 1;
      await device.createComputePipelineAsync({ layout: "auto", compute: { module } }).catch((error) => errors.push(error.message));
    }
    const scoped = await device.popErrorScope();
    if (scoped && errors.length === 0) errors.push(scoped.message);
    if (errors.length > 0) report.failures.push(`${name}: ${errors.join("; ")}`);
    report.compiled += 1;
  }
  return report;
}
