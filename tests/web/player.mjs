// concur-player.js in Chromium, by way of backend.mjs, against a daemon: node player.mjs SOCKET LEASE, the daemon's
// lease in seconds.
// Prints a line of JSON for each check; test_player.py reads them.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import http from 'node:http';
import os from 'node:os';
import path from 'node:path';
import {setTimeout as sleep} from 'node:timers/promises';
import {chromium} from 'playwright-core';

process.env.CONCUR_SOCKET = process.argv[2];
const interval = Number(process.argv[3]) * 1000 / 3; // of heartbeats
const folder = new URL('../../packaging/player/', import.meta.url);
const {answerPlayer} = await import(new URL('backend.mjs', folder));

// ---- the site: its pages, and a back end that the test can make fail ----

const faults = new Map(); // by page: 'hangs' or a status
let asked = []; // what the pages asked, and when
const site = http.createServer(async (request, response) => {
  const {pathname} = new URL(request.url, 'http://site');
  if (pathname.startsWith('/concur/')) {
    asked.push({what: pathname.slice(8), at: performance.now(), type: request.headers['content-type']});
    const fault = faults.get(new URL(request.headers.referer ?? 'http://site/').search);
    if (fault === 'hangs') return;
    if (fault) return response.writeHead(fault, {'content-type': 'application/json'}).end('{}');
  }
  if (await answerPlayer(request, response)) return;
  if (pathname === '/concur-player.js') {
    response.writeHead(200, {'content-type': 'text/javascript'}).end(fs.readFileSync(new URL('concur-player.js', folder)));
  } else {
    response.writeHead(200, {'content-type': 'text/html', 'set-cookie': 'account=abc; SameSite=Lax'}).end(`<!doctype html>
      <title>${pathname}</title><script type="module">
        import {Playback} from '/concur-player.js';
        window.said = [];
        window.playback = new Playback({url: '/concur', details: {content: 'film', device: ''}});
        for (const name of ['started', 'denied', 'gone', 'unavailable', 'available', 'lapsed']) {
          playback.addEventListener(name, (event) => said.push([name, event.detail]));
        }
        window.ready = true;
      </script>`);
  }
});
await new Promise((listening) => site.listen(0, '127.0.0.1', listening));
const origin = `http://127.0.0.1:${site.address().port}`;

// ---- the daemon ----

function daemon(method, target, body) {
  return new Promise((resolve, reject) => {
    const request = http.request({socketPath: process.argv[2], method, path: target, headers: {host: 'localhost'}}, (answer) => {
      let text = '';
      answer.on('data', (part) => { text += part; });
      answer.on('end', () => resolve(JSON.parse(text)));
    });
    request.on('error', reject);
    request.end(body && JSON.stringify(body));
  });
}
const active = async () => (await daemon('GET', '/v1/users/abc/sessions')).sessions.map((each) => each.session);

async function until(holds, what) {
  for (let tries = 0; tries < 1200; ++tries) {
    if (await holds()) return;
    await sleep(50);
  }
  assert.fail(`waited in vain until ${what}`);
}

// ---- pages ----

const profile = fs.mkdtempSync(path.join(os.tmpdir(), 'cc-chromium-'));
const browser = await chromium.launchPersistentContext(profile, {
  executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium', headless: true,
  args: ['--no-sandbox', '--disable-gpu', '--disable-dev-shm-usage'], // root has no sandbox, a container little memory to share
  ignoreDefaultArgs: ['--disable-back-forward-cache'],
});

browser.setDefaultTimeout(120_000); // a machine may be busy

async function open(query = '') {
  const page = await browser.newPage();
  await page.goto(`${origin}/watch${query}`);
  await page.waitForFunction(() => window.ready);
  return page;
}
const start = (page) => page.evaluate(() => playback.start());
const state = (page) => page.evaluate(() => playback.state);
const session = (page) => page.evaluate(() => playback.session);
const said = (page) => page.evaluate(() => said.map(([name]) => name).join(' '));
const last = (page, name) => page.evaluate((wanted) => said.findLast(([each]) => each === wanted)?.[1], name);
const hears = (page, words) => until(async () => (await said(page)) === words, `the page hears: ${words}`);

