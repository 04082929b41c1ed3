// A proxy that lets nothing out and writes down who wanted to. All that does not go to this machine goes here.

import { createServer } from "node:http";

// Browsers ask their makers for updates and settings even when told not to.
const BROWSERS_OWN = [
  "mozilla.com", "mozilla.net", "mozilla.org", "firefox.com", "mozgcp.net",
  "google.com", "googleapis.com", "gstatic.com", "gvt1.com", "chromium.org",
];

/** Starts the proxy: its port, and the hosts that were wanted and are not the browser's own affair. */
export async function watchOutside() {
  const hosts = new Set();
  const refuse = (host) => {
    const name = host.replace(/:\d+$/, "");
    if (!BROWSERS_OWN.some((own) => name === own || name.endsWith(`.${own}`))) hosts.add(name);
  };
  const proxy = createServer((request, response) => {
    refuse(new URL(request.url, "http://no-host").host);
    response.writeHead(403).end();
  });
  proxy.on("connect", (request, socket) => {
    refuse(request.url);
    socket.on("error", () => {}); // The browser may hang up first.
    socket.end("HTTP/1.1 403 Forbidden\r\n\r\n");
  });
  await new Promise((ready) => proxy.listen(0, "127.0.0.1", ready));
  proxy.unref();
  return { port: proxy.address().port, hosts };
}
