// What the operators' page of a box shows of its fleet, in Chromium: node fleet_page.mjs JSON, where that says {socket, state,
// slowness, shot}: the box's socket, the state that it is waited for, and the file of a picture, if any. Prints it as JSON.
import fs from 'node:fs';
import net from 'node:net';
import os from 'node:os';
import path from 'node:path';
import {chromium} from 'playwright-core';

const given = JSON.parse(process.argv[2]);
const open = new Set();
const forwarder = net.createServer((browser) => {
  const box = net.connect(given.socket);
  for (const [one, other] of [[browser, box], [box, browser]]) {
    open.add(one);
    one.on('error', () => {}).on('close', () => { open.delete(one); other.destroy(); });
    one.pipe(other);
  }
});
await new Promise((listening) => forwarder.listen(0, '127.0.0.1', listening));
const profile = fs.mkdtempSync(path.join(os.tmpdir(), 'cc-chromium-'));
const browser = await chromium.launchPersistentContext(profile, {
  executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium', headless: true, locale: 'en-GB',
  viewport: {width: 1440, height: 1000},
  args: ['--no-sandbox', '--disable-gpu', '--disable-dev-shm-usage'], // root has no sandbox, a container little memory to share
});
browser.setDefaultTimeout(30_000 * given.slowness);
try {
  const page = await browser.newPage();
  await page.goto(`http://localhost:${forwarder.address().port}/`);
  await page.locator('#fleet-facts > div').filter({hasText: new RegExp(`^State${given.state}`)}).waitFor();
  if (given.shot) await page.locator('#fleet').screenshot({path: given.shot});
  console.log(JSON.stringify(await page.evaluate(() => {
    const cells = (where) => [...document.querySelectorAll(`${where} tbody tr`)].map((row) =>
      [...row.cells].map((cell) => cell.textContent));
    return {
      health: document.querySelector('#health').textContent,
      facts: Object.fromEntries([...document.querySelectorAll('#fleet-facts > div')].map((each) =>
        [...each.children].map((part) => part.textContent))),
      primaries: cells('#primaries'),
      boxes: cells('#boxes'),
    };
  })));
} finally {
  await browser.close();
  forwarder.close();
  for (const each of open) each.destroy();
  fs.rmSync(profile, {recursive: true, force: true, maxRetries: 10});
}
