// A headless Chromium, a server on loopback for its pages, and a stand-in for the Messenger that records calls.
import { readFileSync } from "node:fs";
import { createServer } from "node:http";

import { chromium } from "playwright-core";

const HTML = `<!doctype html><title>Shop</title><button id="IntercomDefaultWidget">Help</button>`;
const FILES = {
  "/intercomd.js": "dist/intercomd.js",
  "/intercomd-mparticle.js": "dist/intercomd-mparticle.js",
  "/mparticle.js": "node_modules/@mparticle/web-sdk/dist/mparticle.js",
};
// As Intercom's script, it replaces the function of the page and makes the calls that wait in `q`.
const MESSENGER = `
  (() => {
    const early = window.Intercom?.q ?? [];
    window.calls = [];
    window.Intercom = (...call) => void window.calls.push(JSON.parse(JSON.stringify(call)));
    early.forEach((call) => window.Intercom(...call));
  })();`;

/** Starts the browser and the server. */
export async function openBrowser() {
  const server = createServer((request, response) => {
    const path = new URL(request.url ?? "/", "http://localhost").pathname;
    const file = /** @type {Record<string, string>} */ (FILES)[path];
    const isModule = path.startsWith("/dist/") && path.endsWith(".js");
    response.setHeader("Content-Type", file || isModule ? "text/javascript" : "text/html");
    response.end(file ? readFileSync(file) : isModule ? readFileSync(`.${path}`) : HTML);
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", () => { resolve(undefined); }));
  const address = /** @type {import("node:net").AddressInfo} */ (server.address());
  const browser = await chromium.launch({ executablePath: process.env["CHROMIUM"] ?? "/usr/bin/chromium", args: ["--no-sandbox"] });
  return {
    /** Opens a page with its own storage. Nothing leaves the machine: the Messenger and mParticle are answered here. */
    async open({ fails = false, held = false, script = "/intercomd.js" } = {}) {
      const context = await browser.newContext();
      /** @type {string[]} */
      const requests = [];
      let release = () => {};
      const released = held ? new Promise((resolve) => { release = () => { resolve(undefined); }; }) : undefined;
      await context.route((url) => url.hostname !== "127.0.0.1", async (route) => {
        const url = route.request().url();
        requests.push(url);
        if (url.startsWith("https://widget.intercom.io/widget/") && !fails) {
          await released;
          await route.fulfill({ contentType: "text/javascript", body: MESSENGER });
        } else if (url.includes("mparticle.com")) {
          await route.fulfill(answer(route.request()));
        } else {
          await route.abort();
        }
      });
      const page = await context.newPage();
      const go = async () => {
        await page.goto(`http://127.0.0.1:${address.port}/`);
        if (script) {
          await page.addScriptTag({ url: script });
        }
      };
      await go();
      return {
        page, requests, release, go,
        /** Returns the calls so far, after the Messenger has loaded and the timers that are due have run. */
        calls: async () => {
          await page.waitForFunction("window.calls !== undefined");
          return page.evaluate("new Promise((resolve) => setTimeout(() => resolve(window.calls.splice(0)), 5))");
        },
        close: () => context.close(),
      };
    },
    async close() {
      await browser.close();
      server.closeAllConnections();
      server.close();
    },
  };
}

const MPIDS = new Map();

/** Answers as mParticle: one id for each set of identities. @param {import("playwright-core").Request} request */
function answer(request) {
  const headers = { "Access-Control-Allow-Origin": "*", "Access-Control-Allow-Headers": "*" };
  if (!request.url().includes("identity.mparticle.com") || request.method() !== "POST") {
    return { status: 202, headers, json: {} };
  }
  const { known_identities: identities = {} } = request.postDataJSON();
  if (request.url().endsWith("/modify")) {
    return { status: 200, headers, json: { change_results: [] } };
  }
  const known = { ...identities };
  delete known.device_application_stamp;
  const key = JSON.stringify(known);
  MPIDS.set(key, MPIDS.get(key) ?? `${1000 + MPIDS.size}`);
  return { status: 200, headers, json: { mpid: MPIDS.get(key), is_logged_in: key !== "{}", matched_identities: known, is_ephemeral: false, context: null } };
}
