// Starts a browser with WebGPU on a CPU adapter, and watches every page for what must never happen.

import { browserName, browserPath, puppeteerPath } from "./settings.mjs";
import { watchOutside } from "./outside.mjs";

const { default: puppeteer } = await import(puppeteerPath);

const CHROMIUM_QUIET = [
  "--no-sandbox", "--disable-quic", "--no-first-run", "--disable-background-networking",
  "--disable-component-update", "--disable-sync", "--disable-dev-shm-usage",
];
const CHROMIUM_WEBGPU = [
  "--enable-unsafe-webgpu", "--use-webgpu-adapter=swiftshader", "--enable-features=Vulkan",
  "--use-vulkan=swiftshader",
];
const FIREFOX_WEBGPU = {
  "dom.webgpu.enabled": true,
  "dom.webgpu.workers.enabled": true,
  "gfx.webgpu.ignore-blocklist": true,
};

/** A browser, and the hosts outside this machine that pages wanted to reach. */
export async function launch({ webgpu = true } = {}) {
  const outside = await watchOutside();
  const options = { executablePath: browserPath, headless: true, protocolTimeout: 600_000 };
  if (browserName === "chromium") {
    const args = [...CHROMIUM_QUIET, ...(webgpu ? CHROMIUM_WEBGPU : ["--disable-features=WebGPU,WebGPUService"])];
    args.push(`--proxy-server=http://127.0.0.1:${outside.port}`);
    return { browser: await puppeteer.launch({ ...options, browser: "chrome", args }), outside };
  }
  const extraPrefsFirefox = {
    ...(webgpu ? FIREFOX_WEBGPU : { "dom.webgpu.enabled": false }),
    "network.proxy.type": 1,
    "network.proxy.http": "127.0.0.1",
    "network.proxy.http_port": outside.port,
    "network.proxy.ssl": "127.0.0.1",
    "network.proxy.ssl_port": outside.port,
    // Without a limit a few headless runs fill a small disk.
    "browser.cache.disk.capacity": 65536,
  };
  return { browser: await puppeteer.launch({ ...options, browser: "firefox", extraPrefsFirefox }), outside };
}

/** A page, of its own storage unless a context is given, and the list of what went wrong in it, worker included. */
export async function openPage(browser, { webgpu = true, context } = {}) {
  context ??= await browser.createBrowserContext();
  const page = await context.newPage();
  const troubles = [];
  page.on("pageerror", (error) => troubles.push(`uncaught: ${error.message ?? error}`));
  page.on("console", (message) => {
    if (message.type() === "error") troubles.push(`console: ${message.text()}`);
  });
  await page.evaluateOnNewDocument(watchPolicy);
  if (!webgpu) await page.evaluateOnNewDocument(() => delete Navigator.prototype.gpu);
  return { page, context, troubles };
}

// Firefox tells no console of it.
function watchPolicy() {
  globalThis.policyViolations = [];
  addEventListener("securitypolicyviolation", (event) => {
    globalThis.policyViolations.push(`${event.violatedDirective} ${event.blockedURI} ${event.sample}`);
  });
}

/** Fails if the page, its worker or its policy complained, except of what the test provoked. */
export async function checkTroubles({ page, troubles }, provoked = []) {
  const violations = await page.evaluate(() => globalThis.policyViolations ?? []);
  const all = [...troubles, ...violations.map((violation) => `policy: ${violation}`)];
  const left = all.filter((trouble) => !provoked.some((pattern) => pattern.test(trouble)));
  if (left.length > 0) throw new Error(`The page complained:\n${left.join("\n")}`);
}
