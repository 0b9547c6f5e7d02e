// An upstream for bodies of any size: responds with the length and SHA-256 of the body, and to `GET ?bytes=N` with N bytes.
'use strict';

const { createHash } = require('node:crypto');
const { createServer } = require('node:http');
const { once } = require('node:events');

const server = createServer(async (request, response) => {
  if (request.method === 'GET') {
    const length = Number(new URL(request.url, 'http://localhost').searchParams.get('bytes'));
    response.writeHead(200, { 'content-type': 'application/octet-stream' });
    for (let sent = 0; sent < length; ) {
      const chunk = Buffer.alloc(Math.min(65536, length - sent), sent >> 16);
      sent += chunk.length;
      if (!response.write(chunk)) await once(response, 'drain');
    }
    response.end();
    return;
  }
  const hash = createHash('sha256');
  let bytes = 0;
  for await (const chunk of request) {
    hash.update(chunk);
    bytes += chunk.length;
  }
  response.writeHead(200, { 'content-type': 'application/json' });
  response.end(JSON.stringify({ bytes, sha256: hash.digest('hex') }));
});

server.listen(0, '127.0.0.1', () => console.log(JSON.stringify({ address: `127.0.0.1:${server.address().port}` })));
// Standard input ends when the parent process ends.
process.stdin.on('end', () => process.exit(0)).resume();
