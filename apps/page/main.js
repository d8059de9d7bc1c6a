// Which part of the page is in sight, what is asked when, and what is said where the daemon does not answer.
import {Lost, Refused, get, useKey} from './api.js';
import {duration, find, setNow, setText, show} from './dom.js';
import {Overview} from './overview.js';
import {UserPage} from './user.js';

// How often what is asked for is asked for, in milliseconds.
const every = {status: 2000, history: 10_000, report: 60_000, settings: 300_000, user: 10_000, hours: 300_000};
const soon = 5000;
const longestPause = 15_000; // between two attempts, where the daemon does not answer

const overview = new Overview();
let userPage = null;
let role = null; // none: it is not known yet
let version = '';
let boot = '';
let paused = false;
let lostAt = 0; // when the daemon stopped answering; 0: it answers
let failures = 0;
let timer = 0;
let due = {}; // when what is asked for next

const isOperator = () => role === 'operator';
const inSight = () => !document.hidden && !paused;

// ---- turns: one at a time, one timer ----

async function turn() {
  clearTimeout(timer);
  timer = 0;
  if (!inSight() || !find('#key').hidden) return;
  try {
    await askAll();
    found();
  } catch (error) {
    if (error instanceof Refused && error.status === 403) return askForKey(error.message);
    lost(error);
  }
  clearTimeout(timer);
  const pause = failures === 0 ? every.status : Math.min(1000 * 2 ** (failures - 1), longestPause);
  timer = setTimeout(turn, pause);
}

async function askAll() {
  const status = await get('/v1/status');
  if (lostAt) due = {}; // all that is shown is old
  take(status);
  if (!isOperator()) return;
  const shown = userPage;
  if (shown) {
    await when('user', () => shown.loadState());
    await when('hours', () => shown.loadHours());
  } else {
    await when('history', () => overview.loadHistory());
    // Of many sessions a report takes its time, in which figures go on.
    when('report', () => overview.loadReport()).catch(() => { due.report = 0; });
    await when('settings', () => overview.loadSettings());
  }
}

// A part that the daemon refuses is tried again at its time; what it cannot do now, such as a report while it makes too many,
// soon.
async function when(what, load) {
  if (!inSight() || performance.now() < (due[what] ?? 0)) return;
  due[what] = performance.now() + every[what];
  try {
    await load();
  } catch (error) {
    if (error instanceof Lost) throw error;
    if (!(error instanceof Refused)) console.error(error);
    if (error.status >= 500) due[what] = performance.now() + soon;
  }
}

function take(status) {
  const first = role === null;
  setNow(Date.parse(status.startedAt) + status.uptime * 1000);
  role = status.role;
  if (status.events.boot !== boot) due = {};
  boot = status.events.boot;
  version ||= status.version;
  show(find('#newer'), version !== status.version);
  setText(find('#newer span'), `The daemon is version ${status.version} now, and this page of ${version}.`);
  const good = status.health === 'ok' && status.fleet?.state !== 'degraded' && status.fleet?.state !== 'down';
  const health = find('#health');
  health.className = `pill ${good ? 'good' : 'bad'}`;
  setText(health, good ? '✓ all is well' : `✕ ${troubleOf(status)}`);
  setText(find('#daemon'), `${status.version}, up ${duration(status.uptime)}, ${status.mode === 'observe' ? 'observing' : 'enforcing'}`);
  show(find('#search'), isOperator());
  if (first) overview.setLimit(status.limit);
  overview.showStatus(status);
  if (first) route();
  resume();
}

function troubleOf({trouble, health, fleet}) {
  if (trouble || health !== 'ok') return trouble ?? 'failing';
  return fleet.trouble ?? `the fleet is ${fleet.state}`;
}

function lost(error) {
  lostAt ||= Date.now();
  failures += 1;
  const health = find('#health');
  health.className = 'pill bad';
  setText(health, '✕ no answer');
  document.body.classList.add('stale');
  const cause = error instanceof Refused ? error.message : 'it does not answer';
  setText(find('#lost'), `No daemon since ${new Date(lostAt).toLocaleTimeString()}: ${cause}. What is shown is of then. `
    + 'It is tried again and again.');
  show(find('#lost'), true);
}

function found() {
  lostAt = 0;
  failures = 0;
  document.body.classList.remove('stale');
  show(find('#lost'), false);
}

// ---- streams, in sight alone ----

function resume() {
  if (!inSight() || role === null) return;
  if (userPage) userPage.resume();
  else overview.resume(isOperator());
}

function suspend() {
  overview.suspend();
  userPage?.suspend();
}

document.addEventListener('visibilitychange', () => {
  if (!inSight()) return suspend();
  due = {};
  resume();
  turn();
});

// What is drawn has the colours of then.
matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => {
  due.report = due.hours = 0;
  turn();
});

find('#pause').addEventListener('click', () => {
  paused = !paused;
  find('#pause').setAttribute('aria-pressed', paused);
  setText(find('#pause'), paused ? 'Go on' : 'Pause');
  document.body.classList.toggle('paused', paused);
  if (paused) return suspend();
  due = {};
  resume();
  turn();
});

find('#newer button').addEventListener('click', () => location.reload());

// ---- the key ----

function askForKey(why) {
  suspend();
  role = null;
  setText(find('#why'), `The daemon says: ${why}.`);
  setText(find('#health'), 'a key is needed');
  show(find('#overview'), false);
  show(find('#user'), false);
  show(find('#key'), true);
  find('#secret').focus();
}

find('#key').addEventListener('submit', (event) => {
  event.preventDefault();
  useKey(find('#secret').value.trim());
  find('#secret').value = '';
  show(find('#key'), false);
  turn();
});

// ---- what is in sight: '' or '#user/NAME' ----

// What somebody typed may be no encoding: then it is the name as it is.
function decoded(text) {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

function route() {
  const [what, name] = location.hash.slice(1).split('/');
  suspend();
  userPage = null;
  due = {};
  const ofUser = what === 'user' && name && isOperator();
  show(find('#overview'), !ofUser);
  show(find('#user'), Boolean(ofUser));
  if (ofUser) userPage = new UserPage(decoded(name));
  else find('#user').replaceChildren();
  if (!ofUser) setText(find('title'), 'concurrencyd');
  resume();
}

addEventListener('hashchange', () => {
  if (location.hash === '#content') return;
  if (role === null) return;
  route();
  scrollTo(0, 0);
  turn();
});

find('#search').addEventListener('submit', (event) => {
  event.preventDefault();
  location.hash = `#user/${encodeURIComponent(find('#wanted').value)}`;
});

turn();
