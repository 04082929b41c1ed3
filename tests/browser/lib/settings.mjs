// What `cargo xtask` hands over; xtask/src/browser.rs lists it.

function setting(name) {
  const value = process.env[name];
  if (!value) throw new Error(`${name} is not set: start this through \`cargo xtask test browser\`.`);
  return value;
}

export const serverUrl = setting("PRONK_URL");
export const pageUrl = new URL("pronk/", serverUrl).href;
export const browserName = setting("PRONK_BROWSER");
export const browserPath = setting("PRONK_BROWSER_PATH");
export const puppeteerPath = setting("PRONK_PUPPETEER");
export const root = setting("PRONK_ROOT");
export const demoModel = setting("PRONK_DEMO_MODEL");
export const fixtures = setting("PRONK_FIXTURES");
export const out = setting("PRONK_OUT");
