// What is drawn: curves over time, by uPlot, and strips of hours.
/* global uPlot */
import {count, day, el, many, now, setText} from './dom.js';

const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
const dashes = [[], [7, 3], [2, 3], [9, 3, 2, 3]]; // curves differ by more than their colours

// Curves with one axis of time: {title, unit, text(number), curves: [name]}. Each has a legend with the newest numbers, or those
// under the pointer.
export class Plot {
  #plot = null;
  #data = [[]];
  #curves = [];

  constructor(into, {title, text = count}) {
    this.title = title;
    this.text = text;
    this.legend = el('ul', {class: 'legend'});
    this.canvas = el('div', {role: 'img', 'aria-label': title});
    into.append(el('figure', {class: 'plot'}, el('figcaption', {}, title), this.legend, this.canvas));
    new ResizeObserver(() => this.#plot?.setSize(this.#size())).observe(this.canvas);
    matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => this.#make());
  }

  // Times in seconds, and for each curve a number, or null, for each of them.
  draw(times, curves) {
    this.#data = [times, ...Object.values(curves)];
    const names = Object.keys(curves);
    if (names.join('\n') !== this.#curves.join('\n')) {
      this.#curves = names;
      this.legend.replaceChildren(...names.map((name, index) => el('li', {class: `curve-${index % 4}`},
        el('span', {class: 'line', 'aria-hidden': 'true'}), `${name} `, el('b'))));
      this.#make();
    } else {
      this.#plot.setData(this.#data);
    }
    this.#tell();
  }

  #size() { return {width: Math.max(this.canvas.clientWidth, 120), height: 130}; }

  #make() {
    this.#plot?.destroy();
    const axis = {stroke: colour('quiet'), grid: {stroke: colour('line'), width: 1}, ticks: {show: false},
      font: '11px system-ui, sans-serif'};
    const clock = (plot, splits) => splits.map((at) => new Date(at * 1000).toLocaleTimeString(undefined,
      {hour: '2-digit', minute: '2-digit', hourCycle: 'h23'}));
    this.#plot = new uPlot({
      ...this.#size(),
      legend: {show: false},
      cursor: {sync: {key: 'past'}, drag: {x: false, y: false}, points: {size: 5}},
      scales: {y: {range: (plot, least, most) => [0, most > 0 ? most * 1.1 : 1]}},
      axes: [{...axis, values: clock, space: 60, size: 24},
        {...axis, size: 48, space: 24, values: (plot, splits) => splits.map(this.text)}],
      series: [{}, ...this.#curves.map((name, index) => ({
        label: name, stroke: colour(`curve-${index % 4}`), width: 1.5, dash: dashes[index % 4], points: {show: false},
      }))],
      hooks: {setCursor: [() => this.#tell()]},
    }, this.#data, this.canvas);
  }

  #tell() {
    const newest = this.#data[0].length - 1;
    const at = this.#plot?.cursor.idx ?? newest;
    const said = this.#curves.map((name, index) => {
      const value = this.#data[index + 1][at];
      const text = value === null || value === undefined ? '–' : this.text(value);
      setText(this.legend.children[index].lastChild, text);
      return `${name} ${text}`;
    });
    if (at === newest) this.canvas.setAttribute('aria-label', `${this.title}, newest: ${said.join(', ')}`);
  }
}

// ---- hours ----

const hour = 3600e3;
export const refusedIn = (each) => each.denials + each.evictions;

// One cell of a colour that says how much: 0 nothing known, 1 watched, 2 to 4 refused or evicted.
function shade(each) {
  if (!each) return colour('cell-0');
  const refused = refusedIn(each);
  if (refused === 0) return colour('cell-1');
  return colour(refused < 3 ? 'cell-2' : refused < 10 ? 'cell-3' : 'cell-4');
}

// What a strip shows, in words.
export function describeHours(hours, past) {
  const bad = hours.filter((each) => refusedIn(each) > 0);
  if (bad.length === 0) return `watched in ${many(hours.length, 'hour')} of ${past}, never refused`;
  const worst = bad.reduce((most, each) => (refusedIn(each) > refusedIn(most) ? each : most));
  return `refused or evicted in ${many(bad.length, 'hour')} of ${past}, most on ${day(new Date(worst.hour))}: ${count(refusedIn(worst))}`;
}

function canvasOf(width, height, label, draw) {
  const scale = window.devicePixelRatio || 1;
  const canvas = el('canvas', {width: Math.round(width * scale), height: Math.round(height * scale), role: 'img',
    'aria-label': label, title: label});
  canvas.style.width = `${width}px`;
  canvas.style.height = `${height}px`;
  const context = canvas.getContext('2d');
  context.scale(scale, scale);
  draw(context);
  return canvas;
}

// The hours from `first` to now, one beside the other.
export function hourStrip(hours, first, past) {
  const start = Math.floor(first / hour);
  const cells = Math.floor(now() / hour) - start + 1;
  const known = new Map(hours.map((each) => [Math.floor(Date.parse(each.hour) / hour) - start, each]));
  const width = 192;
  return canvasOf(width, 18, describeHours(hours, past), (context) => {
    context.fillStyle = colour('cell-0');
    context.fillRect(0, 0, width, 18);
    for (const [cell, each] of known) {
      context.fillStyle = shade(each);
      context.fillRect(cell * width / cells, 0, Math.max(width / cells, 1.5), 18);
    }
  });
}

// Days from left to right, hours of the day downwards, by this machine's time of day; as wide as there is room for.
export function hourGrid(hours, days, room) {
  const today = new Date(now());
  today.setHours(0, 0, 0, 0);
  const left = 34;
  const size = Math.max(8, Math.min(15, Math.floor((room - left) / days)));
  const label = describeHours(hours, `${days} days`);
  return canvasOf(left + days * size, 24 * size + 18, label, (context) => {
    context.fillStyle = colour('cell-0');
    for (let column = 0; column < days; ++column) {
      for (let row = 0; row < 24; ++row) context.fillRect(left + column * size, row * size, size - 1, size - 1);
    }
    for (const each of hours) {
      const at = new Date(each.hour);
      const midnight = new Date(at);
      midnight.setHours(0, 0, 0, 0);
      const column = days - 1 - Math.round((today - midnight) / (24 * hour));
      context.fillStyle = shade(each);
      context.fillRect(left + column * size, at.getHours() * size, size - 1, size - 1);
    }
    context.fillStyle = colour('quiet');
    context.font = '11px system-ui, sans-serif';
    for (let row = 0; row < 24; row += 6) context.fillText(`${String(row).padStart(2, '0')}:00`, 0, row * size + 11);
    for (let column = days - 1; column >= 0; column -= 7) {
      const at = new Date(today - (days - 1 - column) * 24 * hour);
      const text = at.toLocaleDateString(undefined, {day: 'numeric', month: 'short'});
      context.fillText(text, left + (column + 1) * size - context.measureText(text).width, 24 * size + 13);
    }
  });
}

export function hourKey() {
  return el('ul', {class: 'legend'}, ['not seen', 'watched', '1 or 2 refused', '3 to 9', '10 and more'].map((text, level) =>
    el('li', {class: `cell-${level}`}, el('span', {class: 'cell', 'aria-hidden': 'true'}), text)));
}
