// The package in a real browser, against a stand-in for the Messenger.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { openBrowser } from "./browser.js";

/** @type {Awaited<ReturnType<typeof openBrowser>>} */
let browser;
before(async () => {
  browser = await openBrowser();
});
after(() => browser.close());

const SETTINGS = { app_id: "abc12345", api_base: "https://api-iam.intercom.io", custom_launcher_selector: "#IntercomDefaultWidget" };
const ADA = { ...SETTINGS, user_id: "42" };

/** @param {Parameters<typeof browser.open>[0]} options @param {(site: Awaited<ReturnType<typeof browser.open>>) => Promise<void>} body */
async function visit(options, body) {
  const site = await browser.open(options);
  try {
    await body(site);
  } finally {
    await site.close();
  }
}

/** @param {string} name @param {(site: Awaited<ReturnType<typeof browser.open>>) => Promise<void>} body @param {Parameters<typeof browser.open>[0]} [options] */
function pageTest(name, body, options = {}) {
  test(name, () => visit(options, body));
}

pageTest("init loads the Messenger and boots it for a visitor", async ({ page, requests, calls }) => {
  await page.evaluate("intercomd.init({ appId: 'abc12345' })");
  assert.deepEqual(await calls(), [["boot", SETTINGS]]);
  assert.deepEqual(requests, ["https://widget.intercom.io/widget/abc12345"]);
  await page.evaluate("intercomd.init({ appId: 'abc12345' })");
  assert.deepEqual(await calls(), []);
});

for (const region of ["eu", "au"]) {
  pageTest(`region ${region} has its own address`, async ({ page, calls }) => {
    await page.evaluate(`intercomd.init({ appId: 'abc12345', region: '${region}', widgetId: '.help' })`);
    const settings = { ...SETTINGS, api_base: `https://api-iam.${region}.intercom.io`, custom_launcher_selector: ".help" };
    assert.deepEqual(await calls(), [["boot", settings]]);
  });
}

for (const options of [{}, { appId: "" }, { appId: "a", region: "mars" }, { appId: "a", region: "toString" }]) {
  pageTest(`init refuses ${JSON.stringify(options)}`, async ({ page, requests }) => {
    await assert.rejects(page.evaluate(`intercomd.init(${JSON.stringify(options)})`), /TypeError/);
    assert.deepEqual(requests, []);
  });
}

pageTest("objects as values are dropped, with a finding", async ({ page, calls }) => {
  await page.evaluate(`window.found = []; intercomd.init({ appId: 'abc12345', onFinding: (finding) => found.push(finding) });
    intercomd.identify({ customerId: '42' })`);
  await calls();
  await page.evaluate("intercomd.track('paid', { price: { amount: '19.99', currency: 'USD' }, page: { url: 'https://example.com/' }, plan: 'pro' })");
  assert.deepEqual(await calls(), [["trackEvent", "paid", { plan: "pro" }]]);
  const found = await page.evaluate("found.map(({ reason, field }) => reason + ' ' + field)");
  assert.deepEqual(found, ["ATTRIBUTE_DROPPED custom_event.attributes[0].value", "ATTRIBUTE_DROPPED custom_event.attributes[1].value"]);
});

pageTest("another user is a shutdown, then a boot", async ({ page, calls }) => {
  await page.evaluate("intercomd.init({ appId: 'abc12345' })");
  await calls();
  await page.evaluate("intercomd.identify({ customerId: 42, email: ' Ada@Example.com', userHash: 'f00', attributes: { plan: 'pro' } })");
  assert.deepEqual(await calls(), [["shutdown"], ["boot", { ...ADA, email: "ada@example.com", user_hash: "f00", plan: "pro" }]]);
  await page.evaluate("intercomd.identify({ customerId: '43', userJwt: 'a.b.c' })");
  assert.deepEqual(await calls(), [["shutdown"], ["boot", { ...ADA, user_id: "43", intercom_user_jwt: "a.b.c" }]]);
  await page.evaluate("intercomd.identify({ email: 'b@c.d' })");
  assert.deepEqual(await calls(), [["shutdown"], ["boot", { ...SETTINGS, email: "b@c.d" }]]);
});

