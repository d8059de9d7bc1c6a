#!/usr/bin/env node
// client.mjs USER SESSION SECONDS: a session for so many seconds, over the Unix socket, with Node.js alone.
//
// Exit status: 0 it played, 1 denied, 3 no answer (apply your own rule), 5 the session was ended by somebody else.
import http from "node:http";
import { setTimeout as sleep } from "node:timers/promises";

const socketPath = process.env.CONCUR_SOCKET ?? "/run/concurrencyd/concurrencyd.sock";

function ask(method, path, body) {
  return new Promise((resolve) => {
    const failed = (error) => resolve({ status: 0, message: error.message });
    const request = http.request({ socketPath, method, path, timeout: 5000 }, (answer) => {
      let text = "";
      answer.setEncoding("utf8").on("data", (part) => (text += part)).on("error", failed);
      answer.on("end", () => resolve({ ...JSON.parse(text), status: answer.statusCode }));
    });
    request.on("error", failed).on("timeout", () => request.destroy(new Error("no answer in 5 s")));
    request.end(body && JSON.stringify(body));
  });
}

const [user, session, seconds] = process.argv.slice(2);
const path = `/v1/users/${encodeURIComponent(user)}/sessions/${encodeURIComponent(session)}`;
const answer = await ask("PUT", path, { device: "example" });
if (answer.status !== 200 && answer.status !== 201) {
  console.error(answer.message);
  process.exit([409, 429].includes(answer.status) ? 1 : 3);
}
console.log(`playing: ${answer.concurrentSessions} of ${answer.limit}`);
const until = performance.now() + seconds * 1000;
for (let left; (left = until - performance.now()) > 0; ) {
  await sleep(Math.min(left, answer.heartbeatInterval * 1000));
  const beat = await ask("POST", `${path}/heartbeat`, { start: answer.start });
  if (beat.status === 404 || beat.status === 410) {
    console.error(beat.message);
    process.exit(5);
  }
}
await ask("DELETE", `${path}?start=${answer.start}`);
