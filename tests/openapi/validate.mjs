// validate.mjs DOCUMENT FILE…: whether each answer in the files (see tests/system/answers.py) is one that the document
// describes: its path, method and status, the type of its body and each field of it. Says what is wrong, each kind once, and
// how much was looked at.
import { readFileSync } from "node:fs";
import Ajv2020 from "ajv/dist/2020.js";
import addFormats from "ajv-formats";

const [documentPath, ...files] = process.argv.slice(2);
const document = JSON.parse(readFileSync(documentPath, "utf8"));

// Answers may have further fields some day; those of today are all described.
function close(schema) {
  if (schema === null || typeof schema !== "object") return;
  if (schema.properties && !("additionalProperties" in schema)) schema.additionalProperties = false;
  for (const value of Object.values(schema)) close(value);
}
const open = new Set(["BatchAnswer"]); // has the fields of other answers
for (const [name, schema] of Object.entries(document.components.schemas)) if (!open.has(name)) close(schema);

const ajv = new Ajv2020({ strict: false, allErrors: true });
addFormats(ajv);
ajv.addSchema(document, "document");

function resolve(value) {
  return value && value.$ref ? value.$ref.slice(2).split("/").reduce((at, key) => at[key], document) : value;
}

const paths = Object.keys(document.paths).map((template) => {
  const literals = template.replace(/\{tail\}/g, "\0").replace(/\{[^}]*\}/g, "\x01");
  const pattern = literals.replace(/[.*+?^${}()|[\]\\]/g, "\\$&").replaceAll("\0", ".*").replaceAll("\x01", "[^/]*");
  return { template, literal: literals.replace(/[\0\x01]/g, "").length, pattern: new RegExp(`^${pattern}$`, "s") };
}).sort((a, b) => b.literal - a.literal);

const pointers = new Map();
function validator(pointer) {
  if (!pointers.has(pointer)) pointers.set(pointer, ajv.compile({ $ref: `document#${pointer}` }));
  return pointers.get(pointer);
}
const escape = (key) => encodeURIComponent(key.replaceAll("~", "~0").replaceAll("/", "~1"));

// Some tests encode letters that need it not.
function spelt(path) {
  try {
    return path.split("/").map((segment) => encodeURIComponent(decodeURIComponent(segment))).join("/");
  } catch {
    return path;
  }
}

function check(answer, seen) {
  const path = spelt(answer.target.split("?")[0]);
  const found = paths.find((each) => each.pattern.test(path));
  if (!found) return [400, 404, 405, 204, 403, 431].includes(answer.status) ? null : "there is no such path";
  const item = document.paths[found.template];
  const method = answer.method === "HEAD" ? "get" : answer.method.toLowerCase();
  const operation = item[method];
  if (!operation) return [204, 400, 403, 404, 405, 431].includes(answer.status) ? null : `${found.template} has no ${method}`;
  const where = `${method} ${found.template} ${answer.status}`;
  seen.set(where, (seen.get(where) ?? 0) + 1);
  const codes = Object.keys(operation.responses);
  const code = codes.find((each) => each === `${answer.status}`) ?? codes.find((each) => each === `${answer.status}`[0] + "XX");
  if (!code) return `${where}: the status is not described`;
  const type = answer.type.split(";")[0];
  // What holds for all requests, whatever they ask for: who may come in, and how HTTP is written.
  const general = resolve(operation.responses[`${answer.status}`[0] + "XX"]);
  const candidates = [[code, resolve(operation.responses[code])], [`${answer.status}`[0] + "XX", general]].filter((each) => each[1]);
  const problems = [];
  for (const [each, response] of candidates) {
    if (answer.body === "") {
      if (answer.method === "HEAD" || !response.content || answer.status === 200) return null;
      problems.push(`${where}: the body is empty`);
      continue;
    }
    if (!response.content || !response.content[type]) {
      problems.push(`${where}: a body of type '${type}' is not described`);
      continue;
    }
    if (!/json/.test(type)) return null;
    const ref = operation.responses[each].$ref;
    const base = ref ? ref.slice(1) : `/paths/${escape(found.template)}/${method}/responses/${each}`;
    const validate = validator(`${base}/content/${escape(type)}/schema`);
    const texts = type === "application/x-ndjson" ? answer.body.split("\n").filter((line) => line !== "") : [answer.body];
    const wrong = texts.map((text) => (validate(JSON.parse(text)) ? null : ajv.errorsText(validate.errors) +
      JSON.stringify(validate.errors[0].params))).find((text) => text !== null);
    if (wrong === undefined) return null;
    problems.push(`${where}: ${wrong}`);
  }
  return problems[0];
}

const seen = new Map();
const problems = new Map();
let count = 0;
for (const file of files) {
  for (const line of readFileSync(file, "utf8").split("\n")) {
    if (line === "") continue;
    const answer = JSON.parse(line);
    ++count;
    const problem = check(answer, seen);
    if (problem && !problems.has(problem)) problems.set(problem, `${file}: ${answer.method} ${answer.target} ${answer.body.slice(0, 300)}`);
  }
}
for (const [problem, example] of problems) console.log(`${problem}\n    ${example}`);
const all = paths.flatMap(({ template }) => Object.keys(document.paths[template]).filter((key) => key !== "parameters")
  .flatMap((method) => Object.keys(document.paths[template][method].responses).filter((code) => !code.endsWith("XX"))
    .map((code) => `${method} ${template} ${code}`)));
console.log(JSON.stringify({ answers: count, unseen: all.filter((each) => !seen.has(each)) }));
process.exitCode = problems.size === 0 ? 0 : 1;
