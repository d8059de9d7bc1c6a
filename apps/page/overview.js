// The page of all users: figures, plots, who shares, denials as they happen, health, configuration, fleet.
import {Follower, get} from './api.js';
import {bytes, count, duration, el, fillFacts, find, many, millis, now, rate, setText, show, table, tableRow, time,
  userLink} from './dom.js';
import {Plot, hourStrip} from './plots.js';

const millisOf = {'1d': 86400e3, '7d': 7 * 86400e3, '30d': 30 * 86400e3, '1h': 3600e3, '6h': 6 * 3600e3};
const mostDenials = 100; // rows

export class Overview {
  #samples = [];
  #boot = '';
  #plots = null;
  #report = null;
  #follower = null;
  #waiting = []; // denials that are not shown yet
  #lost = 0; // of them, because there were too many
  #hours = new Map(); // of sharers, by user
  #filling = 0; // which strips are being filled: a later list ends an earlier one
  #isOperator = false;

  constructor() {
    find('#past').addEventListener('change', () => { this.#samples = []; this.loadHistory(); });
    find('#since').addEventListener('change', () => this.loadReport());
    find('#what-if').addEventListener('input', () => this.#showWhatIf());
    this.#showDenials();
  }

  // Called when it comes into sight, and when it goes out of it.
  resume(isOperator) {
    this.#isOperator = isOperator;
    for (const each of document.querySelectorAll('.for-operators')) show(each, isOperator);
    show(find('#little'), !isOperator);
    if (!isOperator || this.#follower) return;
    this.#follower = new Follower('events=denied', (event) => this.#take(event));
    this.#flusher = setInterval(() => this.#flush(), 500);
  }

  #flusher = 0;
  suspend() {
    this.#follower?.stop();
    this.#follower = null;
    clearInterval(this.#flusher);
    this.#filling += 1;
  }

  // ---- now ----

  showStatus(status) {
    const {rates} = status;
    fillFacts(find('#tiles'), {
      'Sessions': count(status.sessions),
      'Users': count(status.users),
      'At their limit': status.usersAtLimit === undefined ? null : count(status.usersAtLimit),
      'Starts / s': rate(rates.starts.perSecond),
      'Denials / s': rate(rates.denials.perSecond),
      'Evictions / s': rate(rates.evictions.perSecond),
      'Heartbeats / s': rate(rates.heartbeats.perSecond),
      'Commit': this.#commit() ?? (status.journal && millis(status.journal.meanCommit)),
      'Kept out': status.blocks === undefined ? null : count(status.blocks),
      'Waiting': count(status.waiting),
    });
    const {database, journal} = status;
    fillFacts(find('#facts'), {
      'Storing': status.health === 'ok' ? 'yes' : `no: ${status.trouble}`,
      'Version': status.version,
      'Up since': `${time(status.startedAt)} (${duration(status.uptime)})`,
      'Mode': status.mode === 'observe' ? 'observe: nobody is refused' : 'enforce',
      'Database': database && `${bytes(database.bytes)}, and ${bytes(database.walBytes)} of log`,
      'Commits': database && `${count(database.commits)}, ${count(database.failedCommits)} failed`,
      'Changes not stored yet': journal && count(journal.waitingChanges),
      'Connections': count(status.connections),
      'You are': `${status.role}`,
    });
    this.#showFleet(status.fleet);
  }

  // How long one took lately; the status has the mean since the daemon's start.
  #commit() {
    const newest = this.#samples.findLast((each) => each.meanCommit !== undefined);
    return newest && millis(newest.meanCommit);
  }

  #showFleet(fleet) {
    show(find('#fleet'), Boolean(fleet));
    if (!fleet) return;
    fillFacts(find('#fleet-facts'), {
      'State': fleet.trouble ? `${fleet.state}: ${fleet.trouble}` : fleet.state,
      'Name': fleet.name || '–',
      'This box': fleet.box,
      'Policy': fleet.policy,
      'Decided here alone': count(Object.values(fleet.localDecisions).reduce((sum, each) => sum + each, 0)),
      'Changes no replica is known to have': count(fleet.unacknowledged),
      'Reconnects': count(fleet.reconnects),
    });
    find('#primaries').replaceChildren(table('Primaries', [
      {name: 'Primary', of: (each) => each.address, heads: true},
      {name: 'State', of: (each) => (each.up ? 'up' : el('span', {class: 'amiss'}, '✕ down'))},
      {name: 'Replicas', of: (each) => (fleet.ack === 'primary' ? 'not waited for'
        : each.shortOfReplicas ? 'none acknowledges' : 'acknowledge')},
      {name: 'Clock ahead', number: true,
        of: ({clockOffset: clock}) => (clock ? `${millis(clock.least)} to ${millis(clock.most)}` : '–')},
      {name: 'Under way', number: true, of: (each) => count(each.requests)},
      {name: 'Trouble', of: (each) => each.trouble ?? ''},
    ], fleet.primaries, 'No primary is known.'));
    find('#boxes').replaceChildren(table('Boxes', [
      {name: 'Box', of: (each) => each.box, heads: true},
      {name: 'Version', of: (each) => each.version},
      {name: 'Policy', of: (each) => (each.differs ? `${each.policy}: differs` : each.policy)},
      {name: 'Seen', of: (each) => time(each.seenAt)},
    ], fleet.others, 'No other box is known.'));
  }

  // ---- the past ----

  // All of it at first, and then what is new.
  async loadHistory() {
    const past = find('#past').value;
    const newest = this.#samples.at(-1)?.at ?? '';
    const {boot, samples} = await get(`/v1/history?since=${newest ? '2m' : past}`);
    // Of another daemon than before, or with a hole, for this tab slept: all of it anew.
    const follows = boot === this.#boot && samples.some((each) => each.at === newest);
    this.#boot = boot;
    if (newest && !follows) {
      this.#samples = [];
      return this.loadHistory();
    }
    this.#samples.push(...samples.filter((each) => each.at > newest));
    const last = this.#samples.at(-1)?.at;
    const first = last && new Date(Date.parse(last) - millisOf[past]).toISOString();
    const old = this.#samples.findIndex((each) => each.at >= first);
    this.#samples.splice(0, Math.max(0, old));
    this.#drawPlots();
  }

  #drawPlots() {
    const into = find('#plots');
    this.#plots ??= {
      users: new Plot(into, {title: 'Sessions and users'}),
      starts: new Plot(into, {title: 'Starts, denials and evictions a second', text: rate}),
      rules: new Plot(into, {title: 'Denials a second, by rule', text: rate}),
      beats: new Plot(into, {title: 'Heartbeats a second', text: rate}),
      commits: new Plot(into, {title: 'Commits: how long, in milliseconds', text: rate}),
    };
    const samples = this.#samples;
    const times = samples.map((each) => Date.parse(each.at) / 1000);
    const column = (name, scale = 1) => samples.map((each) => (each[name] === undefined ? null : each[name] * scale));
    const perSecond = (name) => samples.map((each) => each[name] / each.seconds);
    this.#plots.users.draw(times, {'sessions': column('sessions'), 'users': column('users'), 'at their limit': column('usersAtLimit')});
    this.#plots.starts.draw(times, {'starts': perSecond('starts'), 'denials': perSecond('denials'), 'evictions': perSecond('evictions')});
    this.#plots.beats.draw(times, {'heartbeats': perSecond('heartbeats')});
    this.#plots.commits.draw(times, {'mean': column('meanCommit', 1000), '99 of 100 took no longer': column('slowCommit', 1000)});
    // Those that denied most; the others together would say little.
    const sums = new Map();
    for (const {denialsByRule = {}} of samples) {
      for (const [rule, denials] of Object.entries(denialsByRule)) sums.set(rule, (sums.get(rule) ?? 0) + denials);
    }
    const rules = [...sums].sort(([, one], [, other]) => other - one).slice(0, 4).map(([rule]) => rule);
    if (rules.length === 0) rules.push('limit');
    this.#plots.rules.draw(times, Object.fromEntries(rules.map((rule) =>
      [rule, samples.map((each) => (each.denialsByRule?.[rule] ?? 0) / each.seconds)])));
  }

  // ---- who shares ----

  async loadReport() {
    const since = find('#since').value;
    this.#report = await get(`/v1/report?since=${since}&top=20`);
    this.#report.span = since;
    const levels = Object.keys(this.#report.histogram.attempted).map(Number);
    const slider = find('#what-if');
    slider.max = Math.max(10, Math.min(50, ...[Math.max(0, ...levels) + 1]));
    this.#showSharers();
    this.#showWhatIf();
    this.#showLevels();
  }

  // The slider begins at the limit in force.
  setLimit(limit) {
    if (limit > 0) find('#what-if').value = limit;
  }

  #showSharers() {
    const strips = [];
    const columns = [
      {name: '#', number: true, of: (each) => each.rank},
      {name: 'User', heads: true, of: (each) => userLink(each.user)},
      {name: 'Score', number: true, of: (each) => count(each.score), title: 'Excess over the limit, summed over hours'},
      {name: 'Denied', number: true, of: (each) => count(each.denials)},
      {name: 'Evicted', number: true, of: (each) => count(each.evictions)},
      {name: 'At once', number: true, of: (each) => count(each.peak), title: 'Most sessions that were active at once'},
      {name: 'Wanted', number: true, of: (each) => count(each.attemptedPeak), title: 'The same, had none been refused or evicted'},
      {name: 'Devices', number: true, of: (each) => count(each.devices)},
      {name: 'Networks', number: true, of: (each) => count(each.addresses)},
      {name: 'Conflicts', number: true, of: (each) => count(each.conflicts), title: 'Signs that several watch by one session or device'},
      {name: 'Hours', of: (each) => {
        const cell = el('div', {class: 'strip'});
        strips.push([each.user, cell]);
        return cell;
      }},
      {name: 'Under that limit', of: (each) => el('span', {class: 'verdict', 'data-wanted': each.attemptedPeak})},
    ];
    const rows = this.#report.users.map((each, index) => ({...each, rank: index + 1}));
    find('#sharers').replaceChildren(table('Users who were refused or evicted, or had conflicts; the highest score first', columns, rows,
      'Nobody was refused or evicted.'));
    this.#fillStrips(strips);
  }

  // One after the other: each is a report of its own.
  async #fillStrips(strips) {
    const mine = ++this.#filling;
    const {span} = this.#report;
    const kept = new Map();
    for (const [user, cell] of strips) {
      if (!this.#follower) return; // out of sight: they are filled with the next list
      const known = this.#hours.get(`${span} ${user}`);
      const fresh = known && Date.now() - known.at < 300e3;
      const hours = fresh ? known : {at: Date.now(),
        hours: (await get(`/v1/report?since=${span}&user=${encodeURIComponent(user)}`).catch(() => ({}))).hours};
      if (mine !== this.#filling) return;
      if (!hours.hours) continue;
      kept.set(`${span} ${user}`, hours);
      cell.replaceChildren(hourStrip(hours.hours, now() - millisOf[span], span === '1d' ? 'a day' : `${parseInt(span, 10)} days`));
    }
    this.#hours = kept;
  }

  // What the daemon answers to whatIfLimit, without asking it at each step of the slider: how many users wanted more.
  #showWhatIf() {
    if (!this.#report) return;
    const limit = Number(find('#what-if').value);
    let refused = 0;
    let all = 0;
    for (const [level, users] of Object.entries(this.#report.histogram.attempted)) {
      all += users;
      if (Number(level) > limit) refused += users;
    }
    setText(find('#what-if-said'), `${limit}: ${many(refused, 'user')} of ${count(all)} would have been refused`);
    for (const verdict of document.querySelectorAll('.verdict')) {
      const over = Number(verdict.dataset.wanted) - limit;
      verdict.classList.toggle('over', over > 0);
      setText(verdict, over > 0 ? `✕ refused, ${over} too many` : '✓ fits');
    }
  }

  #showLevels() {
    const {peak, attempted} = this.#report.histogram;
    const most = 12;
    const levels = new Map();
    const add = (histogram, name) => {
      for (const [text, users] of Object.entries(histogram)) {
        const level = Math.min(Number(text), most);
        if (level === 0) continue;
        const row = levels.get(level) ?? {level, peak: 0, attempted: 0};
        row[name] += users;
        levels.set(level, row);
      }
    };
    add(peak, 'peak');
    add(attempted, 'attempted');
    const rows = [...levels.values()].sort((one, other) => one.level - other.level);
    const longest = Math.max(1, ...rows.flatMap((row) => [row.peak, row.attempted]));
    const bar = (users, kind) => {
      const drawn = el('span', {class: `bar ${kind}`, 'aria-hidden': 'true'});
      drawn.style.width = `${users === 0 ? 0 : Math.max(1, 70 * users / longest)}%`;
      return el('div', {class: 'bars'}, drawn, count(users));
    };
    find('#levels').replaceChildren(table('Users by the most streams they had at once', [
      {name: 'Streams', heads: true, number: true, of: (row) => (row.level === most ? `${most} and more` : row.level)},
      {name: 'Users who had so many', of: (row) => bar(row.peak, 'had')},
      {name: 'Users who wanted so many', of: (row) => bar(row.attempted, 'wanted')},
    ], rows, 'Nobody has watched yet.'));
  }

  // ---- denials ----

  #columns = [
    {name: 'At', of: (each) => time(each.at)},
    {name: 'User', heads: true, of: (each) => userLink(each.user)},
    {name: 'Why', of: (each) => el('span', each.rule ? {} : {class: 'why'},
      `${each.rule ? `rule ${each.rule}` : `limit of ${each.limit}`}${each.wouldDeny ? ', observed' : ''}`)},
    {name: 'Has', number: true, of: (each) => count(each.concurrentSessions)},
    {name: 'Device', of: (each) => each.device ?? ''},
    {name: 'Address', of: (each) => each.ip ?? ''},
    {name: 'Content', of: (each) => each.content ?? ''},
    {name: 'Session', of: (each) => each.session},
  ];

  #take(event) {
    if (event.event !== 'denied') return;
    this.#waiting.push(event);
    if (this.#waiting.length > mostDenials) { this.#waiting.shift(); this.#lost += 1; }
  }

  // In portions: a thousand a second must not keep the browser busy.
  #flush() {
    if (this.#waiting.length === 0) return;
    const fresh = this.#waiting.splice(0).reverse();
    let body = find('#denials tbody');
    if (!body) {
      this.#showDenials(true);
      body = find('#denials tbody');
    }
    body.prepend(...fresh.map((each) => tableRow(this.#columns, each)));
    while (body.rows.length > mostDenials) body.lastChild.remove();
    this.#count(fresh.length + this.#lost);
    this.#lost = 0;
  }

  #showDenials(any = false) {
    find('#denials').replaceChildren(table('Newest first', this.#columns, [], any ? null : 'None since this page was opened.'));
  }

  // Said to screen readers, at most every ten seconds.
  #counted = 0;
  #timer = 0;
  #count(more) {
    this.#counted += more;
    if (this.#timer) return;
    const say = () => setText(find('#counted'), `${many(this.#counted, 'denial')} since this page was opened`);
    say();
    this.#timer = setTimeout(() => { this.#timer = 0; say(); }, 10_000);
  }

  // ---- configuration ----

  async loadSettings() {
    const {settings} = await get('/v1/settings');
    find('#settings').replaceChildren(table('What is set, and where', [
      {name: 'Setting', heads: true, of: (each) => each.name},
      {name: 'Value', of: (each) => each.value || 'none'},
      {name: 'From', of: (each) => each.from},
    ], settings, 'Nothing is known.'));
  }
}