pageTest("the same user is no new session; a new proof or email is an update", async ({ page, calls }) => {
  await page.evaluate("intercomd.init({ appId: 'abc12345' }); intercomd.identify({ customerId: '42', userHash: 'f00' })");
  await calls();
  await page.evaluate("intercomd.identify({ customerId: ' 42', userHash: 'f00' })");
  assert.deepEqual(await calls(), []);
  await page.evaluate("intercomd.identify({ customerId: '42', userHash: 'f01', email: 'a@b.c' })");
  assert.deepEqual(await calls(), [["update", { user_hash: "f01", email: "a@b.c" }]]);
});

for (const identity of [{}, { customerId: " ", email: null }, { customerId: "undefined" }, { email: "nobody" }]) {
  pageTest(`after ${JSON.stringify(identity)} there is no user`, async ({ page, calls }) => {
    await page.evaluate("intercomd.init({ appId: 'abc12345' }); intercomd.identify({ customerId: '42' }); intercomd.track('a')");
    await calls();
    await page.evaluate(`intercomd.identify(${JSON.stringify(identity)}); intercomd.track('b'); intercomd.setAttributes({ plan: 'x' })`);
    assert.deepEqual(await calls(), [["shutdown"], ["boot", SETTINGS]]);
    await page.evaluate("intercomd.identify({})");
    assert.deepEqual(await calls(), []);
  });
}

pageTest("nothing is tracked before the user is known", async ({ page, calls }) => {
  const findings = await page.evaluate(`(() => {
    const found = [];
    intercomd.init({ appId: 'abc12345', pageViews: true, onFinding: ({ reason, field }) => found.push(reason + ' ' + field) });
    return [intercomd.track('a'), intercomd.pageView('b'), intercomd.endSession(), intercomd.setAttributes({ a: 1 }), ...found];
  })()`);
  assert.deepEqual(findings, [false, false, false, false, ...Array(4).fill("IDENTITY_REQUIRED identity")]);
  assert.deepEqual(await calls(), [["boot", SETTINGS]]);
});

pageTest("calls before the Messenger has loaded are made in order", async ({ page, release, calls }) => {
  await page.evaluate(`intercomd.init({ appId: 'abc12345' }); intercomd.identify({ customerId: '42' });
    intercomd.track('a', { n: 1 }); intercomd.setAttributes({ plan: 'pro' }); intercomd.track('b');
    intercomd.identify({ customerId: '43' }); intercomd.track('c')`);
  release();
  assert.deepEqual(await calls(), [
    ["boot", ADA], ["trackEvent", "a", { n: 1 }], ["update", { plan: "pro" }], ["trackEvent", "b"],
    ["shutdown"], ["boot", { ...ADA, user_id: "43" }], ["trackEvent", "c"],
  ]);
}, { held: true });

pageTest("at most 100 events wait for the Messenger", async ({ page, release, calls }) => {
  const accepted = await page.evaluate(`(() => {
    intercomd.init({ appId: 'abc12345', onFinding: () => undefined }); intercomd.identify({ customerId: '42' });
    let count = 0;
    for (let index = 0; index < 150; index++) count += intercomd.track('event ' + index) ? 1 : 0;
    for (let user = 0; user < 200; user++) { intercomd.identify({ customerId: 'user ' + user }); intercomd.track('x'); }
    return count;
  })()`);
  assert.equal(accepted, 99);
  release();
  const made = await calls();
  assert.ok(made.length <= 104, String(made.length));
  assert.deepEqual(made.filter((/** @type {unknown[]} */ call) => call[0] === "boot").at(-1), ["boot", { ...ADA, user_id: "user 199" }]);
}, { held: true });

pageTest("a script that does not load is reported, and nothing waits for it", async ({ page }) => {
  const reason = await page.evaluate(`new Promise((resolve) => {
    intercomd.init({ appId: 'abc12345', onFinding: ({ reason }) => resolve(reason) });
  })`);
  assert.equal(reason, "MESSENGER_NOT_LOADED");
  assert.equal(await page.evaluate("intercomd.identify({ customerId: '42' }) && intercomd.track('a')"), true);
}, { fails: true });

pageTest("an onFinding that throws stops nothing", async ({ page, calls }) => {
  const accepted = await page.evaluate(`(() => {
    intercomd.init({ appId: 'abc12345', onFinding: () => { throw new Error('the page'); } });
    intercomd.identify({ customerId: '42', attributes: { plan: 'x'.repeat(300), seats: 3 } });
    return [intercomd.track('long', { text: 'y'.repeat(300) }), intercomd.track('')];
  })()`);
  assert.deepEqual(accepted, [true, false]);
  assert.deepEqual(await calls(), [["boot", { ...ADA, plan: "x".repeat(255), seats: 3 }], ["trackEvent", "long", { text: "y".repeat(255) }]]);
});

