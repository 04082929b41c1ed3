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
await page.evaluateOnNewDocument(letToolsBeCalled);
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
  await page.evaluate(() => (globalThis.callsTools = true));
  await app.ask("Will it rain in Cape Town tomorrow, and how much in a month?");
  await until("the call to begin", () => app.has("tool-call"), { seconds: 20 });
  await picture("tool-begun");
  await app.finishedAnswer();
  await picture("tools");
  await app.click("model-chip");
  await app.click("load-options");
  await app.choose("option-weights", "8 bits");
  await picture("in-use");
}
await browser.close();

// Runs in the page, before any of its scripts. The page offers no tools yet, so the worker's answer is made up here.
function letToolsBeCalled() {
  const usage = {
    prompt_tokens: 212, reused_tokens: 40, completion_tokens: 61, context_used: 273,
    prefill_tokens_per_second: 48.2, decode_tokens_per_second: 16.9, seconds_to_first_token: 3.6,
  };
  const call = (name, args) => ({ call: { call: { id: "", name, arguments: JSON.stringify(args) } } });
  const code = "import datetime\n\nmonth = [4.0, 0.0, 11.5, 2.5]  # millimetres a week\nprint(sum(month), datetime.date.today())";
  const events = [
    { begun: { name: "get_forecast" } },
    call("get_forecast", { place: { city: "Cape Town", country: "ZA" }, days: 2, unit: "celsius" }),
    call("search_the_archive_of_rain_gauges_by_station_and_month", { query: "https://example.org/?" + "q".repeat(140) }),
    { code: { code } },
  ];
  const post = Worker.prototype.postMessage;
  Worker.prototype.postMessage = function (message, ...rest) {
    if (!globalThis.callsTools || !message?.request?.generate) return post.call(this, message, ...rest);
    const { turn } = message.request.generate;
    const tell = (data, milliseconds) =>
      setTimeout(() => this.dispatchEvent(new MessageEvent("message", { data })), milliseconds);
    tell({ text: { turn, text: "I look that up.", usage } }, 100);
    events.forEach((event, index) => tell({ tool: { turn, event } }, index === 0 ? 200 : 8000));
    tell({ finished: { turn, reason: "tool_calls", usage } }, 8000);
  };
}

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
