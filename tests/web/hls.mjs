// What hls.js in Chromium makes of what the limiter says: node hls.mjs SITE SOCKET, where SITE is an nginx with an example of
// ours, and an HLS stream behind it at /hls/film.m3u8. Prints a line of JSON for each check; test_hls.py reads them.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import http from 'node:http';
import os from 'node:os';
import path from 'node:path';
import {setTimeout as sleep} from 'node:timers/promises';
import {fileURLToPath} from 'node:url';
import {chromium} from 'playwright-core';

const [site, socket] = process.argv.slice(2);
const hlsJs = fileURLToPath(new URL('node_modules/hls.js/dist/hls.min.js', import.meta.url));
const page = (cmcd) => `<!doctype html><video muted></video><script src="/hls.js"></script><script>
  window.errors = [];
  const hls = new Hls({${cmcd} maxBufferLength: 2, maxMaxBufferLength: 2, maxBufferSize: 1});
  hls.on(Hls.Events.ERROR, (event, {type, details, fatal, response}) => errors.push({type, details, fatal, code: response?.code}));
  hls.loadSource(${JSON.stringify(site)} + '/hls/film.m3u8');
  hls.attachMedia(document.querySelector('video'));
  document.querySelector('video').play().catch(() => {});
</script>`;

// Pages of another origin; those of the site's own are put in its place, as its nginx asks about everything.
const other = http.createServer((request, response) => {
  if (request.url === '/hls.js') return response.end(fs.readFileSync(hlsJs));
  response.writeHead(200, {'content-type': 'text/html'}).end(page('cmcd: {},'));
});
await new Promise((listening) => other.listen(0, '127.0.0.1', listening));

const profile = fs.mkdtempSync(path.join(os.tmpdir(), 'cc-chromium-'));
const browser = await chromium.launchPersistentContext(profile, {
  executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium', headless: true,
  args: ['--no-sandbox', '--disable-gpu', '--disable-dev-shm-usage', '--autoplay-policy=no-user-gesture-required'],
});
browser.setDefaultTimeout(120_000); // a machine may be busy
await browser.route(`${site}/page`, (route) => route.fulfill({contentType: 'text/html', body: page('cmcd: {},')}));
await browser.route(`${site}/plain`, (route) => route.fulfill({contentType: 'text/html', body: page('')}));
await browser.route(`${site}/hls.js`, (route) => route.fulfill({path: hlsJs, contentType: 'text/javascript'}));

function daemon(method, target, body) {
  return new Promise((resolve, reject) => {
    const request = http.request({socketPath: socket, method, path: target, headers: {host: 'localhost'}}, (answer) => {
      let text = '';
      answer.on('data', (part) => { text += part; });
      answer.on('end', () => resolve(JSON.parse(text)));
    });
    request.on('error', reject);
    request.end(body && JSON.stringify(body));
  });
}
const sessions = async (user) => (await daemon('GET', `/v1/users/${user}/sessions`)).sessions;

async function until(holds, what) {
  for (let tries = 0; tries < 600; ++tries) {
    if (await holds()) return;
    await sleep(50);
  }
  assert.fail(`waited in vain until ${what}`);
}

async function open(user, where = `${site}/page`) {
  await browser.clearCookies();
  if (user) await browser.addCookies([{name: 'account', value: user, url: site}]);
  const opened = await browser.newPage();
  await opened.goto(where);
  return opened;
}
const time = (of) => of.evaluate(() => document.querySelector('video').currentTime);
const fatal = async (of) => (await of.evaluate(() => errors)).find((error) => error.fatal);

const checks = {
  async 'it plays, known by the session that it makes for CMCD, and the kind of stream becomes the session\'s'() {
    const playing = await open('abc');
    await until(async () => (await time(playing)) > 1, 'it plays');
    const [session] = await sessions('abc');
    assert.match(session.session, /^[0-9a-f-]{36}$/);
    assert.deepEqual([session.meta?.kind, await playing.evaluate(() => errors.length)], ['vod', 0]);
    assert.equal((await sessions('abc')).length, 1);
    await playing.close();
  },

  async 'who is refused has a fatal error that names 403, and asks no more'() {
    for (const name of ['x1', 'x2', 'x3']) await daemon('PUT', `/v1/users/full/sessions/${name}`);
    const refused = await open('full');
    await until(() => fatal(refused), 'it is refused');
    const error = await fatal(refused);
    assert.deepEqual([error.type, error.details, error.code], ['networkError', 'manifestLoadError', 403]);
    let asked = 0;
    refused.on('request', () => { asked += 1; });
    await sleep(1500);
    assert.equal(asked, 0);
    await refused.close();
  },

  async 'who is purged plays out what it has, and has a fatal error that names 403'() {
    const purged = await open('tom');
    await until(async () => (await time(purged)) > 0.5, 'it plays');
    await daemon('POST', '/v1/purge', {user: 'tom'});
    await until(() => fatal(purged), 'it is refused');
    const error = await fatal(purged);
    assert.deepEqual([error.type, error.details, error.code], ['networkError', 'fragLoadError', 403]);
    assert.deepEqual(await sessions('tom'), []);
    await purged.close();
  },

  async 'a player without CMCD or a cookie for its playback is in no session: 403'() {
    const unknown = await open('ann', `${site}/plain`);
    await until(() => fatal(unknown), 'it is refused');
    assert.equal((await fatal(unknown)).code, 403);
    assert.deepEqual(await sessions('ann'), []);
    await unknown.close();
  },

  async 'a page of another origin sends no cookie without being told to, and reads the refusal all the same: 401'() {
    const foreign = await open('eve', `http://localhost:${other.address().port}/`);
    await until(() => fatal(foreign), 'it is refused');
    assert.equal((await fatal(foreign)).code, 401); // 0 where a refusal has no Access-Control-Allow-Origin
    await foreign.close();
  },
};

for (const [name, check] of Object.entries(checks)) {
  let failure = null;
  try {
    await check();
  } catch (error) {
    failure = error.stack;
    for (const page of browser.pages().slice(1)) await page.close();
  }
  console.log(JSON.stringify({name, failure}));
}
await browser.close();
fs.rmSync(profile, {recursive: true, force: true, maxRetries: 10});
other.closeAllConnections();
other.close();
