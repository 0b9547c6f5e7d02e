// An editor in front of yaml-language-server, which reads one command per JSON line and prints one response per line:
//   {"do":"open","path":"…","text":"…"}              the diagnostics of that file with this text
//   {"do":"complete","line":0,"character":0}         the server's proposals at that position
//   {"do":"hover","line":0,"character":0}            its explanation at that position
'use strict';

const { spawn } = require('node:child_process');
const { dirname, join } = require('node:path');
const { createInterface } = require('node:readline');
const { pathToFileURL } = require('node:url');
const { createMessageConnection, StreamMessageReader, StreamMessageWriter } = require('vscode-jsonrpc/node');

const home = dirname(require.resolve('yaml-language-server/package.json'));
const server = spawn(process.execPath, [join(home, 'bin/yaml-language-server'), '--stdio'], {
  stdio: ['pipe', 'pipe', 'inherit'],
});
const connection = createMessageConnection(new StreamMessageReader(server.stdout), new StreamMessageWriter(server.stdin));

// The schemas come only from the files' own comments.
const settings = {
  yaml: { validate: true, completion: true, hover: true, schemaStore: { enable: false }, kubernetesCRDStore: { enable: false } },
};

/** The time without a change after which a file's diagnostics count as final, in milliseconds. */
const QUIET = 1500;

let uri;
let version = 0;
let heard;
connection.onNotification('textDocument/publishDiagnostics', (message) => message.uri === uri && heard?.(message));
connection.onRequest('workspace/configuration', ({ items }) => items.map(({ section }) => settings[section] ?? {}));
connection.onRequest('client/registerCapability', () => null);

/** The server's final diagnostics of the text that is sent next. */
function diagnostics() {
  return new Promise((resolve) => {
    let timer;
    heard = (message) => {
      clearTimeout(timer);
      timer = setTimeout(() => resolve(message.diagnostics), QUIET);
    };
  });
}

const position = ({ line, character }) => ({ textDocument: { uri }, position: { line, character } });

const commands = {
  async open({ path, text }) {
    const again = pathToFileURL(path).href === uri;
    uri = pathToFileURL(path).href;
    version += 1;
    const said = diagnostics();
    if (again) {
      const textDocument = { uri, version };
      await connection.sendNotification('textDocument/didChange', { textDocument, contentChanges: [{ text }] });
    } else {
      await connection.sendNotification('textDocument/didOpen', {
        textDocument: { uri, version, languageId: 'yaml', text },
      });
    }
    const found = await said;
    return { diagnostics: found.map(({ range, message }) => ({ line: range.start.line, message })) };
  },
  async complete(at) {
    const answer = await connection.sendRequest('textDocument/completion', position(at));
    return { proposals: (answer.items ?? answer).map(({ label }) => label) };
  },
  async hover(at) {
    const answer = await connection.sendRequest('textDocument/hover', position(at));
    return { text: answer?.contents?.value ?? '' };
  },
};

async function main() {
  connection.listen();
  await connection.sendRequest('initialize', {
    processId: process.pid,
    rootUri: null,
    capabilities: { workspace: { configuration: true }, textDocument: { hover: { contentFormat: ['markdown'] } } },
  });
  await connection.sendNotification('initialized', {});
  await connection.sendNotification('workspace/didChangeConfiguration', { settings });
  for await (const line of createInterface({ input: process.stdin })) {
    const command = JSON.parse(line);
    console.log(JSON.stringify(await commands[command.do](command)));
  }
  process.exit(0);
}

// The server stops with the editor.
process.on('exit', () => server.kill());
main();
