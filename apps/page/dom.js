// Elements, texts of numbers and times, tables, questions. What others wrote, such as names of users, gets into the page as
// text alone: nothing here reads HTML.

export const find = (selector) => document.querySelector(selector);

// el('td', {class: 'number'}, 5): attributes as they are, a function under the name of its event, children as text or
// elements. What is null or false is left out.
export function el(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (typeof value === 'function') element.addEventListener(name, value);
    else if (value !== null && value !== undefined && value !== false) element.setAttribute(name, value === true ? '' : value);
  }
  element.append(...children.flat().filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

export function show(element, shown) {
  if (element.hidden === shown) element.hidden = !shown;
}

export function setText(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

// ---- texts ----

const whole = new Intl.NumberFormat(undefined, {maximumFractionDigits: 0});
const short = new Intl.NumberFormat(undefined, {maximumSignificantDigits: 3});
const small = new Intl.NumberFormat(undefined, {maximumSignificantDigits: 2});
const clock = new Intl.DateTimeFormat(undefined, {hour: '2-digit', minute: '2-digit', second: '2-digit', hourCycle: 'h23'});
const dated = new Intl.DateTimeFormat(undefined,
  {day: 'numeric', month: 'short', hour: '2-digit', minute: '2-digit', hourCycle: 'h23'});

export const count = (number) => whole.format(number);
// Of less than one the third digit is noise: ten seconds are some milliseconds more.
export const rate = (number) => (number >= 100 ? whole : number >= 1 ? short : small).format(number);

// The daemon's time, whatever this machine's clock says.
let ahead = 0;
export const setNow = (at) => { ahead = at - Date.now(); };
export const now = () => Date.now() + ahead;

export function time(text) {
  const at = new Date(text);
  return now() - at < 12 * 3600e3 ? clock.format(at) : dated.format(at);
}
export const day = (at) => dated.format(at);

// 41 s, 7 min, 3 h, 12 d
export function duration(seconds) {
  for (const [unit, length] of [['d', 86400], ['h', 3600], ['min', 60]]) {
    if (seconds >= 2 * length) return `${Math.floor(seconds / length)} ${unit}`;
  }
  return `${Math.max(0, Math.round(seconds))} s`;
}

export function bytes(number) {
  for (const [unit, size] of [['GiB', 2 ** 30], ['MiB', 2 ** 20], ['KiB', 2 ** 10]]) {
    if (number >= size) return `${short.format(number / size)} ${unit}`;
  }
  return `${number} B`;
}

export const millis = (seconds) => `${short.format(seconds * 1000)} ms`;
export const many = (number, one, more = `${one}s`) => `${count(number)} ${number === 1 ? one : more}`;

// ---- lists and tables ----

// Fills a <dl> by name, and keeps the elements that are there already: a screen reader that stands on one stays there.
export function fillFacts(list, facts) {
  const shown = Object.entries(facts).filter(([, value]) => value !== null && value !== undefined);
  if (shown.map(([name]) => name).join('\n') !== list.dataset.names) {
    list.dataset.names = shown.map(([name]) => name).join('\n');
    list.replaceChildren(...shown.map(([name]) => el('div', {}, el('dt', {}, name), el('dd'))));
  }
  shown.forEach(([, value], index) => {
    const into = list.children[index].lastChild;
    if (value instanceof Node) into.replaceChildren(value);
    else setText(into, String(value));
  });
}

// A table of columns {name, of, number}: `of` gives the text or the element of a row's cell. The first column is the rows'
// heading where its column says so. Without rows it is what `none` says, or, where that is null, an empty table.
export function table(caption, columns, rows, none) {
  if (rows.length === 0 && none !== null) return el('p', {class: 'quiet'}, none);
  return el('table', {},
    el('caption', {class: 'unseen'}, caption),
    el('thead', {}, el('tr', {}, columns.map(({name, number, title}) =>
      el('th', {scope: 'col', class: number && 'number', title}, name)))),
    el('tbody', {}, rows.map((row) => tableRow(columns, row))));
}

export function tableRow(columns, row) {
  return el('tr', {}, columns.map(({of, number, heads}) => {
    const cell = el(heads ? 'th' : 'td', {scope: heads && 'row', class: number && 'number'}, of(row));
    if (cell.textContent.length > 28) cell.classList.add('long');
    return cell;
  }));
}

export const userLink = (user) => el('a', {href: `#user/${encodeURIComponent(user)}`, class: 'name'}, user);

// ---- telling and asking ----

// What was done, or why not. The next one takes its place.
export function tell(text, failed = false) {
  const told = find('#told');
  told.className = `banner ${failed ? 'bad' : 'good'}`;
  told.replaceChildren(el('span', {}, text), ' ', el('button', {type: 'button', click: () => show(told, false)}, 'Dismiss'));
  show(told, true);
}

// Asks before something is done: fields are {name, label, type, options, value, hint}. Gives their values, or null where it is
// not to be done. The focus goes back to where it was.
export function confirm({title, text, fields = [], verb}) {
  const dialog = find('#ask');
  return new Promise((resolve) => {
    let values = null;
    const form = el('form', {submit: (event) => {
      event.preventDefault();
      values = Object.fromEntries(new FormData(form));
      dialog.close();
    }},
    el('h2', {id: 'ask-title'}, title), el('p', {}, text),
    fields.map((field) => el('p', {class: 'field'}, el('label', {for: `ask-${field.name}`}, field.label), input(field),
      field.hint && el('small', {class: 'quiet', id: `hint-${field.name}`}, field.hint))),
    el('p', {class: 'buttons'}, el('button', {type: 'button', click: () => dialog.close()}, 'Leave it'),
      el('button', {class: 'act'}, verb)));
    dialog.replaceChildren(form);
    // It comes a moment later, when the next may be asked already.
    const closed = () => {
      if (dialog.open) return;
      dialog.removeEventListener('close', closed);
      resolve(values);
    };
    dialog.addEventListener('close', closed);
    dialog.showModal();
  });
}

function input({name, type, options, value, hint, ...more}) {
  const named = {id: `ask-${name}`, name, 'aria-describedby': hint && `hint-${name}`};
  if (options) {
    return el('select', named, options.map(([each, label]) => el('option', {value: each, selected: each === value}, label)));
  }
  return el('input', {...named, type, value, autocomplete: 'off', ...more});
}
