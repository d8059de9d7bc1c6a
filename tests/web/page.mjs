// The operators' page in Chromium, against daemons: node page.mjs JSON, where that says {socket, other, port, keys, clock,
// slowness, soon}: the sockets of two daemons, of which the first has this clock (see tests/support/test_clock.c) and listens on
// this TCP port too, with these keys; within how many milliseconds the page must be there. Browsers come to the sockets by way of
// a forwarder, as by ssh -L. PAGE_SHOTS is the folder for pictures of the page, PAGE_LONG lets a tab ask more often.
// Prints a line of JSON for each check; test_page.py reads them.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import http from 'node:http';
import net from 'node:net';
import os from 'node:os';
import path from 'node:path';
import {createRequire} from 'node:module';
import {setTimeout as sleep} from 'node:timers/promises';
import {chromium} from 'playwright-core';

const given = JSON.parse(process.argv[2]);
const slowness = Number(given.slowness);
const axeSource = fs.readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');

// ---- the daemon, its clock, the way to it ----

const agent = new http.Agent({keepAlive: true, maxSockets: 4});

function daemon(method, target, body, socketPath = given.socket) {
  return new Promise((resolve, reject) => {
    const request = http.request({agent, socketPath, method, path: target, headers: {host: 'localhost'}}, (answer) => {
      let text = '';
      answer.on('data', (part) => { text += part; });
      answer.on('end', () => resolve(text));
    });
    request.on('error', reject);
    request.end(typeof body === 'string' ? body : body && JSON.stringify(body));
  });
}
const json = async (...asked) => JSON.parse(await daemon(...asked));
const batch = (commands) => daemon('POST', '/v1/batch', commands.map((each) => JSON.stringify(each)).join('\n'));
const sessionPath = (user, session) => `/v1/users/${encodeURIComponent(user)}/sessions/${encodeURIComponent(session)}`;
const start = (user, session, details) => json('PUT', sessionPath(user, session), details);

// Both of its clocks run ahead by so much more.
const clockFile = fs.openSync(given.clock, 'r+');
function advance(milliseconds) {
  for (const field of [3, 4]) {
    const value = Buffer.alloc(8);
    fs.readSync(clockFile, value, 0, 8, 8 * field);
    value.writeBigInt64LE(value.readBigInt64LE() + BigInt(milliseconds) * 1_000_000n);
    fs.writeSync(clockFile, value, 0, 8, 8 * field);
  }
}