pageTest("a Messenger that the page has loaded is used", async ({ page, requests }) => {
  await page.evaluate("window.calls = []; window.Intercom = (...call) => window.calls.push(call); intercomd.init({ appId: 'abc12345' })");
  assert.deepEqual(await page.evaluate("calls"), [["boot", SETTINGS]]);
  assert.deepEqual(requests, []);
});

pageTest("attributes are merged, and sent before the event that follows", async ({ page, calls }) => {
  await page.evaluate("intercomd.init({ appId: 'abc12345' }); intercomd.identify({ customerId: '42' })");
  await calls();
  await page.evaluate("intercomd.setAttributes({ plan: 'pro', $FirstName: 'Ada' }); intercomd.setAttributes({ plan: 'max', seats: 3 }); intercomd.track('Order.placed', { total: 5 }); intercomd.setAttributes({ seats: 3 }, ['old'])");
  assert.deepEqual(await calls(), [
    ["update", { plan: "max", name: "Ada", seats: 3 }], ["trackEvent", "Order-placed", { total: 5 }], ["update", { old: null }],
  ]);
  await page.evaluate("intercomd.setAttributes({ plan: 'max', seats: 3, LastName: 'Lovelace' })");
  assert.deepEqual(await calls(), [["update", { name: "Ada Lovelace" }]]);
});

pageTest("20 updates leave in 30 minutes, the others are merged into the next ones", async ({ page }) => {
  await page.clock.install({ time: 0 });
  await page.clock.pauseAt(1_000); // Else the time that the test takes passes as well.
  await page.evaluate("window.calls = []; window.Intercom = (...call) => window.calls.push(call); intercomd.init({ appId: 'abc12345' }); intercomd.identify({ customerId: '42' })");
  for (let count = 0; count < 60; count += 1) {
    await page.evaluate(`intercomd.setAttributes({ count: ${count}, ['a' + ${count % 3}]: ${count} })`);
    await page.clock.runFor(1_000);
  }
  await page.evaluate("intercomd.track('paid')");
  const updates = () => page.evaluate("calls.filter(([method]) => method === 'update').map(([, values]) => values)");
  assert.equal(/** @type {unknown[]} */ (await updates()).length, 20);
  assert.deepEqual(await page.evaluate("calls.at(-1)"), ["trackEvent", "paid"]);
  await page.clock.runFor(30 * 60_000 - 61_000);
  assert.equal(/** @type {unknown[]} */ (await updates()).length, 20);
  await page.clock.runFor(2_000);
  assert.deepEqual(/** @type {unknown[]} */ (await updates()).slice(20), [{ count: 59, a0: 57, a1: 58, a2: 59 }]);
});

pageTest("an update has at most 100 attributes, beside the email and the proof", async ({ page, calls }) => {
  await page.evaluate("intercomd.init({ appId: 'abc12345' }); intercomd.identify({ customerId: '42', email: 'a@b.c', userHash: 'f00' })");
  await calls();
  await page.evaluate(`{
    const many = (prefix) => Object.fromEntries(Array.from({ length: 100 }, (_, index) => [prefix + index, index]));
    intercomd.setAttributes(many('a')); intercomd.identify({ customerId: '42', userHash: 'f01' }); intercomd.setAttributes(many('b'));
    intercomd.setAttributes(many('c'));
  }`);
  const made = await calls();
  assert.deepEqual(made.map((/** @type {object[]} */ call) => [call[0], Object.keys(call[1] ?? {}).length]), [["update", 101], ["update", 100], ["update", 49]]);
  assert.equal(made[0][1].user_hash, "f01");
});

pageTest("attributes may be absent", async ({ page, calls }) => {
  await page.evaluate("intercomd.init({ appId: 'abc12345' }); intercomd.identify({ customerId: '42', attributes: null }); intercomd.track('a', null); intercomd.setAttributes(undefined); intercomd.endSession({ attributes: null })");
  assert.deepEqual(await calls(), [["boot", ADA], ["trackEvent", "a"], ["trackEvent", "Session End"]]);
});