const checks = {
  async 'a playback counts while it plays, by heartbeats at 80 to 100 % of the interval, and ends by stop'() {
    const page = await open();
    assert.equal(await start(page), 'playing');
    assert.deepEqual(await active(), [await session(page)]);
    const [started] = (await daemon('GET', '/v1/users/abc/sessions')).sessions;
    assert.equal(started.content, 'film');
    // Before the first of a run is counted, the one that was under way with another chance.
    const fastest = async (chance) => {
      await page.evaluate((value) => { Math.random = () => value; }, chance);
      asked = [];
      await until(() => asked.length >= 6, 'six heartbeats');
      const [, ...times] = asked.map(({at}) => at);
      return Math.min(...times.slice(1).map((at, index) => at - times[index]));
    };
    const [soonest, latest] = [await fastest(0), await fastest(0.999)];
    assert.ok(soonest > 0.79 * interval && soonest < 0.98 * interval, `${soonest}`);
    assert.ok(latest > 0.985 * interval, `${latest}`);
    await page.evaluate(() => playback.stop());
    await until(async () => (await active()).length === 0, 'it is ended');
    assert.equal(await said(page), 'started');
    assert.equal(await start(page), 'stopped');
    await page.close();
  },

  async 'a fourth is denied, told who watches and no addresses, and does not try again'() {
    const pages = [await open(), await open(), await open(), await open()];
    for (const page of pages.slice(0, 3)) assert.equal(await start(page), 'playing');
    assert.equal(await start(pages[3]), 'denied');
    const denied = await last(pages[3], 'denied');
    assert.equal(denied.status, 409);
    assert.equal(denied.error, 'limit_reached');
    assert.equal(denied.sessions.length, 3);
    assert.ok(!JSON.stringify(denied).includes('127.0.0.1'));
    asked = [];
    await sleep(1.5 * interval);
    assert.equal(asked.filter(({what}) => what === 'start').length, 0);
    await pages[0].evaluate(() => playback.stop());
    await until(async () => (await start(pages[3])) === 'playing', 'there is room');
    for (const page of pages) await page.close();
  },

  async 'a closed page ends by a beacon, a left one starts again when it comes back as it was'() {
    const page = await open();
    await start(page);
    const first = await session(page);
    asked = [];
    await page.goto(`${origin}/other`);
    await until(async () => (await active()).length === 0, 'it is ended');
    const end = asked.find(({what}) => what === 'end');
    assert.match(end.type, /^text\/plain/);
    await page.goBack({waitUntil: 'commit'}); // nothing is loaded then
    await until(async () => (await active()).length === 1, 'it plays again');
    assert.notEqual(await session(page), first); // the page is the same, its session a new one
    assert.equal(await said(page), 'started started');
    await page.close({runBeforeUnload: false});
    await until(async () => (await active()).length === 0, 'a closed one is ended');
  },

  async 'where beacons are blocked it ends by a fetch that outlives the page'() {
    const page = await open();
    await page.evaluate(() => { navigator.sendBeacon = () => false; });
    await start(page);
    await page.goto(`${origin}/other`);
    await until(async () => (await active()).length === 0, 'it is ended');
    await page.close();
  },

  async 'who is evicted or purged hears it, with the reason, and asks no more'() {
    const page = await open();
    await start(page);
    await daemon('POST', '/v1/purge', {user: 'abc'});
    await hears(page, 'started gone');
    const gone = await last(page, 'gone');
    assert.deepEqual([gone.status, gone.reason, await state(page)], [410, 'purged', 'gone']);
    asked = [];
    await sleep(1.5 * interval);
    assert.deepEqual(asked, []);
    await page.close();
  },

  async 'silence, 5xx and 429 are played through until the lease ends, then the site decides; afterwards it goes on'() {
    await Promise.all(['hangs', 503, 429].map(async (kind) => {
      const page = await open(`?${kind}`);
      await start(page);
      const begun = performance.now();
      faults.set(`?${kind}`, kind);
      await hears(page, 'started unavailable lapsed');
      const after = performance.now() - begun;
      assert.ok(after > 1.9 * interval, `lapsed after ${after}`); // the last lease began an interval ago at most
      assert.equal(await state(page), 'playing');
      faults.delete(`?${kind}`);
      await until(async () => (await said(page)).startsWith('started unavailable lapsed available'), 'it goes on');
      assert.ok((await active()).includes(await session(page)));
      await page.close();
    }));
  },

  async 'a start that nobody answers is for the site to decide, and is tried again; one that is throttled is a refusal'() {
    const page = await open();
    faults.set('', 503);
    assert.equal(await start(page), 'unavailable');
    assert.equal(await said(page), 'unavailable lapsed');
    faults.clear();
    await until(async () => (await state(page)) === 'playing', 'it is tried again');
    await page.close();
    await until(async () => (await active()).length === 0, 'it is ended');
    const throttled = await open();
    faults.set('', 429);
    assert.equal(await start(throttled), 'denied');
    assert.equal((await last(throttled, 'denied')).status, 429);
    faults.clear();
    await throttled.close();
  },

  async 'a page whose timers slept catches up when it is seen again, also behind its lease'() {
    const page = await open();
    await start(page);
    // As in a tab behind others, whose timers hardly run.
    await page.evaluate(() => {
      window.slept = window.setTimeout;
      window.setTimeout = () => 0;
    });
    asked = [];
    await until(async () => (await active()).length === 0, 'the lease is over');
    await page.evaluate(() => {
      window.setTimeout = window.slept;
      document.dispatchEvent(new Event('visibilitychange'));
    });
    await until(async () => (await active()).length === 1, 'it counts again');
    assert.equal(await said(page), 'started started');
    await page.close();
  },

  async 'a page of another site ends nobody with this one\'s cookies'() {
    const page = await open();
    await start(page);
    const answer = await fetch(`${origin}/concur/end`, {
      method: 'POST', body: JSON.stringify({session: await session(page)}),
      headers: {origin: 'https://evil.example', cookie: 'account=abc', 'content-type': 'text/plain'}});
    assert.equal(answer.status, 403);
    assert.equal((await active()).length, 1);
    await page.close();
  },
};

for (const [name, check] of Object.entries(checks)) {
  faults.clear();
  asked = [];
  const begun = performance.now();
  let failure = null;
  try {
    await check();
    await until(async () => (await active()).length === 0, 'nobody is left');
  } catch (error) {
    failure = error.stack;
    for (const page of browser.pages().slice(1)) await page.close();
  }
  console.log(JSON.stringify({name, failure, ms: Math.round(performance.now() - begun)}));
}
await browser.close();
fs.rmSync(profile, {recursive: true, force: true, maxRetries: 10});
site.closeAllConnections();
site.close();
