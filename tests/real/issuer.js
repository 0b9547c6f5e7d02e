// An OpenID Connect issuer that reads one command per JSON line on standard input and prints one response per line:
//   {"do":"issue","claims":{…},"kid":"first"}   {"do":"add","kid":"second"}   {"do":"withdraw","kid":"first"}   {"do":"stop"}
//   {"do":"tell","claims":{…}}: the response of /introspect for every token; it does not read the token of the request
'use strict';

const { createInterface } = require('node:readline');
const { OAuth2Server } = require('oauth2-mock-server');

let server;
let told = { active: false };

/** Starts on `port` with exactly these private keys. */
async function start(port, keys) {
  server = new OAuth2Server();
  for (const key of keys) await server.issuer.keys.add(key);
  server.service.on('beforeIntrospect', (answer) => {
    answer.body = told;
  });
  await server.start(port, '127.0.0.1');
}

const commands = {
  async issue({ claims, kid }) {
    const scopesOrTransform = (_header, payload) => Object.assign(payload, claims);
    return { token: await server.issuer.buildToken({ kid, scopesOrTransform }) };
  },
  async add({ kid }) {
    await server.issuer.keys.generate('RS256', { kid });
    return {};
  },
  // Its key store cannot remove a key, so a key is withdrawn as on many servers: by a restart without it.
  async withdraw({ kid }) {
    const { port } = server.address();
    const kept = server.issuer.keys.toJSON(true).filter((key) => key.kid !== kid);
    await server.stop();
    await start(port, kept);
    return {};
  },
  async tell({ claims }) {
    told = claims;
    return {};
  },
  async stop() {
    await server.stop();
    return {};
  },
};

async function main() {
  await start(0, []);
  await server.issuer.keys.generate('RS256', { kid: 'first' });
  console.log(JSON.stringify({ url: server.issuer.url }));
  for await (const line of createInterface({ input: process.stdin })) {
    const command = JSON.parse(line);
    console.log(JSON.stringify(await commands[command.do](command)));
  }
  process.exit(0);
}

main();
