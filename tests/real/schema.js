// A JSON Schema validator that is told one line of JSON, {"schema":"PATH","text":"…"}, and answers each with the faults
// of that text, which is YAML.
'use strict';

const { readFileSync } = require('node:fs');
const { createInterface } = require('node:readline');
const Ajv = require('ajv');
const YAML = require('yaml');

// Which of two keys has to be there is said beside the keys, not among them.
const ajv = new Ajv({ strict: true, strictRequired: false, allErrors: true });
ajv.addVocabulary(['patternErrorMessage']);
const compiled = new Map();

/** The validator of the schema in a file, which must itself be sound. */
function validator(path) {
  if (!compiled.has(path)) compiled.set(path, ajv.compile(JSON.parse(readFileSync(path, 'utf8'))));
  return compiled.get(path);
}

/** What is wrong with a text, a line each. */
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
