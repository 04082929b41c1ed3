// A server for the peers' pages. That of xtask sends our own policy, which forbids them the workers that they make up
// as they go; and threads want two more headers.

import { createReadStream, statSync } from "node:fs";
import { createServer } from "node:http";
import { extname, join } from "node:path";

const TYPES = {
  ".js": "text/javascript", ".mjs": "text/javascript", ".wasm": "application/wasm", ".json": "application/json",
};
const ISOLATION = { "Cross-Origin-Opener-Policy": "same-origin", "Cross-Origin-Embedder-Policy": "require-corp" };
const PAGE = "<!doctype html><meta charset=utf-8><title>A peer</title>";

/** Serves folders under `/name/`, and an empty page at `/`; with `isolated`, so that pages may have threads. */
export async function serve(folders, { isolated }) {
  const requests = [];
  const server = createServer((request, response) => {
    const path = decodeURIComponent(new URL(request.url, "http://localhost").pathname);
    for (const [name, value] of Object.entries(isolated ? ISOLATION : {})) response.setHeader(name, value);
    if (path === "/") {
      requests.push({ path, sent: PAGE.length });
      return response.setHeader("Content-Type", "text/html").end(PAGE);
    }
    const found = find(folders, path);
    if (!found) return response.writeHead(404).end();
    response.writeHead(200, { "Content-Type": TYPES[extname(path)] ?? "application/octet-stream", "Content-Length": found.size });
    if (request.method === "HEAD") return response.end();
    requests.push({ path, sent: found.size });
    createReadStream(found.file).pipe(response);
  });
  await new Promise((ready) => server.listen(0, "127.0.0.1", ready));
  return { url: `http://localhost:${server.address().port}/`, requests, close: () => server.close() };
}

function find(folders, path) {
  const [, name, ...rest] = path.split("/");
  if (!folders[name] || rest.includes("..")) return null;
  const file = join(folders[name], ...rest);
  const stat = statSync(file, { throwIfNoEntry: false });
  return stat?.isFile() ? { file, size: stat.size } : null;
}
