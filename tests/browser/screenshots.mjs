// Pictures of the page: its states, on a desktop and on a phone, light and dark.

import { App } from "./lib/app.mjs";
import { launch, openPage } from "./lib/browser.mjs";
import { outFile, until } from "./lib/harness.mjs";

// Sizes alone: to turn touch on and off, the driver would load the page anew.
const SCREENS = { desktop: { width: 1280, height: 800 }, phone: { width: 390, height: 844 } };
const THEMES = ["light", "dark"];
const states = process.argv.slice(2);

const { browser } = await launch();
const { page } = await openPage(browser);
const app = new App(page);

await page.setViewport(SCREENS.desktop);
await app.open();
await picture("models");
await app.click("load-options");
await picture("options");
if (states[0] !== "models") {
  await app.click("load-demo");
  await until("progress", () => app.has("progress"), { seconds: 10, every: 20 }).catch(() => {});
  await picture("loading");
  await app.loaded();
  await picture("welcome");
  await app.ask("What is the capital of France?");
  await app.finishedAnswer();
  await picture("answer");
  await app.click("model-chip");
  await app.click("load-options");
  await app.choose("option-weights", "8 bits");
  await picture("in-use");
}
await browser.close();

async function picture(name) {
  for (const [screen, viewport] of Object.entries(SCREENS)) {
    for (const theme of THEMES) {
      await page.setViewport(viewport);
      await page.emulateMediaFeatures([{ name: "prefers-color-scheme", value: theme }]);
      await new Promise((resume) => setTimeout(resume, 300));
      await page.screenshot({ path: outFile(`${name}-${screen}-${theme}.png`) });
    }
  }
  await page.setViewport(SCREENS.desktop);
}
