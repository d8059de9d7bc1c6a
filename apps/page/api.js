// How the page asks the daemon. Its key is kept here, in memory alone.

let key = '';
export const useKey = (given) => { key = given; };

// The daemon answered, and not as was hoped: `status`, and its own words.
export class Refused extends Error {
  constructor(status, answer) {
    super(answer.message ?? `the daemon answered ${status}`);
    this.status = status;
    this.answer = answer;
  }
}
// It did not answer.
export class Lost extends Error {}

const patience = 15_000; // for an answer to begin

async function send(method, path, {body, signal} = {}) {
  const headers = {};
  if (key) headers['x-api-key'] = key;
  if (body) headers['content-type'] = 'application/json';
  const stop = new AbortController();
  const timer = setTimeout(() => stop.abort(), patience);
  try {
    return await fetch(path, {
      method, headers, body: body && JSON.stringify(body), cache: 'no-store',
      signal: signal ? AbortSignal.any([signal, stop.signal]) : stop.signal,
    });
  } catch (error) {
    throw new Lost(error.message);
  } finally {
    clearTimeout(timer);
  }
}

export async function ask(method, path, body) {
  const answer = await send(method, path, {body});
  let value;
  try {
    value = await answer.json();
  } catch (error) {
    if (answer.ok) throw new Lost(error.message);
    value = {};
  }
  if (!answer.ok) throw new Refused(answer.status, value);
  return value;
}
export const get = (path) => ask('GET', path);

export const path = (...parts) => `/v1/${parts.map(encodeURIComponent).join('/')}`;

// The objects of a stream of lines, as they come, until the signal ends it or the daemon does.
export async function* lines(target, signal) {
  const answer = await send('GET', target, {signal});
  if (!answer.ok) throw new Refused(answer.status, await answer.json().catch(() => ({})));
  const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = '';
  try {
    while (true) {
      const {value, done} = await reader.read();
      if (done) return;
      const parts = (rest + value).split('\n');
      rest = parts.pop();
      for (const part of parts) yield JSON.parse(part);
    }
  } catch (error) {
    throw new Lost(error.message);
  } finally {
    reader.cancel().catch(() => {});
  }
}

// Follows the stream of events until stop() is called: where it breaks, it goes on behind the last event seen, so that none is
// missed while the daemon remembers it. `take` gets each event.
export class Follower {
  #stop = new AbortController();
  #boot = '';
  #seen = null;

  constructor(query, take, {failed = () => {}} = {}) {
    this.query = query;
    this.take = take;
    this.failed = failed;
    this.#run();
  }

  stop() { this.#stop.abort(); }

  async #run() {
    let pause = 1000;
    while (!this.#stop.signal.aborted) {
      try {
        for await (const event of lines(this.#target(), this.#stop.signal)) {
          pause = 1000;
          this.#boot = event.boot;
          this.#seen = event.seq;
          if (this.#stop.signal.aborted) return;
          this.take(event);
        }
      } catch (error) {
        if (this.#stop.signal.aborted) return;
        if (error instanceof Refused && error.status < 500) return this.failed(error);
      }
      await new Promise((over) => setTimeout(over, pause));
      pause = Math.min(2 * pause, 15_000);
    }
  }

  #target() {
    const query = new URLSearchParams(this.query);
    if (this.#seen !== null) {
      query.set('since', this.#seen);
      query.set('boot', this.#boot);
    }
    return `/v1/events?${query}`;
  }
}
