// A JSON Schema validator that reads JSON lines, {"schema":"PATH","text":"…"}, and answers each with the errors of that
// YAML text.
'use strict';

const { readFileSync } = require('node:fs');
const { createInterface } = require('node:readline');
const Ajv = require('ajv');
const YAML = require('yaml');

// The schemas state which of two keys is required beside the keys, not among them.
const ajv = new Ajv({ strict: true, strictRequired: false, allErrors: true });
ajv.addVocabulary(['patternErrorMessage']);
const compiled = new Map();

/** The validator of the schema in a file; the schema itself must be valid. */
function validator(path) {
  if (!compiled.has(path)) compiled.set(path, ajv.compile(JSON.parse(readFileSync(path, 'utf8'))));
  return compiled.get(path);
}

/** The errors of a text, one per line. */
function faults({ schema, text }) {
  const document = YAML.parseDocument(text);
  if (document.errors.length > 0) return document.errors.map((error) => `yaml: ${error.message}`);
  const validate = validator(schema);
  return validate(document.toJS()) ? [] : validate.errors.map((error) => `${error.instancePath} ${error.message}`);
}

async function main() {
  for await (const line of createInterface({ input: process.stdin })) {
    console.log(JSON.stringify({ faults: faults(JSON.parse(line)) }));
  }
}

main();
