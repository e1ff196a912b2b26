// The kit inside mParticle's own SDK, in a real browser.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { openBrowser } from "./browser.js";

/** @type {Awaited<ReturnType<typeof openBrowser>>} */
let browser;
before(async () => {
  browser = await openBrowser();
});
after(() => browser.close());

const SETTINGS = { app_id: "abc12345", api_base: "https://api-iam.intercom.io", custom_launcher_selector: "#help" };
const ADA = { customerid: "42", email: "ada@example.com" };
const ADA_BOOT = ["boot", { ...SETTINGS, user_id: "42", email: "ada@example.com" }];
const KIT_CONFIG = `{
  name: 'IntercomEventForwarder', moduleId: 18, isDebug: false, isVisible: true, eventNameFilters: [], eventTypeFilters: [], attributeFilters: [],
  screenNameFilters: [], screenAttributeFilters: [], userIdentityFilters: [], userAttributeFilters: [], filteringEventAttributeValue: {},
  filteringUserAttributeValue: {}, filteringConsentRuleValues: {}, excludeAnonymousUser: false,
  settings: { appid: 'abc12345', widgetid: '#help', pageviews: 'True' } }`;
const FORMS = {
  "self-hosted drop-in": `intercomd.IntercomEventForwarder.register(config); config.kitConfigs = [${KIT_CONFIG}];`,
  "drop-in that finds the SDK": `config.kitConfigs = [${KIT_CONFIG}];`,
  sideloaded: `config.sideloadedKits = [new mParticle.MPSideloadedKit(new intercomd.IntercomKit({ appId: 'abc12345', widgetId: '#help', pageViews: true }))];`,
};

/** @param {string} form @param {object} [identities] */
async function start(form, identities) {
  const site = await browser.open({ script: "/mparticle.js" });
  await begin(site, form, identities);
  return site;
}

/** @param {Awaited<ReturnType<typeof browser.open>>} site @param {string} form @param {object} [identities] */
async function begin(site, form, identities) {
  await site.page.addScriptTag({ url: "/intercomd-mparticle.js" });
  await site.page.evaluate(`new Promise((resolve) => {
    const config = { isDevelopmentMode: false, requestConfig: false, logLevel: 'none', identifyRequest: { userIdentities: ${JSON.stringify(identities ?? {})} } };
    config.identityCallback = resolve;
    ${form}
    mParticle.init('key', config);
  })`);
}

/** @param {Awaited<ReturnType<typeof start>>} site @param {"login" | "logout" | "modify"} method @param {object} [userIdentities] */
async function change(site, method, userIdentities) {
  await site.page.evaluate(`new Promise((resolve) => mParticle.Identity.${method}(${JSON.stringify(userIdentities ? { userIdentities } : {})}, resolve))`);
}

