// What a first visit fetches besides weights, as a static host sends it: compressed by gzip, which all of them do.

import { gzipSync } from "node:zlib";

import { requests } from "./server.mjs";
import { serverUrl } from "./settings.mjs";

/** Bytes of the page and of the worker, of all that was asked for since the last reset. */
export async function compressedDownloads() {
  const paths = new Set((await requests()).map(({ path }) => path));
  const bytes = { page: 0, worker: 0 };
  for (const path of paths) {
    if (/\.(gguf|safetensors)$/.test(path)) continue;
    const body = await (await fetch(new URL(path, serverUrl))).arrayBuffer();
    bytes[/\/worker[^/]*$/.test(path) ? "worker" : "page"] += gzipSync(new Uint8Array(body), { level: 9 }).length;
  }
  return bytes;
}
