// An Express application with default routers, and method-override for a header, the query and forms.
'use strict';

const { appendFileSync } = require('node:fs');
const express = require('express');
const multer = require('multer');
const methodOverride = require('method-override');

const [port, journal] = process.argv.slice(2);
const app = express();
app.use(express.urlencoded({ extended: true }));
app.use(multer().none());
app.use(methodOverride('X-HTTP-Method-Override'));
app.use(methodOverride('X-HTTP-Method'));
app.use(methodOverride('X-Method-Override'));
app.use(methodOverride('_method'));
app.use(methodOverride((request) => request.body && typeof request.body === 'object' && request.body._method));

const serve = (resource) => (request, response) => {
  const decision = request.get('X-Portcullis-Decision') ?? '';
  const raw = request.originalUrl.split('?')[0];
  let path = raw;
  try {
    path = decodeURIComponent(raw);
  } catch {
    // A route with parameters has already rejected it.
  }
  appendFileSync(journal, `${decision}\t${request.method}\t${resource}\t${path}\n`);
  const text = { open: 'OPEN-9b1c\n', secret: 'SECRET-7f3a\n', none: 'nothing\n' }[resource];
  const deleted = request.method === 'DELETE' && resource !== 'none' ? 'DELETED\n' : '';
  response.status(resource === 'none' ? 404 : 200).type('text/plain').send(text + deleted);
};

const open = express.Router();
open.all('/', serve('open'));
open.all('/:item', serve('open'));
open.all('/:item/:part', serve('open'));
const secret = express.Router();
secret.all('/', serve('secret'));
secret.all('/:item', serve('secret'));
app.use('/open', open);
app.use('/secret', secret);
app.all('/files/*', serve('open'));
app.all('/:shelf/:item', serve('open'));
app.use(serve('none'));
app.use((error, request, response, next) => response.status(error.status ?? 500).type('text/plain').send('refused\n'));
app.listen(Number(port), '127.0.0.1');
