// The figures of a bench, as xtask/src/bench.rs reads them.

import { writeFileSync } from "node:fs";

import { outFile } from "./harness.mjs";
import { browserName } from "./settings.mjs";

export class Rows {
  #rows = [];

  add(name, value, unit, wanted) {
    this.#rows.push({ name, value, unit, ...(wanted === undefined ? {} : { wanted }) });
  }

  /** WebAssembly memory never shrinks, so what it has now is the most it has had. Firefox lets no driver into workers. */
  async addHeap(page, name, wanted) {
    if (browserName !== "chromium") return;
    const sizes = page.workers().map((worker) => worker.evaluate(() => globalThis.pronkMemory?.buffer.byteLength ?? 0));
    this.add(name, Math.max(0, ...(await Promise.all(sizes))) / (1024 * 1024), "MiB", wanted);
  }

  /** Leaves them where xtask looks for them. */
  write() {
    writeFileSync(outFile("bench.json"), JSON.stringify(this.#rows, null, 2));
  }
}