// Forwards to a socket, or, where that is null, to nobody.
class Forwarder {
  constructor(to) { this.to = to; }
  #open = new Set();
  #server = net.createServer((browser) => {
    if (this.to === null) return browser.destroy();
    const server = net.connect(this.to);
    for (const [one, other] of [[browser, server], [server, browser]]) {
      this.#open.add(one);
      one.on('error', () => {}).on('close', () => { this.#open.delete(one); other.destroy(); });
      one.pipe(other);
    }
  });
  async listen() {
    await new Promise((listening) => this.#server.listen(0, '127.0.0.1', listening));
    this.origin = `http://localhost:${this.#server.address().port}`;
  }
  forward(to) {
    this.to = to;
    for (const each of this.#open) each.destroy();
  }
  close() { this.forward(null); this.#server.close(); }
}
const forwarder = new Forwarder(given.socket);
await forwarder.listen();
const toOther = new Forwarder(given.other);
await toOther.listen();

async function until(holds, what, instead = () => '') {
  for (let tries = 0; tries < 600 * slowness; ++tries) {
    if (await holds()) return;
    await sleep(50);
  }
  assert.fail(`waited in vain until ${what}${instead()}`);
}

// Until what is read is that; where it never is, the error says what it was.
async function untilIs(read, wanted, what) {
  let seen;
  await until(async () => { seen = await read(); return seen === wanted; }, what,
    () => `: it is ${JSON.stringify(seen)} and not ${JSON.stringify(wanted)}`);
}

// ---- pages ----

const profile = fs.mkdtempSync(path.join(os.tmpdir(), 'cc-chromium-'));
const browser = await chromium.launchPersistentContext(profile, {
  executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium', headless: true, locale: 'en-GB',
  viewport: {width: 1440, height: 1000},
  args: ['--no-sandbox', '--disable-gpu', '--disable-dev-shm-usage'], // root has no sandbox, a container little memory to share
});
browser.setDefaultTimeout(30_000 * slowness);

let wrong = []; // what pages complained of
async function open(where = '', {origin = forwarder.origin, prepare = () => {}} = {}) {
  const page = await browser.newPage();
  page.on('pageerror', (error) => wrong.push(`error: ${error.stack}`));
  page.on('console', (message) => {
    // Lost answers and refusals are what some checks are about; Chromium tells of each.
    if (message.type() === 'error' && !message.text().startsWith('Failed to load resource')) wrong.push(message.text());
  });
  page.on('dialog', (dialog) => { wrong.push(`dialog: ${dialog.message()}`); dialog.dismiss(); });
  await prepare(page);
  await page.goto(`${origin}/${where}`);
  return page;
}
// A commit during which this test put the clock forward seems to have taken as long: its time is left out, for nobody knows it.
const withoutJumps = (page) => page.route('**/v1/history?*', async (route) => {
  const answer = await route.fetch();
  const history = await answer.json();
  for (const sample of history.samples) if (sample.slowCommit >= 5) sample.meanCommit = sample.slowCommit = undefined;
  await route.fulfill({response: answer, json: history});
});
const overview = async (...more) => {
  const page = await open(...more);
  await page.locator('#sharers table, #sharers p').first().waitFor();
  return page;
};
const tile = (page, name) => page.locator('#tiles > div').filter({has: page.getByText(name, {exact: true})}).locator('dd').textContent();
const told = async (page, pattern) => {
  await page.locator('#told').getByText(pattern).waitFor();
  return page.locator('#told span').textContent();
};

async function hasNoFindings(page, what) {
  const {violations} = await runAxe(page);
  assert.deepEqual(violations.map(({id, nodes}) => `${what}: ${id} ${nodes.map((node) => node.target).join(' ')}`), []);
}

// By way of the debugger: the page's own policy lets in no script that is not the page's.
async function runAxe(page) {
  const session = await page.context().newCDPSession(page);
  await session.send('Runtime.evaluate', {expression: axeSource});
  const {result, exceptionDetails} = await session.send('Runtime.evaluate', {
    expression: 'axe.run(document).then(JSON.stringify)', awaitPromise: true, returnByValue: true});
  assert.equal(exceptionDetails, undefined, JSON.stringify(exceptionDetails));
  await session.detach();
  return JSON.parse(result.value);
}

async function picture(page, name, {full = true, ...more} = {}) {
  if (!process.env.PAGE_SHOTS) return;
  await page.screenshot({path: path.join(process.env.PAGE_SHOTS, `${name}.png`), fullPage: full, ...more});
}

// ---- a scene: some users of a service, a week of evenings, and the last hour ----

// Always the same: x from 0 to 1.
let seed = 7;
const chance = () => { seed = (seed * 16807) % 2147483647; return seed / 2147483647; };
const people = Array.from({length: 240}, (_, index) => `subscriber-${String(1041 + index * 37)}`);
const sharers = ['anna.k', 'the-lindens', 'room-204', 'p.okafor', 'casa-verde', 'studio9', 'mei', 'gym-front-desk'];
const device = (user, number) => ({device: `${user}-${['tv', 'phone', 'tablet', 'laptop', 'console', 'cast'][number % 6]}`,
  ip: `198.51.100.${1 + (user.length * 29 + (number >> 1) * 7) % 250}`, content: ['final', 'news', 'series/3', 'film/88'][number % 4],
  meta: {type: ['tv', 'phone', 'tablet', 'laptop', 'console', 'cast'][number % 6]}});
const startOf = (user, number) => ({command: 'start', user, session: `s${number}`, ...device(user, number)});

// Nothing is on its way to the disk: a commit that the clock moves by would seem to have taken as long.
async function stored() {
  while ((await json('GET', '/v1/status')).journal.waitingChanges > 0);
}

async function playScene() {
  const hours = 7 * 24;
  for (let hour = 0; hour < hours; ++hour) {
    const evening = [18, 19, 20, 21, 22].includes(hour % 24) ? 1 : hour % 24 > 7 ? 0.25 : 0.02;
    const commands = [];
    sharers.forEach((user, index) => {
      if (chance() > evening * (1.1 - index / 12)) return;
      for (let number = 0; number < 2 + chance() * (7 - index / 2); ++number) commands.push(startOf(user, number));
      for (let again = 0; again < chance() * 9 * evening; ++again) commands.push(startOf(user, 6));
    });
    for (const user of people) {
      if (chance() < evening / 8) for (let number = 0; number <= chance() * 2.4; ++number) commands.push(startOf(user, number));
    }
    if (commands.length > 0) await batch(commands);
    await stored();
    advance(3600_000);
  }
  await endAll();
  // Ten seconds a step, of which the plots begin behind the first; whoever watches goes on by heartbeats, each third step.
  const watching = new Map(people.filter(() => chance() < 0.4).map((user) => [user, 1 + Math.floor(chance() * 2.5)]));
  for (let step = 0; step < 372; ++step) {
    const commands = [];
    const busy = 0.6 + 0.4 * Math.sin(step / 40);
    for (const user of people) {
      if (chance() < 0.008 * busy) watching.set(user, 1 + Math.floor(chance() * 2.5));
      if (chance() < 0.004) {
        for (let number = 0; number < watching.get(user); ++number) commands.push({command: 'end', user, session: `s${number}`});
        watching.delete(user);
      }
    }
    for (const user of sharers) if (chance() < 0.05 * busy) watching.set(user, 2 + Math.floor(chance() * 4));
    for (const [user, sessions] of watching) {
      for (let number = 0; number < sessions; ++number) {
        if (number >= 3 ? chance() < 0.1 : (step + people.indexOf(user) + number) % 3 === 0) commands.push(startOf(user, number));
      }
    }
    if (commands.length > 0) await batch(commands);
    await stored();
    advance(10_000);
    await daemon('GET', '/v1/history?since=10s');
  }
}
const endAll = () => json('POST', '/v1/purge', {all: true});

const checks = {
  async 'it is there at once, and light'() {
    let [sight, figures] = [Infinity, Infinity];
    let weight = 0;
    for (let round = 0; round < 4; ++round) {
      const page = await open('', {prepare: async (fresh) => {
        await fresh.addInitScript(() => new MutationObserver((_, observer) => {
          if (!document.querySelector('#tiles dd')?.textContent) return;
          window.figuresAt = performance.now();
          observer.disconnect();
        }).observe(document, {childList: true, subtree: true, characterData: true}));
      }});
      await page.waitForFunction(() => window.figuresAt && performance.getEntriesByName('first-contentful-paint').length > 0);
      const timing = await page.evaluate(() => ({
        figures: window.figuresAt, sight: performance.getEntriesByName('first-contentful-paint')[0].startTime,
        weight: [...performance.getEntriesByType('resource'), ...performance.getEntriesByType('navigation')]
          .filter(({name}) => !name.includes('/v1/')).reduce((sum, {transferSize}) => sum + transferSize, 0),
      }));
      figures = Math.min(figures, timing.figures);
      sight = Math.min(sight, timing.sight);
      weight = Math.max(weight, timing.weight);
      await page.close();
    }
    notes.push(`first sight ${Math.round(sight)} ms, figures ${Math.round(figures)} ms, ${weight} bytes`);
    assert.ok(weight > 10_000 && weight < 120_000, `${weight} bytes`);
    assert.ok(sight < given.soon, `first sight after ${sight} ms`);
    assert.ok(figures < 2 * given.soon, `figures after ${figures} ms`);
  },

  async 'it shows the past, the sharers and the histogram when it is opened, and they are the daemon\'s'() {
    await playScene();
    const page = await overview('', {prepare: withoutJumps});
    await page.locator('.strip canvas').nth(5).waitFor();
    await page.locator('#plots canvas').nth(4).waitFor();
    const {samples} = await json('GET', '/v1/history');
    assert.ok(samples.length > 350, `${samples.length}`);
    const label = await page.locator('#plots [role=img]').first().getAttribute('aria-label');
    assert.match(label, new RegExp(`sessions ${samples.at(-1).sessions}\\b.*users ${samples.at(-1).users}\\b`));
    const report = await json('GET', '/v1/report?since=7d&top=20');
    assert.deepEqual(await page.locator('#sharers tbody th').allTextContents(), report.users.map(({user}) => user));
    const hours = await page.locator('#sharers .strip canvas').first().getAttribute('aria-label');
    assert.match(hours, /^refused or evicted in \d+ hours of 7 days, most on /);
    for (const limit of [1, 2, 4, 6]) {
      await page.locator('#what-if').fill(String(limit));
      const {whatIf} = await json('GET', `/v1/report?since=7d&whatIfLimit=${limit}`);
      assert.match(await page.locator('#what-if-said').textContent(), new RegExp(`^${limit}: ${whatIf.usersRefused} users? of`));
      const [first] = report.users;
      const verdict = await page.locator('.verdict').first().textContent();
      assert.equal(verdict, first.attemptedPeak > limit ? `✕ refused, ${first.attemptedPeak - limit} too many` : '✓ fits');
    }
    await page.locator('#what-if').fill('3');
    for (const [level, users] of Object.entries(report.histogram.peak)) {
      const row = page.locator('#levels tbody tr').filter({has: page.getByRole('rowheader', {name: level, exact: true})});
      assert.equal(await row.locator('td').first().textContent(), String(users));
    }
    assert.match(await page.locator('#settings').textContent(), /limit3default/);
    for (const user of ['anna.k', 'mei', 'room-204', 'casa-verde']) await batch([4, 5, 6].map((number) => startOf(user, number)));
    await page.locator('#denials tbody tr').nth(3).waitFor();
    await hasNoFindings(page, 'light');
    await picture(page, 'light');
    await page.setViewportSize({width: 1200, height: 890});
    await page.evaluate(() => document.activeElement.blur());
    await picture(page, 'readme', {full: false});
    await page.setViewportSize({width: 1440, height: 1000});
    await page.emulateMedia({colorScheme: 'dark'});
    await hasNoFindings(page, 'dark');
    const pixel = () => page.locator('.strip canvas').first().evaluate((canvas) =>
      canvas.getContext('2d').getImageData(0, 5, 1, 1).data[0]);
    await until(async () => (await pixel()) < 90, 'the strips are dark too');
    await picture(page, 'dark');
    await page.emulateMedia({colorScheme: 'light'});
    await page.setViewportSize({width: 390, height: 844});
    await hasNoFindings(page, 'phone');
    assert.ok(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth), 'a phone scrolls sideways');
    await picture(page, 'phone');
    await page.setViewportSize({width: 2200, height: 1200});
    await picture(page, 'wide');
    await page.setViewportSize({width: 1440, height: 1000});
    await page.goto(`${forwarder.origin}/#user/anna.k`);
    await page.locator('#user canvas').waitFor();
    await hasNoFindings(page, 'user');
    await picture(page, 'user');
    await page.setViewportSize({width: 390, height: 844});
    assert.ok(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth), 'a phone scrolls sideways');
    await picture(page, 'user-phone');
    await page.close();
  },

  async 'what changes is shown as it happens'() {
    const page = await overview();
    await page.locator('#denials p').waitFor();
    for (const session of ['a', 'b', 'c', 'd']) await start('ann', session, {device: session, ip: '192.0.2.7'});
    await page.locator('#denials tbody tr').filter({hasText: 'ann'}).waitFor();
    assert.match(await page.locator('#denials tbody tr').first().textContent(), /annlimit of 33d192\.0\.2\.7/);
    await untilIs(() => tile(page, 'Sessions'), '3', 'three are counted');
    await daemon('DELETE', sessionPath('ann', 'a'));
    await untilIs(() => tile(page, 'Sessions'), '2', 'two are counted');
    assert.match(await page.locator('#counted').textContent(), /^1 denial /);
    await page.close();
  },

  async 'an operator finds a user and acts, asked back and told'() {
    for (const session of ['one', 'two', 'three']) await start('bob', session, {device: session});
    const page = await overview();
    await page.locator('#wanted').fill('bob');
    await page.locator('#wanted').press('Enter');
    const rows = page.locator('#user tbody tr').filter({has: page.locator('button')});
    await rows.nth(2).waitFor();
    const act = async (button, fill = async () => {}) => {
      await page.getByRole('button', {name: button}).click();
      await page.locator('dialog').waitFor();
      await hasNoFindings(page, `dialog of ${button}`);
      await fill(page.locator('dialog'));
      await page.locator('dialog .act').click();
    };
    // Not done where it is left.
    await page.getByRole('button', {name: 'End session one'}).click();
    await page.getByRole('button', {name: 'Leave it'}).click();
    assert.equal((await json('GET', '/v1/users/bob/sessions')).concurrentSessions, 3);
    await act('End session one', (dialog) => dialog.getByLabel('What the viewer is told').fill('Good night & <b>bye</b>'));
    assert.equal(await told(page, /ended/), 'Session one of bob is ended; 2 others are active.');
    await untilIs(() => rows.count(), 2, 'two are shown');
    const gone = await json('POST', `${sessionPath('bob', 'one')}/heartbeat`);
    assert.equal(gone.message, 'Good night & <b>bye</b>');
    await act('Set its limit…', (dialog) => dialog.getByLabel('Limit of its own').fill('7'));
    assert.equal(await told(page, /limit/), 'The limit of bob is 7 now.');
    assert.equal((await json('GET', '/v1/users/bob/limit')).from, 'user');
    await page.getByText('2 of 7').waitFor();
    await act('Keep it out…', (dialog) => dialog.getByLabel('What the viewer is told').fill('Call us.'));
    assert.match(await told(page, /kept out/), /^bob is kept out until /);
    assert.equal((await start('bob', 'four')).error, 'blocked');
    await act('Let it in again…');
    await told(page, /may start again/);
    await act('Purge its sessions…');
    assert.equal(await told(page, /purged/), '2 sessions of bob purged.');
    await page.getByText('Nothing is being watched.').waitFor();
    await act('Set its limit…', (dialog) => dialog.getByLabel('Limit of its own').fill(''));
    await told(page, /limit of bob is 3 now/);
    // What the daemon refuses is told in its words.
    await act('Keep it out…', (dialog) => dialog.getByLabel('What the viewer is told').fill('é'.repeat(400)));
    assert.match(await told(page, /Not done/), /^Not done: cannot .*512/);
    await page.close();
  },

  async 'a key is asked for once, kept nowhere, and its role is what the page shows'() {
    const origin = `http://127.0.0.1:${given.port}`;
    await start('cat', 's1');
    const page = await open('', {origin});
    const use = async (key) => {
      await page.locator('#secret').fill(key);
      await page.getByRole('button', {name: 'Use it'}).click();
    };
    await page.locator('#key').waitFor();
    await hasNoFindings(page, 'key');
    await use('x'.repeat(32));
    await page.getByText('not one of the daemon\'s').waitFor();
    await use(given.keys.metrics);
    await page.getByText('this key is for metrics alone').waitFor();
    await use(given.keys.client);
    await page.getByText('clients are shown no users').waitFor();
    assert.equal(await tile(page, 'Sessions'), '1');
    await hasNoFindings(page, 'client');
    for (const panel of ['#sharers', '#denials', '#search', '#settings', '#levels', '#plots']) {
      assert.equal(await page.locator(panel).isVisible(), false, panel);
    }
    await page.goto(`${origin}/#user/cat`);
    await sleep(300);
    assert.equal(await page.locator('#user').isVisible(), false);
    assert.ok(!(await page.locator('main').textContent()).includes('cat'));
    // Loaded anew it has forgotten the key.
    await page.reload();
    await page.locator('#key').waitFor();
    await use(given.keys.operator);
    await page.locator('#user canvas').waitFor();
    assert.equal(await page.locator('#user-title').textContent(), 'User cat');
    const kept = await page.evaluate(() => [localStorage.length, sessionStorage.length, document.cookie, location.href].join(' '));
    assert.equal(kept, `0 0  ${origin}/#user/cat`);
    assert.ok(!(await page.content()).includes(given.keys.operator));
    await page.close();
  },

  async 'rules beside the limit stand on a user\'s page, with their numbers for that user'() {
    const put = (target, body) => json('PUT', target, body, given.other);
    const watch = (session, ip, type) => put(sessionPath('gil', session), {ip, device: session, meta: {type}});
    await watch('hall', '192.0.2.1', 'tv');
    await put('/v1/users/gil/limit', {limit: 6, rules: {homes: 3}});
    const page = await overview('', {origin: toOther.origin});
    assert.match(await page.locator('#settings').textContent(), /rule tvsmax 1 sessions where type=tv/);
    await page.locator('#denials p').waitFor();
    assert.equal((await watch('attic', '192.0.2.1', 'tv')).rule, 'tvs');
    assert.match(await page.locator('#denials tbody tr').first().textContent(), /gilrule tvs1attic192\.0\.2\.1/);
    await page.locator('#denials a').first().click();
    const rules = page.locator('#user section').first().locator('tbody tr');
    await rules.nth(1).waitFor();
    assert.deepEqual((await rules.allTextContents()).toSorted(), [
      'homesmax 2 distinct network3, its own', 'tvsmax 1 sessions where type=tv1']);
    const fact = (name) => page.locator('#user dl > div').filter({has: page.getByText(name, {exact: true})}).locator('dd').textContent();
    assert.equal(await fact('Limit'), '6, its own');
    assert.equal(await fact('One more stream'), 'would start: there is room.');
    await untilIs(() => page.locator('#user .events li').count(), 0, 'nothing has happened yet');
    await watch('attic', '192.0.2.1', 'tv');
    await page.locator('#user .events li').filter({hasText: 'attic was denied by rule tvs'}).waitFor();
    // Its limit is set, and what rules have of its own stays.
    await page.getByRole('button', {name: 'Set its limit…'}).click();
    await page.locator('dialog').getByLabel('Limit of its own').fill('1');
    await page.locator('dialog .act').click();
    assert.equal(await told(page, /limit/), 'The limit of gil is 1 now.');
    assert.deepEqual((await json('GET', '/v1/users/gil/limit', undefined, given.other)).rules, {homes: 3});
    await untilIs(() => fact('One more stream'), 'would be denied: the limit of 1 is reached.', 'the limit tells');
    await hasNoFindings(page, 'rules');
    await picture(page, 'rules');
    await page.close();
    await json('POST', '/v1/purge', {all: true}, given.other);
  },

  async 'names that others wrote are text'() {
    const names = ['<img src=x onerror=alert(1)>', '"><script>alert(2)</script>', 'javascript:alert(3)', '\u202Egpj.exe', '../../limit',
      '{{7*7}} #?/%2F&=', '用户 🎬', 'a'.repeat(256)];
    const page = await overview();
    for (const name of names) {
      const details = {device: name, content: name, meta: {note: name.slice(0, 60)}};
      for (const number of [1, 2, 3, 4]) {
        await start(name, number === 1 ? name : String(number), {...details, device: `${number}${name}`});
      }
    }
    await page.locator('#denials tbody tr').nth(names.length - 1).waitFor();
    const shown = await page.locator('#denials tbody th').allTextContents();
    assert.deepEqual(shown.toReversed(), names);
    await hasNoFindings(page, 'hostile');
    assert.ok(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth), 'it scrolls sideways');
    for (const name of names) {
      await page.goto(`${forwarder.origin}/#`);
      await page.locator('#denials a').filter({hasText: name}).first().evaluate((link) => link.click());
      await page.locator('#user button[data-session]').nth(2).waitFor();
      assert.equal(await page.locator('#user-title .name').textContent(), name);
      assert.equal(await page.locator('#user tbody th .name').first().textContent(), name);
    }
    await page.evaluate(() => { location.hash = '#user/50%'; });
    await page.locator('#user-title .name').getByText('50%', {exact: true}).waitFor();
    assert.equal(await page.evaluate(() => document.images.length + document.querySelectorAll('main script, iframe').length), 0);
    await page.close();
  },

