// The page as a person uses it. Everything is found by `data-testid`, a role, or `data-role`.

import { until } from "./harness.mjs";
import { pageUrl } from "./settings.mjs";

const byId = (id) => `[data-testid="${id}"]`;

export class App {
  /** `device` is what models are loaded on, in the words of the page's list; by itself it takes what is faster. */
  constructor(page, device = "Automatic") {
    this.page = page;
    this.device = device;
  }

  /** Opens or reloads the page and waits until its worker has spoken. */
  async open() {
    await this.page.goto(pageUrl, { waitUntil: "load" });
    await until("the page to offer a model", () => this.has("load-demo"), { seconds: 60 });
    await this.choose("option-device", this.device);
  }

  has(id) {
    return this.page.evaluate((selector) => document.querySelector(selector) !== null, byId(id));
  }

  text(id) {
    return this.page.evaluate((selector) => document.querySelector(selector)?.textContent ?? "", byId(id));
  }

  /** A click as the browser's own `click()` does it: not where the pointer is, so nothing can lie in between. */
  async click(id) {
    const found = await this.page.evaluate((selector) => {
      const element = document.querySelector(selector);
      const button = element?.closest("button") ?? element;
      if (!button || button.disabled) return false;
      button.click();
      return true;
    }, byId(id));
    if (!found) throw new Error(`There is no ${id} to click, or it is disabled.`);
  }

  /** Chooses what a list offers under these words. */
  async choose(id, words) {
    const found = await this.page.evaluate((selector, words) => {
      const list = document.querySelector(selector);
      const option = [...(list?.options ?? [])].find(({ text }) => text === words);
      if (!option) return false;
      list.selectedIndex = option.index;
      list.dispatchEvent(new Event("change", { bubbles: true }));
      return true;
    }, byId(id), words);
    if (!found) throw new Error(`There is no ${words} to choose under ${id}.`);
  }

  /** Types a number into a field and leaves it; nothing for what the field holds by itself. */
  async setNumber(id, value) {
    const found = await this.page.evaluate((selector, value) => {
      const field = document.querySelector(selector);
      if (!field) return false;
      field.value = value;
      field.dispatchEvent(new Event("change", { bubbles: true }));
      return true;
    }, byId(id), value);
    if (!found) throw new Error(`There is no ${id} to type into.`);
  }

  /** Loads the demo, and waits until it can answer or the page says why not. */
  async loadDemo({ seconds = 240 } = {}) {
    await this.click("load-demo");
    await this.loaded({ seconds });
  }

  async loaded({ seconds = 240 } = {}) {
    const outcome = await this.outcome({ seconds });
    if (outcome !== "ready") throw new Error(`The model was not loaded; the page says: ${outcome}`);
  }

  /** `ready` once a model can answer, or what the page says went wrong, behind the failure's kind. */
  outcome({ seconds = 240 } = {}) {
    const look = () => this.page.evaluate((error, composer) => {
      const alert = document.querySelector(error);
      if (alert) return `${alert.dataset.kind}: ${alert.querySelector("p").textContent}`;
      return document.querySelector(composer)?.hasAttribute("aria-describedby") ? null : "ready";
    }, byId("error"), byId("composer"));
    return until("a model to be ready, or an error", look, { seconds });
  }

  /** Loads a model from an address. */
  async loadUrl(url) {
    await this.page.type(byId("url-input"), url);
    await this.click("url-load");
  }

  /** Writes into the composer. `\n` is Shift+Enter. */
  async write(text) {
    await this.page.focus(byId("composer"));
    for (const [index, line] of text.split("\n").entries()) {
      if (index > 0) {
        await this.page.keyboard.down("Shift");
        await this.page.keyboard.press("Enter");
        await this.page.keyboard.up("Shift");
      }
      await this.page.keyboard.type(line);
    }
  }

  /** Writes and sends with Enter. */
  async ask(text) {
    await this.write(text);
    await this.page.keyboard.press("Enter");
  }

  /** Replaces what is in the composer, at once. */
  async paste(text) {
    await this.page.focus(byId("composer"));
    await this.page.evaluate((selector, value) => {
      const composer = document.querySelector(selector);
      composer.value = value;
      composer.dispatchEvent(new InputEvent("input", { bubbles: true }));
    }, byId("composer"), text);
  }

  /** Closes the first alert. */
  async dismiss() {
    await this.page.evaluate((selector) => document.querySelector(`${selector} [aria-label="Dismiss"]`).click(), byId("error"));
    await until("the alert to go", async () => !(await this.has("error")), { seconds: 5 });
  }

  draft() {
    return this.page.evaluate((selector) => document.querySelector(selector).value, byId("composer"));
  }

  /** The messages so far: `{ role, text, finished }`. Of an answer only its words, not its buttons and notes. */
  messages() {
    return this.page.evaluate(() =>
      [...document.querySelectorAll("[data-role]")].map((message) => {
        const copy = message.cloneNode(true);
        for (const extra of copy.querySelectorAll(".note, .answer-actions, .waiting")) extra.remove();
        return { role: message.dataset.role, text: copy.textContent, finished: message.dataset.finished ?? null };
      }),
    );
  }

  /** The last answer, if there is one. */
  async answer() {
    return (await this.messages()).filter(({ role }) => role === "assistant").at(-1);
  }

  isBusy() {
    return this.page.evaluate(
      (selector) => document.querySelector(selector)?.getAttribute("aria-busy") === "true",
      byId("transcript"),
    );
  }

  /** The last answer, once it has ended. */
  async finishedAnswer({ seconds = 240 } = {}) {
    return until("the answer to end", async () => {
      const answer = await this.answer();
      if (answer?.finished === "failed") throw new Error(`The answer failed: ${await this.text("error")}`);
      return answer?.finished ? answer : null;
    }, { seconds });
  }
}
