// Pronk as it is published: its page loads the demo, and its worker is asked what the page would ask it.

import { App } from "../lib/app.mjs";
import { requests, reset } from "../lib/server.mjs";
import { serverUrl } from "../lib/settings.mjs";

import { CONTEXT } from "./question.mjs";

/** The page's own turns count from 1. */
const TURN = 4_000_000_000;

export class Pronk {
  name = "Pronk";

  /** `device` as `xtask` calls it: `cpu` or `gpu`. */
  constructor({ device, threads }) {
    this.device = device;
    this.threads = threads;
  }

  url = serverUrl;

  async open(page) {
    await reset();
    await page.evaluateOnNewDocument(keepWorker);
    const onCpu = this.threads === 1 ? "Processor, one core" : "Processor";
    const app = new App(page, this.device === "gpu" ? "GPU" : onCpu);
    await app.open();
    await app.choose("option-context", `${CONTEXT.toLocaleString("en")} tokens`);
    await app.loadDemo();
  }

  ask(page, messages, tokens) {
    const said = messages.map(({ role, content }) => ({ role, content: { text: content } }));
    return page.evaluate(ask, { messages: said, tokens, turn: TURN });
  }

  requests() {
    return requests();
  }

  close() {}
}

// Runs in the page, before any of its scripts.
function keepWorker() {
  const Native = globalThis.Worker;
  globalThis.Worker = class extends Native {
    constructor(...options) {
      super(...options);
      globalThis.engine = this;
    }
  };
}

// Runs in the page.
function ask({ messages, tokens, turn }) {
  const times = [];
  let text = "";
  const answered = new Promise((resolve, reject) => {
    globalThis.engine.onerror = ({ message }) => reject(new Error(message));
    globalThis.engine.onmessage = ({ data }) => {
      if (data.text?.turn === turn) {
        times.push(performance.now());
        text += data.text.text;
      }
      if (data.finished?.turn === turn) resolve(data.finished.usage);
      if (data.failed?.turn === turn) reject(new Error(data.failed.failure.message));
    };
  });
  const start = performance.now();
  const options = { max_tokens: tokens, sampling: { temperature: 0 } };
  globalThis.engine.postMessage({ request: { generate: { turn, messages, options } }, files: [] });
  return answered.then((usage) => ({
    prompt_tokens: usage.prompt_tokens,
    reused_tokens: usage.reused_tokens,
    tokens: usage.completion_tokens,
    first_token: (times[0] - start) / 1000,
    decode: (times.at(-1) - times[0]) / 1000,
    text,
  }));
}
