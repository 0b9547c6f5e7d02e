// A WebSocket client: `websocket.js STEP URL` prints the result as JSON on one line.
// The variable TOKEN holds the bearer token of the handshake's header.
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
  /** Sends text, bytes and a ping, awaits their echoes, then closes with a code of its own. */
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
  /** Sends a message that is too long for the server, which closes the connection. */
  async shout() {
    const socket = connect();
    await once(socket, 'open');
    socket.send(Buffer.alloc(1 << 20));
    return closed(socket);
  },
  /** Sends messages until the other side closes. */
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
  /** Sends a handshake that the server does not answer with 101. */
  async refused() {
    const socket = connect();
    const opened = once(socket, 'open').then(() => { throw new Error('it was opened'); });
    const [, response] = await Promise.race([once(socket, 'unexpected-response'), opened]);
    let body = '';
    for await (const chunk of response) body += chunk;
    return { status: response.statusCode, type: response.headers['content-type'], body };
  },
};

// A persistent connection would keep this process running.
const end = (result, code) => process.stdout.write(`${JSON.stringify(result)}\n`, () => process.exit(code));
steps[step]().then((result) => end(result, 0), (error) => end({ error: String(error) }, 1));
