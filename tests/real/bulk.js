// An upstream for bodies of any size: it tells the length and SHA-256 of what it gets, and at `GET ?bytes=N` sends N bytes.
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
// The end of standard input is the end of whoever started this.
process.stdin.on('end', () => process.exit(0)).resume();
