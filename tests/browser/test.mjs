// All browser tests in one browser. Started by `cargo xtask test browser [SUITE …]`.

import { launch } from "./lib/browser.mjs";
import { finish } from "./lib/harness.mjs";
import { benchmark } from "./suites/benchmark.mjs";
import { chat } from "./suites/chat.mjs";
import { composer } from "./suites/composer.mjs";
import { failures } from "./suites/failures.mjs";
import { models } from "./suites/models.mjs";
import { shaders } from "./suites/shaders.mjs";

const suites = { shaders, composer, chat, models, failures, benchmark };
const wanted = process.argv.slice(2);

const stage = await launch();
for (const [name, suite] of Object.entries(suites)) {
  if (wanted.length === 0 || wanted.includes(name)) await suite(stage);
}
await stage.browser.close();
finish();