for (const [name, form] of Object.entries(FORMS)) {
  test(`${name}: users, attributes and events`, async () => {
    const site = await start(form, ADA);
    try {
      assert.deepEqual(await site.calls(), [ADA_BOOT]);
      assert.ok(site.requests.some((url) => url.includes("identity.mparticle.com/v1/identify")));
      await site.page.evaluate(`mParticle.Identity.getCurrentUser().setUserAttributes({ $FirstName: 'Ada', plan: 'pro', 'a.b': 'x' });
        mParticle.Identity.getCurrentUser().setUserTag('vip');
        mParticle.logEvent('Order.placed', mParticle.EventType.Transaction, { a: '1', b: '2', c: '3', d: '4', e: '5', f: '6' })`);
      assert.deepEqual(await site.calls(), [
        ["update", { name: "Ada", plan: "pro", "a-b": "x", vip: true }],
        ["trackEvent", "Order-placed", { a: "1", b: "2", c: "3", d: "4", e: "5" }],
      ]);
      await site.page.evaluate(`mParticle.Identity.getCurrentUser().removeUserAttribute('plan'); mParticle.logPageView('Prices', { a: '1' });
        mParticle.eCommerce.logProductAction(mParticle.ProductActionType.AddToCart, [mParticle.eCommerce.createProduct('n', 'sku', 1)]);
        mParticle.logError('broken'); mParticle.endSession()`);
      const made = await site.calls();
      assert.deepEqual(made.slice(0, 2), [["update", { plan: null }], ["trackEvent", "Page View", { page: "Prices", a: "1" }]]);
      assert.deepEqual(made.slice(2).map((/** @type {unknown[]} */ call) => call[1]), ["Session End"]);
      const [, , metadata] = made[2];
      assert.ok(metadata.session_id && metadata.session_duration_seconds >= 0, JSON.stringify(metadata));
    } finally {
      await site.close();
    }
  });

  test(`${name}: another user, logout, the same user again`, async () => {
    const site = await start(form, ADA);
    try {
      await site.page.evaluate("mParticle.Identity.getCurrentUser().setUserAttribute('plan', 'pro')");
      await site.calls();
      await change(site, "login", { customerid: "43" });
      assert.deepEqual(await site.calls(), [["shutdown"], ["boot", { ...SETTINGS, user_id: "43" }]]);
      await change(site, "logout");
      assert.deepEqual(await site.calls(), [["shutdown"], ["boot", SETTINGS]]);
      await site.page.evaluate("mParticle.logEvent('early')");
      assert.deepEqual(await site.calls(), []);
      await change(site, "login", ADA);
      assert.deepEqual(await site.calls(), [["shutdown"], ["boot", { .../** @type {object} */ (ADA_BOOT[1]), plan: "pro" }]]);
      await change(site, "login", ADA);
      assert.deepEqual(await site.calls(), []);
      await change(site, "modify", { ...ADA, email: "ada@example.org" });
      assert.deepEqual(await site.calls(), [["update", { email: "ada@example.org" }]]);
    } finally {
      await site.close();
    }
  });

  test(`${name}: a visitor, and opting out`, async () => {
    const site = await start(form);
    try {
      await site.page.evaluate("mParticle.logEvent('a'); mParticle.Identity.getCurrentUser().setUserAttribute('plan', 'pro')");
      assert.deepEqual(await site.calls(), [["boot", SETTINGS]]);
      await site.page.evaluate("mParticle.setOptOut(true); mParticle.logEvent('b')");
      assert.deepEqual(await site.calls(), [["shutdown"]]);
    } finally {
      await site.close();
    }
  });
}

test("the next page gives nothing of the last user to another one", async () => {
  const form = FORMS["self-hosted drop-in"];
  const site = await start(form, ADA);
  try {
    await site.page.evaluate("mParticle.Identity.getCurrentUser().setUserAttribute('plan', 'pro')");
    await site.calls();
    await site.go();
    await begin(site, form, { customerid: "43" });
    assert.deepEqual(await site.calls(), [["shutdown"], ["boot", { ...SETTINGS, user_id: "43" }]]);
    await site.go();
    await begin(site, form);
    // The SDK remembers its user where the page names none.
    assert.deepEqual(await site.calls(), [["boot", { ...SETTINGS, user_id: "43" }]]);
  } finally {
    await site.close();
  }
});

test("a proof that throws does not keep the last user", async () => {
  const form = "config.sideloadedKits = [new mParticle.MPSideloadedKit(new intercomd.IntercomKit({ appId: 'abc12345', widgetId: '#help', proof: ({ customerId }) => { if (customerId !== '42') throw new Error('the page'); } }))];";
  const site = await start(form, ADA);
  try {
    assert.deepEqual(await site.calls(), [ADA_BOOT]);
    await change(site, "login", { customerid: "43" });
    await site.page.evaluate("mParticle.logEvent('later', mParticle.EventType.Other)");
    assert.deepEqual(await site.calls(), [["shutdown"], ["boot", { ...SETTINGS, user_id: "43" }], ["trackEvent", "later"]]);
  } finally {
    await site.close();
  }
});

test("the proof of identity comes from the page", async () => {
  const form = "config.sideloadedKits = [new mParticle.MPSideloadedKit(new intercomd.IntercomKit({ appId: 'abc12345', widgetId: '#help', proof: ({ customerId }) => ({ userHash: 'hash of ' + customerId }) }))];";
  const site = await start(form, ADA);
  try {
    assert.deepEqual(await site.calls(), [["boot", { .../** @type {object} */ (ADA_BOOT[1]), user_hash: "hash of 42" }]]);
    await change(site, "logout");
    assert.deepEqual(await site.calls(), [["shutdown"], ["boot", SETTINGS]]);
  } finally {
    await site.close();
  }
});

test("a kit without an App ID leaves the SDK alone", async () => {
  const site = await start(`config.kitConfigs = [${KIT_CONFIG.replace("abc12345", "")}];`, ADA);
  try {
    assert.equal(await site.page.evaluate("mParticle.logEvent('a'), mParticle.Identity.getCurrentUser().getUserIdentities().userIdentities.customerid"), "42");
    assert.deepEqual(site.requests.filter((url) => url.includes("intercom")), []);
  } finally {
    await site.close();
  }
});