  async 'a daemon that is lost is told of, and so is another one in its place'() {
    await start('dan', 's1');
    const page = await overview();
    await untilIs(() => tile(page, 'Sessions'), '1', 'one is counted');
    forwarder.forward(null);
    await page.locator('#lost').getByText('No daemon since').waitFor();
    assert.equal(await page.locator('#health').textContent(), '✕ no answer');
    assert.equal(await tile(page, 'Sessions'), '1'); // what it was stays in sight
    await hasNoFindings(page, 'lost');
    await picture(page, 'lost', {full: false});
    forwarder.forward(given.other);
    await until(async () => !(await page.locator('#lost').isVisible()), 'it is found again');
    assert.equal(await page.locator('#health').textContent(), '✓ all is well');
    await untilIs(() => tile(page, 'Sessions'), '0', 'the other has none');
    // The stream of denials goes on with the other's.
    await until(async () => {
      for (const session of ['a', 'b', 'c', 'd']) await json('PUT', sessionPath('other', session), {}, given.other);
      return await page.locator('#denials tbody tr').filter({hasText: 'other'}).count() > 0;
    }, 'a denial of the other is shown');
    await page.close();
  },

  async 'the keyboard alone does'() {
    await start('eve', 's1', {device: 'tv'});
    const page = await overview();
    const focused = () => page.evaluate(() => {
      const {activeElement: at} = document;
      return at.getAttribute('aria-label') ?? (at.id || at.textContent);
    });
    const tabTo = async (what) => {
      for (let tries = 0; tries < 80; ++tries) {
        await page.keyboard.press('Tab');
        if ((await focused()) === what) return;
      }
      assert.fail(`Tab does not lead to ${what}`);
    };
    await page.keyboard.press('Tab');
    assert.equal(await focused(), 'Skip to the content');
    await page.keyboard.press('Enter');
    assert.equal(await focused(), 'content');
    assert.ok(await page.locator('#overview').isVisible());
    await tabTo('what-if');
    const before = await page.locator('#what-if').inputValue();
    await page.keyboard.press('ArrowRight');
    assert.equal(Number(await page.locator('#what-if').inputValue()), Number(before) + 1);
    for (let tries = 0; tries < 80 && (await focused()) !== 'wanted'; ++tries) await page.keyboard.press('Shift+Tab');
    await page.keyboard.type('eve');
    await page.keyboard.press('Enter');
    await page.locator('button[data-session]').waitFor();
    assert.equal(await focused(), 'user-title');
    await tabTo('End session s1');
    await page.keyboard.press('Enter');
    await page.locator('dialog').waitFor();
    await page.keyboard.press('Escape');
    assert.equal(await focused(), 'End session s1');
    await page.keyboard.press('Enter');
    await tabTo('End it');
    await page.keyboard.press('Enter');
    await told(page, /Session s1 of eve is ended/);
    assert.equal((await json('GET', '/v1/users/eve/sessions')).concurrentSessions, 0);
    await page.close();
  },

