// Plays requests with Node.js' fetch and writes what came of them; see test_clients.py.
import { readFileSync } from 'node:fs';

const { base, headers, requests } = JSON.parse(readFileSync(0, 'utf8'));
const answers = [];
for (const { method, path, body, type } of requests) {
  const content = body === null ? {} : { 'content-type': type };
  const answer = await fetch(base + path, { method, headers: { ...headers, ...content }, body: body ?? undefined });
  answers.push({ status: answer.status, type: answer.headers.get('content-type'), text: await answer.text() });
}
console.log(JSON.stringify(answers));
