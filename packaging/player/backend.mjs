// The back end that concur-player.js asks, to begin with: what to put into your own. It says who the user is, and passes the
// daemon's answer on. Node 18 or newer; whoever it runs as must be in the group concur.
//
//   http.createServer(async (request, response) => {
//     if (await answerPlayer(request, response)) return;
//     ... the rest of your site
//   })
import http from 'node:http';

const SOCKET = process.env.CONCUR_SOCKET ?? '/run/concurrencyd/concurrencyd.sock';
const TIMEOUT = 2000;
const MOST = 16 * 1024; // bytes of what a page sends

// Yours to change: from your login, and from nothing that the page can write.
export const site = {
  userOf: (request) => /(?:^|;\s*)account=([^;]+)/.exec(request.headers.cookie ?? '')?.[1],
  addressOf: (request) => request.socket.remoteAddress,
};

// Whether it was for this.
export async function answerPlayer(request, response) {
  const what = /^\/concur\/(start|heartbeat|end)$/.exec(request.url)?.[1];
  if (!what) return false;
  try {
    const [status, body] = await answerTo(what, request);
    response.writeHead(status, {'content-type': 'application/json', 'cache-control': 'no-store'});
    response.end(JSON.stringify(body));
  } catch (error) { // the daemon does not answer: neither yes nor no
    response.writeHead(503, {'content-type': 'application/json'});
    response.end(JSON.stringify({error: 'unavailable', message: `cannot ask: ${error.message}`}));
  }
  return true;
}

async function answerTo(what, request) {
  const user = site.userOf(request);
  if (request.method !== 'POST' || isForeign(request)) return [403, {error: 'permission_denied'}];
  if (!user) return [401, {error: 'unauthorized'}];
  const said = parse(await read(request, MOST));
  if (typeof said?.session !== 'string' || !said.session) return [400, {error: 'invalid_request'}];
  const path = `/v1/users/${encodeURIComponent(user)}/sessions/${encodeURIComponent(said.session)}`;
  const {start, device, content} = said;
  if (what === 'start') {
    return forPage(await ask('PUT', path, {device, content, ip: site.addressOf(request)}));
  }
  if (what === 'heartbeat') return forPage(await ask('POST', `${path}/heartbeat`, {start}));
  const token = start ? `?start=${encodeURIComponent(start)}` : '';
  return forPage(await ask('DELETE', path + token));
}

// A page of another site may send requests with this one's cookies.
function isForeign(request) {
  const {origin, host} = request.headers;
  return origin !== undefined && origin !== `http://${host}` && origin !== `https://${host}`;
}

// What a viewer may see of the others who watch on the account.
function forPage([status, body]) {
  const {sessions, ...rest} = body;
  const shown = sessions?.map(({session, device, content, startedAt}) => ({session, device, content, startedAt}));
  return [status, shown ? {...rest, sessions: shown} : rest];
}

function parse(text) {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

async function read(stream, most = Infinity) {
  const parts = [];
  let size = 0;
  for await (const part of stream) {
    size += part.length;
    if (size > most) return '';
    parts.push(part);
  }
  return Buffer.concat(parts).toString();
}

const agent = new http.Agent({keepAlive: true, maxSockets: 16});

function ask(method, path, body) {
  return new Promise((resolve, reject) => {
    const request = http.request(
      {socketPath: SOCKET, agent, method, path, timeout: TIMEOUT, headers: {host: 'localhost', 'content-type': 'application/json'}},
      (answer) => read(answer).then((text) => resolve([answer.statusCode, JSON.parse(text)])).catch(reject));
    request.on('timeout', () => request.destroy(new Error(`no answer within ${TIMEOUT} ms`)));
    request.on('error', reject);
    request.end(body === undefined ? undefined : JSON.stringify(body));
  });
}
