// What Node.js' fetch can do beside plain requests: a batch whose lines it sends one by one, each once the line before is
// answered; and events, read until there are two.
//
//   node fetch_streams.mjs BASE KEY
import assert from 'node:assert';

const [base, key] = process.argv.slice(2);
const headers = { authorization: `Bearer ${key}` };

async function* linesOf(answer) {
  let rest = '';
  for await (const part of answer.body.pipeThrough(new TextDecoderStream())) {
    const lines = (rest + part).split('\n');
    rest = lines.pop();
    yield* lines.map((line) => JSON.parse(line));
  }
}

const watching = new AbortController();
const events = await fetch(`${base}/v1/events?user=abc`, { headers, signal: watching.signal });
assert.strictEqual(events.status, 200);

let send;
const body = new ReadableStream({ start: (controller) => { send = (line) => controller.enqueue(new TextEncoder().encode(line));
  send.end = () => controller.close(); } });
const command = (session) => `{"command":"start","user":"abc","session":"${session}"}\n`;
send(command('s1'));
const batch = await fetch(`${base}/v1/batch`, { method: 'POST', headers, body, duplex: 'half' });
const seen = [];
for await (const answer of linesOf(batch)) {
  seen.push([answer.status, answer.session]);
  if (seen.length === 1) send(command('s2'));
  if (seen.length === 2) send.end();
}
assert.deepStrictEqual(seen, [[201, 's1'], [201, 's2']]);

const started = [];
for await (const event of linesOf(events)) {
  started.push([event.event, event.session]);
  if (started.length === 2) break;
}
assert.deepStrictEqual(started, [['started', 's1'], ['started', 's2']]);
watching.abort();
console.log('all answers right');
