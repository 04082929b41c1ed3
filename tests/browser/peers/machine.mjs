// What a browser takes of the machine, as Linux tells it: memory, and whether others took processors from it.
// Elsewhere there is no `/proc`, and nothing is told.

import { existsSync, readFileSync, readdirSync } from "node:fs";
import { availableParallelism } from "node:os";

const MEMORY_EVERY_MS = 250;
/** What Linux counts a second by, on every processor that browsers run on. */
const TICKS = 100;

/** The most memory of a browser's processes from now until `stop`. */
export class Memory {
  mib = 0;
  #timer;

  constructor(browser) {
    const look = () => (this.mib = Math.max(this.mib, memory(browser)));
    this.#timer = setInterval(look, MEMORY_EVERY_MS);
  }

  stop() {
    clearInterval(this.#timer);
  }
}

/**
 * The memory of a browser's processes, in MiB: of pages that processes share, each has its part (PSS), so that the
 * browser's own code is not counted six times.
 */
export function memory(browser) {
  const kib = processes(browser).map(({ pid }) => {
    const found = /^Pss:\s+(\d+)/m.exec(read(`${pid}/smaps_rollup`));
    return found ? Number(found[1]) : 0;
  });
  return kib.reduce((sum, value) => sum + value, 0) / 1024;
}

/** From now on; calling what it returns gives how many processors other programs kept busy in the mean. */
export function watchOthers(browser) {
  const start = times(browser);
  return () => {
    const end = times(browser);
    const wall = (end.total - start.total) / availableParallelism();
    if (!(wall > 0)) return null;
    return Math.max(0, (end.busy - end.ours - start.busy + start.ours) / wall);
  };
}

/** In ticks since the machine started: of all processors together, how many of them busy, and busy with this bench. */
function times(browser) {
  const fields = read("stat").split("\n")[0].split(/\s+/).slice(1, 9).map(Number);
  const total = fields.reduce((sum, value) => sum + value, 0);
  const [, , , idle = 0, waiting = 0] = fields;
  const { user, system } = process.cpuUsage();
  const browsers = processes(browser).reduce((sum, { ticks }) => sum + ticks, 0);
  return { total, busy: total - idle - waiting, ours: browsers + ((user + system) / 1e6) * TICKS };
}

/** The browser's process and all below it. */
function processes(browser) {
  if (!existsSync("/proc/stat")) return [];
  const all = readdirSync("/proc").filter((name) => /^\d+$/.test(name)).map(Number).map(look);
  const found = [];
  let parents = new Set([browser.process().pid]);
  found.push(...all.filter(({ pid }) => parents.has(pid)));
  while (parents.size > 0) {
    const children = all.filter(({ parent }) => parents.has(parent));
    found.push(...children);
    parents = new Set(children.map(({ pid }) => pid));
  }
  return found;
}

/** The program's name comes first, in brackets, and may hold anything. */
function look(pid) {
  const fields = read(`${pid}/stat`).split(")").at(-1).trim().split(" ");
  return { pid, parent: Number(fields[1]), ticks: Number(fields[11] ?? 0) + Number(fields[12] ?? 0) };
}

/** Nothing where there is nothing to read: processes end whenever they like. */
function read(path) {
  try {
    return readFileSync(`/proc/${path}`, "utf8");
  } catch {
    return "";
  }
}
