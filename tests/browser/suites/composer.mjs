// What the keyboard does before any model is there.

import assert from "node:assert/strict";

import { App } from "../lib/app.mjs";
import { checkTroubles, openPage } from "../lib/browser.mjs";
import { test } from "../lib/harness.mjs";

export async function composer({ browser }) {
  const tab = await openPage(browser);
  const app = new App(tab.page);

  await test("Shift+Enter breaks the line, and nothing is sent without a model", async () => {
    await app.open();
    await app.write("first\nsecond");
    assert.equal(await app.draft(), "first\nsecond");
    await tab.page.keyboard.press("Enter");
    assert.equal(await app.draft(), "first\nsecond");
    assert.deepEqual(await app.messages(), []);
    await checkTroubles(tab);
  });

  await test("Enter that ends an input method's composition sends nothing", async () => {
    await tab.page.evaluate(() => {
      const event = new KeyboardEvent("keydown", { key: "Enter", isComposing: true, bubbles: true, cancelable: true });
      const proceeds = document.querySelector('[data-testid="composer"]').dispatchEvent(event);
      if (!proceeds) throw new Error("Enter was taken away from the input method.");
    });
    assert.deepEqual(await app.messages(), []);
  });

  await test("the page says what it is to assistive technology", async () => {
    const missing = await tab.page.evaluate(() => {
      const nameless = [...document.querySelectorAll("button, textarea, input, select")].filter((control) => {
        const label = control.getAttribute("aria-label") ?? control.labels?.[0]?.textContent ?? control.textContent;
        return !label.trim();
      });
      return nameless.map((control) => control.outerHTML.slice(0, 120));
    });
    assert.deepEqual(missing, [], "controls without a name");
    assert.equal(await tab.page.evaluate(() => document.documentElement.lang), "en");
  });

  await test("the page fits a phone without scrolling sideways", async () => {
    await tab.page.setViewport({ width: 390, height: 844 });
    const wide = await tab.page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
    assert.equal(wide, 0, "pixels beyond the right edge");
  });

  await tab.context.close();
}
