// A WebSocket client: `websocket.js STEP URL` prints what came of it as JSON on one line.
// The bearer token of the handshake's header stands in the variable TOKEN.
'use strict';

const { once } = require('node:events');
const WebSocket = require('ws');

const [step, url] = process.argv.slice(2);

function connect() {
  const headers = process.env.TOKEN ? { authorization: `Bearer ${process.env.TOKEN}` } : {};
  return new WebSocket(url, { headers, handshakeTimeout: 10000, perMessageDeflate: false });
}

async function closed(socket) {
  const [code, reason] = await once(socket, 'close');
  return { code, reason: reason.toString() };
}

const steps = {
  /** Text, bytes and a ping there and back, then a close with a code of ours. */
  async talk() {
    const socket = connect();
    await once(socket, 'open');
    const echo = async (message) => {
      socket.send(message);
      const [data, binary] = await once(socket, 'message');
      return { binary, same: Buffer.compare(data, Buffer.from(message)) === 0 };
    };
    const text = await echo('{"protocol":"json","version":1}\u001e');
    const bytes = await echo(Buffer.alloc(60000, 0xa5));
    const empty = await echo('');
    socket.ping('are you there');
    const [pong] = await once(socket, 'pong');
    socket.close(4001, 'enough');
    return { text, bytes, empty, pong: pong.toString(), close: await closed(socket) };
  },
  /** A message that is too long for the server, which closes. */
  async shout() {
    const socket = connect();
    await once(socket, 'open');
    socket.send(Buffer.alloc(1 << 20));
    return closed(socket);
  },
  /** Talks on until the other side ends it. */
  async chatter() {
    const socket = connect();
    await once(socket, 'open');
    const since = Date.now();
    let echoes = 0;
    socket.on('message', () => (echoes += 1));
    const talking = setInterval(() => socket.send('still here'), 100);
    const { code } = await closed(socket);
    clearInterval(talking);
    return { code, echoes, seconds: (Date.now() - since) / 1000 };
  },
  /** A handshake that the server answers without 101. */
  async refused() {
    const socket = connect();
    const opened = once(socket, 'open').then(() => { throw new Error('it was opened'); });
    const [, response] = await Promise.race([once(socket, 'unexpected-response'), opened]);
    let body = '';
    for await (const chunk of response) body += chunk;
    return { status: response.statusCode, type: response.headers['content-type'], body };
  },
};

// A connection that is kept alive would keep this alive as well.
const end = (result, code) => process.stdout.write(`${JSON.stringify(result)}\n`, () => process.exit(code));
steps[step]().then((result) => end(result, 0), (error) => end({ error: String(error) }, 1));