pageTest("attributes that wait when the user changes are reported", async ({ page }) => {
  await page.clock.install({ time: 0 });
  const found = await page.evaluate(`(() => {
    const found = [];
    window.Intercom = () => undefined;
    intercomd.init({ appId: 'abc12345', onFinding: ({ reason, message }) => found.push(reason + ': ' + message) });
    intercomd.identify({ customerId: '42' });
    for (let count = 0; count < 22; count++) { intercomd.setAttributes({ count }); intercomd.track('a'); }
    intercomd.identify({ customerId: '43' });
    return found;
  })()`);
  assert.deepEqual(found, ["ATTRIBUTE_DROPPED: 1 waited for the last user"]);
});

pageTest("without consent nothing is loaded, and events are dropped", async ({ page, requests, calls }) => {
  await page.evaluate("intercomd.init({ appId: 'abc12345', consent: false }); intercomd.identify({ customerId: '42', attributes: { plan: 'pro' } }); intercomd.track('a')");
  assert.deepEqual(requests, []);
  await page.evaluate("intercomd.setConsent(true); intercomd.track('b')");
  assert.deepEqual(await calls(), [["boot", { ...ADA, plan: "pro" }], ["trackEvent", "b"]]);
  await page.evaluate("intercomd.setConsent(false); intercomd.track('c'); intercomd.setAttributes({ plan: 'max' })");
  assert.deepEqual(await calls(), [["shutdown"]]);
  await page.evaluate("intercomd.setConsent(true)");
  assert.deepEqual(await calls(), [["boot", { ...ADA, plan: "max" }]]);
});

pageTest("shutdown forgets the user, and identify boots again", async ({ page, calls }) => {
  await page.evaluate("intercomd.init({ appId: 'abc12345' }); intercomd.identify({ customerId: '42' })");
  await calls();
  await page.evaluate("intercomd.shutdown(); intercomd.track('a'); intercomd.shutdown()");
  assert.deepEqual(await calls(), [["shutdown"]]);
  await page.evaluate("intercomd.identify({ customerId: '42' })");
  assert.deepEqual(await calls(), [["boot", ADA]]);
});

pageTest("the next page shuts down the session of another user, not that of the same one", async ({ page, go, calls }) => {
  const load = async (/** @type {string} */ user) => {
    await go();
    await page.evaluate(`document.cookie = 'intercom-session-abc12345=secret'; intercomd.init({ appId: 'abc12345' }); ${user && `intercomd.identify({ customerId: '${user}' })`}`);
    const made = await calls();
    return [...made.map((/** @type {unknown[]} */ call) => call[0]), await page.evaluate("document.cookie")];
  };
  assert.deepEqual(await load("42"), ["boot", "intercom-session-abc12345=secret"]);
  assert.deepEqual(await load("42"), ["boot", "intercom-session-abc12345=secret"]);
  assert.deepEqual(await load("43"), ["shutdown", "boot", ""]);
  assert.deepEqual(await load(""), ["shutdown", "boot", ""]);
  assert.deepEqual(await load(""), ["boot", "intercom-session-abc12345=secret"]);
});

pageTest("session ends and page views", async ({ page, calls }) => {
  await page.evaluate("intercomd.init({ appId: 'abc12345', pageViews: true }); intercomd.identify({ customerId: '42' })");
  await page.evaluate("intercomd.endSession({ sessionId: 's', durationSeconds: 90, attributes: { a: 1 } }); intercomd.pageView('Prices', { a: 1 })");
  assert.deepEqual((await calls()).slice(1), [
    ["trackEvent", "Session End", { session_duration_seconds: 90, session_id: "s", a: 1 }],
    ["trackEvent", "Page View", { page: "Prices", a: 1 }],
  ]);
});

pageTest("page views are off by default, and session ends can be", async ({ page, calls }) => {
  await page.evaluate("intercomd.init({ appId: 'abc12345', sessionEndName: '' }); intercomd.identify({ customerId: '42' }); intercomd.pageView('Prices'); intercomd.endSession()");
  assert.deepEqual(await calls(), [["boot", ADA]]);
});

pageTest("the ES module works without a bundler", async ({ page, calls }) => {
  await page.evaluate("import('/dist/index.js').then(({ init, identify }) => { init({ appId: 'abc12345' }); identify({ customerId: '42' }); })");
  assert.deepEqual(await calls(), [["boot", ADA]]);
}, { script: "" });
