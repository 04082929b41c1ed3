// One turn of one of them: a browser with nothing in it, the model loaded, a run that is not counted, and one that is.

import { gzipSync } from "node:zlib";

import { launch, openPage } from "../lib/browser.mjs";
import { Memory, memory, watchOthers } from "./machine.mjs";
import { QUESTION, WARM_UP } from "./question.mjs";

const SETTLE_MS = 1000;
const CLOSE_MS = 10_000;

/** Its figures; fails when it takes longer than `seconds`. */
export async function turn(contestant, { tokens, warmUp, seconds }) {
  const { browser } = await launch();
  try {
    return await within(seconds, play(browser, contestant, { tokens, warmUp }));
  } finally {
    await close(browser);
  }
}

async function play(browser, contestant, { tokens, warmUp }) {
  // What a context of its own stores would lie in memory.
  const { page } = await openPage(browser, { context: browser.defaultBrowserContext() });
  const memory = await prepare(browser, page, contestant, warmUp);
  const endOfWatch = watchOthers(browser);
  const run = await contestant.ask(page, QUESTION, tokens);
  const others = endOfWatch();
  return { ...run, others, memory, downloaded: await bytes(contestant) };
}

/** Loads and warms up. Gives the memory that this took; the counted run does nothing that takes more. */
async function prepare(browser, page, contestant, warmUp) {
  await new Promise((resume) => setTimeout(resume, SETTLE_MS));
  const empty = memory(browser);
  const most = new Memory(browser);
  try {
    await contestant.open(page);
    await contestant.ask(page, WARM_UP, warmUp);
  } finally {
    most.stop();
  }
  return most.mib > 0 ? most.mib - empty : null;
}

/** Bytes of a first load where a host compresses programs, as hosts do, and sends weights as they are. */
async function bytes(contestant) {
  const requests = await contestant.requests();
  const isWeights = ({ path }) => /\.(gguf|onnx)$/.test(path);
  const weights = requests.filter(isWeights).reduce((sum, { sent }) => sum + sent, 0);
  const paths = new Set(requests.filter((request) => !isWeights(request) && request.sent > 0).map(({ path }) => path));
  let program = 0;
  for (const path of paths) {
    const answer = await fetch(new URL(path, contestant.url));
    program += gzipSync(Buffer.from(await answer.arrayBuffer())).length;
  }
  return weights + program;
}

function within(seconds, work) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`There was no answer in ${seconds} s.`)), seconds * 1000);
  });
  return Promise.race([work, late]).finally(() => clearTimeout(timer));
}

/** One whose processes are busy may not hear that it should end. */
async function close(browser) {
  const killer = setTimeout(() => browser.process()?.kill("SIGKILL"), CLOSE_MS);
  await browser.close().catch(() => {});
  clearTimeout(killer);
}