  async 'nothing is asked while it is paused or out of sight'() {
    let [asked, busy] = [0, 0];
    const page = await overview('', {prepare: async (fresh) => {
      await fresh.clock.install();
      const counts = (request) => !request.url().includes('/v1/events');
      fresh.on('request', (request) => { asked += 1; busy += counts(request); });
      for (const end of ['requestfinished', 'requestfailed']) fresh.on(end, (request) => { busy -= counts(request); });
    }});
    const streams = async () => Number(/^concurrencyd_watchers (\d+)$/m.exec(await daemon('GET', '/metrics'))[1]);
    await untilIs(streams, 1, 'it watches');
    const rests = async () => {
      await untilIs(streams, 0, 'it watches no more');
      await until(() => busy === 0, 'it is at rest');
      asked = 0;
      await page.clock.runFor(120_000);
      await page.evaluate(() => {});
      assert.equal(asked, 0);
    };
    await page.getByRole('button', {name: 'Pause'}).click();
    await rests();
    await start('fay', 's1');
    await page.getByRole('button', {name: 'Go on'}).click();
    await untilIs(() => tile(page, 'Sessions'), '1', 'it is up to date');
    await untilIs(streams, 1, 'it watches again');
    const hide = (hidden) => page.evaluate((value) => {
      Object.defineProperty(document, 'hidden', {configurable: true, get: () => value});
      document.dispatchEvent(new Event('visibilitychange'));
    }, hidden);
    await hide(true);
    await rests();
    asked = 0;
    await hide(false);
    await untilIs(streams, 1, 'it goes on');
    await until(() => asked > 0, 'it asks');
    await page.close();
  },

