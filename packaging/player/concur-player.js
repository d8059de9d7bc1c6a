// Keeps a playback in a web page counted, by way of your own back end, which asks concurrencyd: a page must not, for keys in it
// would be everybody's. No dependencies, no build. concur-player.d.ts has the types, backend.mjs a back end to begin with.
//
//   import {Playback} from './concur-player.js';
//   const playback = new Playback({url: '/concur', details: {content: 'film'}});
//   playback.addEventListener('denied', (event) => show(event.detail.message, event.detail.sessions));
//   playback.addEventListener('gone', (event) => { video.pause(); show(event.detail.message); });
//   playback.addEventListener('lapsed', () => { /* your rule: video.pause(), or nothing */ });
//   if (await playback.start() === 'playing') video.play();
//   ...
//   playback.stop();
//
// Your back end is asked by POST, with {"session", "start", ...details} in JSON:
//   URL/start      start the session: the daemon's answer and status, with heartbeatInterval and start
//   URL/heartbeat  renew it, with that start
//   URL/end        end it, with that start; it comes as text/plain, as a beacon can send it
// It knows by itself who the user is, from its login.

const LONGEST_WAIT = 10_000; // for an answer
const START_AGAIN = 5000; // where nobody answered

export class Playback extends EventTarget {
  #options;
  #state = 'idle';
  #session;
  #token;
  #interval = 30_000; // of heartbeats, as the daemon tells it
  #leaseEnds = 0; // by the page's own clock
  #next = 0; // heartbeat or start
  #timer;
  #asking;
  #answered = true;
  #listeners = new AbortController();

  constructor(options) {
    super();
    this.#options = options;
    const on = (target, name, act) => target.addEventListener(name, act, {signal: this.#listeners.signal});
    on(window, 'pagehide', () => this.#hide());
    on(window, 'pageshow', (event) => event.persisted && this.#state === 'hidden' && this.start());
    on(document, 'visibilitychange', () => this.#catchUp());
    on(window, 'online', () => this.#catchUp());
  }

  get state() {
    return this.#state;
  }

  get session() {
    return this.#session;
  }

  // Resolves to the state that it leads to: 'playing', 'denied' or 'unavailable', where it is tried again by itself.
  async start() {
    if (this.#state === 'playing' || this.#state === 'stopped') return this.#state;
    this.#session = this.#options.session ?? crypto.randomUUID();
    this.#token = undefined;
    this.#state = 'starting';
    return this.#begin();
  }

  // Ends it for good.
  stop() {
    if (this.#state === 'playing') this.#end(false);
    this.#leave('stopped');
    this.#listeners.abort();
  }

  async #begin() {
    const sentAt = performance.now();
    const session = this.#session;
    const answer = await this.#ask('start');
    if (this.#session !== session || !['starting', 'unavailable'].includes(this.#state)) {
      // Stopped, or hidden, meanwhile: what was started for nobody is ended.
      if (answer?.ok) this.#end(true, session, answer.body.start);
      return this.#state;
    }
    if (answer?.ok) return this.#renewed(answer.body, sentAt, 'started');
    // A user who starts too often (429) is refused too: a rule for silence must not play what the limit refuses.
    if (answer && (answer.status < 500 || answer.status === 501)) return this.#over('denied', answer);
    this.#state = 'unavailable';
    this.#silent();
    this.#schedule(START_AGAIN);
    return this.#state;
  }

  async #beat() {
    const sentAt = performance.now();
    const session = this.#session;
    const answer = await this.#ask('heartbeat');
    if (this.#session !== session || this.#state !== 'playing') return;
    if (answer?.ok) {
      this.#renewed(answer.body, sentAt);
    } else if (answer && (answer.status === 404 || answer.body.reason === 'expired')) {
      // Nobody ended it: the page slept. It must find room as any other.
      this.#state = 'starting';
      this.#token = undefined;
      await this.#begin();
    } else if (answer?.status === 410) {
      this.#over('gone', answer);
    } else {
      this.#silent();
      this.#schedule(this.#interval / 2);
    }
  }

  #renewed(body, sentAt, event) {
    const lease = 3000 * body.heartbeatInterval;
    this.#state = 'playing';
    this.#token = body.start;
    this.#interval = lease / 3;
    this.#leaseEnds = sentAt + lease;
    this.#schedule(this.#interval);
    if (!this.#answered) this.#say('available', {});
    this.#answered = true;
    if (event) this.#say(event, body);
    return this.#state;
  }

  // Neither yes nor no. The lease decides: before it ends nothing is said to have changed.
  #silent() {
    const lapsed = performance.now() >= this.#leaseEnds;
    if (this.#answered) this.#say('unavailable', {});
    this.#answered = false;
    if (lapsed && this.#leaseEnds !== Infinity) {
      this.#leaseEnds = Infinity; // said once
      this.#say('lapsed', {});
    }
  }

  #over(state, answer) {
    this.#leave(state);
    this.#say(state, {status: answer.status, ...answer.body});
    return state;
  }

  #leave(state) {
    this.#state = state;
    clearTimeout(this.#timer);
    this.#leaseEnds = 0;
    this.#answered = true;
  }

  // The next call, not all pages' in the same moment; at the lease's end at the latest where nobody answers.
  #schedule(wait) {
    let pause = wait * (0.8 + 0.2 * Math.random());
    const left = this.#leaseEnds - performance.now();
    if (!this.#answered && left > 0) pause = Math.min(pause, left);
    this.#next = performance.now() + pause;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#tick(), pause);
  }

  #tick() {
    if (this.#asking) return;
    if (this.#state === 'playing') this.#beat();
    if (this.#state === 'unavailable') this.#begin();
  }

  // Timers of a hidden page are late.
  #catchUp() {
    if (document.visibilityState === 'visible' && performance.now() >= this.#next) this.#tick();
  }

  // To leave, or to wait for a page that comes back as it was.
  #hide() {
    if (this.#state === 'playing') this.#end(true);
    if (['playing', 'starting', 'unavailable'].includes(this.#state)) this.#leave('hidden');
  }

  // The lease ends what is not ended so: blockers stop beacons, and pages end without a word.
  #end(leaving, session = this.#session, token = this.#token) {
    const body = this.#body(session, token);
    if (leaving && navigator.sendBeacon?.(this.#url('end'), body)) return;
    fetch(this.#url('end'), {method: 'POST', body, keepalive: true, credentials: 'same-origin'}).catch(() => {});
  }

  // Nothing where nobody answers, or something that is no JSON.
  async #ask(what) {
    this.#asking = true;
    try {
      const answer = await fetch(this.#url(what), {
        method: 'POST', body: this.#body(this.#session, this.#token), credentials: 'same-origin', cache: 'no-store',
        headers: {'content-type': 'application/json'},
        signal: AbortSignal.timeout(Math.max(1000, Math.min(LONGEST_WAIT, this.#interval))),
      });
      return {status: answer.status, ok: answer.ok, body: await answer.json()};
    } catch {
      return undefined;
    } finally {
      this.#asking = false;
    }
  }

  #body(session, start) {
    return JSON.stringify({...this.#options.details, session, start});
  }

  #url(what) {
    return `${this.#options.url}/${what}`;
  }

  #say(name, detail) {
    this.dispatchEvent(new CustomEvent(name, {detail}));
  }
}
