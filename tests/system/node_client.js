// Plays the first service's story and the v1 story as a Node.js program does: http.request over the daemon's socket with
// a keep-alive agent. Every answer is checked to the byte.
//
//   node node_client.js SOCKET WALL_CLOCK_MS LEASE_MS
//
// The daemon's clock stands still at WALL_CLOCK_MS, so that times in answers are known beforehand.
'use strict';

const assert = require('node:assert');
const http = require('node:http');

const [socketPath, wall, lease] = [process.argv[2], Number(process.argv[3]), Number(process.argv[4])];
const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
const sockets = new Set();

function ask(method, path, body) {
  return new Promise((resolve, reject) => {
    const headers = body === undefined ? {} : { 'content-type': 'application/json' };
    const request = http.request({ socketPath, agent, method, path, headers, timeout: 20000 }, (response) => {
      const chunks = [];
      response.on('data', (chunk) => chunks.push(chunk));
      response.on('error', reject);
      response.on('end', () => resolve({
        status: response.statusCode,
        type: response.headers['content-type'],
        text: Buffer.concat(chunks).toString('utf8'),
      }));
    });
    request.on('socket', (socket) => sockets.add(socket));
    request.on('timeout', () => request.destroy(new Error(`${method} ${path}: no answer`)));
    request.on('error', reject);
    request.end(body === undefined ? undefined : JSON.stringify(body));
  });
}

// Tokens of starts are opaque: T stands for each.
const withoutTokens = (text) => text.replace(/"start":"[^"]+"/, '"start":"T"');

async function expectAnswer(method, path, body, status, text) {
  const answer = await ask(method, path, body);
  assert.deepStrictEqual([answer.status, withoutTokens(answer.text)], [status, text], `${method} ${path}`);
  const type = status === 400 ? 'text/plain; charset=utf-8' : 'application/json';
  assert.strictEqual(answer.type, type, `${method} ${path}`);
}

async function firstServiceStory(user) {
  const id = encodeURIComponent(user);
  const call = (what, session, status, text) =>
    expectAnswer('GET', `/${what}/userId/${id}/sessionId/${session}`, undefined, status, text);
  const start = (...rest) => call('startSession', ...rest);
  const end = (...rest) => call('endSession', ...rest);
  // The first service built its answers with JSON.stringify, so this is what they were.
  const allowed = (concurrentSessions) => JSON.stringify({ user, concurrentSessions });

  await start('s1', 200, allowed(1));
  await start('s2', 200, allowed(2));
  await start('s3', 200, allowed(3));
  await start('s1', 200, allowed(3));
  await start('s4', 400, `User ${user} is trying to watch 4 streams at once, which is too many.`);
  await end('s2', 200, allowed(2));
  await start('s4', 200, allowed(3));
  await start('', 400, 'Please specify a userId and sessionId');
}

async function v1Story(user) {
  const sessions = `/v1/users/${encodeURIComponent(user)}/sessions`;
  const path = (session) => `${sessions}/${session}`;
  const now = new Date(wall).toISOString();
  const expiresAt = new Date(wall + lease).toISOString();
  const line = (value) => `${JSON.stringify(value)}\n`;
  const granted = (session, concurrentSessions) =>
    line({ user, session, start: 'T', concurrentSessions, limit: 3, expiresAt, heartbeatInterval: lease / 3000 });
  const shown = (session, details) => ({ session, startedAt: now, lastSeenAt: now, expiresAt, ...details });
  const tv = { device: 'tv', ip: '10.0.0.1', content: 'film/7', meta: { app: '4.2' } };

  await expectAnswer('PUT', path('s1'), tv, 201, granted('s1', 1));
  await expectAnswer('PUT', path('s2'), undefined, 201, granted('s2', 2));
  await expectAnswer('PUT', path('s3'), {}, 201, granted('s3', 3));
  await expectAnswer('PUT', path('s2'), undefined, 200, granted('s2', 3));
  await expectAnswer('POST', `${path('s1')}/heartbeat`, undefined, 200, granted('s1', 3));
  await expectAnswer('PUT', path('s4'), undefined, 409, line({
    error: 'limit_reached',
    message: `User ${user} is trying to watch 4 streams at once, which is too many.`,
    user,
    session: 's4',
    concurrentSessions: 3,
    limit: 3,
    retryAfter: lease / 1000,
    sessions: [shown('s1', tv), shown('s2'), shown('s3')],
  }));
  await expectAnswer('DELETE', path('s2'), undefined, 200, line({ user, session: 's2', ended: true, concurrentSessions: 2 }));
  await expectAnswer('PUT', path('s4'), undefined, 201, granted('s4', 3));
  await expectAnswer('GET', sessions, undefined, 200, line({
    user, concurrentSessions: 3, limit: 3, sessions: [shown('s1', tv), shown('s3'), shown('s4')],
  }));
  const late = await ask('POST', `${path('s2')}/heartbeat`);
  assert.strictEqual(late.status, 410);
  const { error, reason } = JSON.parse(late.text);
  assert.deepStrictEqual([error, reason], ['session_gone', 'ended']);
  const never = await ask('POST', `${path('never')}/heartbeat`);
  assert.deepStrictEqual([never.status, JSON.parse(never.text).error], [404, 'not_found']);
  await expectAnswer('POST', '/v1/purge', { user, dryRun: true }, 200, line({ wouldPurge: 3, users: 1 }));
  await expectAnswer('POST', '/v1/purge', { user }, 200, line({ purged: 3 }));
  await expectAnswer('GET', sessions, undefined, 200, line({ user, concurrentSessions: 0, limit: 3, sessions: [] }));
}

async function main() {
  for (const user of ['abc', 'zoë müller', 'a/b?c', '日本📺', 'say "hi"', 'back\\slash']) {
    await firstServiceStory(user);
    await v1Story(`v1 ${user}`);
  }
  assert.strictEqual(sockets.size, 1, 'all on one connection that was kept alive');
  agent.destroy();
  console.log('all answers right');
}

main().catch((error) => {
  console.error(error);
  process.exit(1);
});