  async 'a tab that is open for ten hours takes no more memory than one of two'() {
    const page = await open('', {prepare: (fresh) => fresh.clock.install()});
    await page.locator('#sharers').locator('table, p').first().waitFor();
    const debug = await browser.newCDPSession(page);
    await debug.send('Performance.enable');
    let busy = 0;
    page.on('request', (request) => { if (!request.url().includes('/v1/events')) busy += 1; });
    page.on('requestfinished', () => { busy -= 1; });
    page.on('requestfailed', () => { busy -= 1; });
    // The least of a few: what is garbage now need not be found at once.
    const memory = async () => {
      let least = null;
      for (let tries = 0; tries < 5; ++tries) {
        await debug.send('HeapProfiler.collectGarbage');
        const {metrics} = await debug.send('Performance.getMetrics');
        const found = Object.fromEntries(metrics.map(({name, value}) => [name, value]));
        if (least === null || found.JSHeapUsedSize < least.JSHeapUsedSize) least = found;
        await sleep(50);
      }
      return least;
    };
    const minutes = process.env.PAGE_LONG ? 1 : 10;
    const at = {};
    for (let minute = 0; minute < 600; minute += minutes) {
      const user = `user-${minute % 50}`;
      await batch(Array.from({length: 8}, (_, number) => ({command: 'start', user, session: `s${minute}-${number}`})));
      for (let step = 0; step < minutes; ++step) {
        advance(60_000);
        await daemon('GET', '/v1/history?since=10s');
      }
      await page.clock.fastForward(60_000 * minutes);
      await until(() => busy <= 0, 'it is at rest');
      if (minute === 120) at.two = await memory();
    }
    await page.locator('#denials tbody tr').nth(99).waitFor();
    assert.equal(await page.locator('#denials tbody tr').count(), 100);
    at.ten = await memory();
    notes.push(`heap ${at.two.JSHeapUsedSize} → ${at.ten.JSHeapUsedSize}, nodes ${at.two.Nodes} → ${at.ten.Nodes}`);
    assert.ok(at.ten.JSHeapUsedSize < 1.1 * at.two.JSHeapUsedSize + 300_000,
      `${at.two.JSHeapUsedSize} → ${at.ten.JSHeapUsedSize} bytes`);
    assert.ok(at.ten.Nodes < 1.1 * at.two.Nodes + 500, `${at.two.Nodes} → ${at.ten.Nodes} nodes`);
    assert.ok(at.ten.JSEventListeners <= at.two.JSEventListeners + 20,
      `${at.two.JSEventListeners} → ${at.ten.JSEventListeners} listeners`);
    await page.close();
  },
};

let notes = [];
const only = process.env.PAGE_ONLY;
for (const [name, check] of Object.entries(checks)) {
  if (only && !name.includes(only)) continue;
  const begun = performance.now();
  [wrong, notes] = [[], []];
  let failure = null;
  try {
    await check();
    assert.deepEqual(wrong, []);
  } catch (error) {
    failure = `${error.stack}\n${wrong.join('\n')}`;
    for (const page of browser.pages().slice(1)) await page.close();
  }
  forwarder.forward(given.socket);
  await endAll();
  console.log(JSON.stringify({name, failure, notes, ms: Math.round(performance.now() - begun)}));
}
await browser.close();
forwarder.close();
toOther.close();
agent.destroy();
fs.rmSync(profile, {recursive: true, force: true, maxRetries: 10});
