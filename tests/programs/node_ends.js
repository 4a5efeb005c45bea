// Servers and clients of `http` and `net`: `node_ends.js server|client http|net PORT`. The clients check every answer.
'use strict';

const crypto = require('node:crypto');
const http = require('node:http');
const net = require('node:net');

const [role, mode, portText] = process.argv.slice(2);
const port = Number(portText);
const until = Date.now() + 1300;

// Bytes that depend on the seed alone.
function content(seed, length) {
  const block = crypto.createHash('sha256').update(String(seed)).digest();
  return Buffer.alloc(length, block);
}

function digest(data) {
  return crypto.createHash('sha1').update(data).digest('hex');
}

const ends = {
  server: {
    // Answers a GET with so many bytes, and a POST with the digest of its body.
    http() {
      http.createServer((request, response) => {
        if (request.method === 'GET') {
          const [, seed, length] = request.url.split('/');
          response.end(content(seed, Number(length)));
          return;
        }
        const parts = [];
        request.on('data', (part) => parts.push(part));
        request.on('end', () => response.end(digest(Buffer.concat(parts))));
      }).listen(port, '127.0.0.1');
    },
    // Echoes, as fast as the other end takes it.
    net() {
      net.createServer({ allowHalfOpen: true }, (socket) => {
        socket.on('error', () => {});
        socket.pipe(socket);
      }).listen(port, '127.0.0.1');
    },
  },
  client: {
    async http() {
      const agent = new http.Agent({ keepAlive: true, maxSockets: 4 });
      const ask = (method, path, body) => new Promise((resolve, reject) => {
        const request = http.request({ host: '127.0.0.1', port, method, path, agent }, (response) => {
          const parts = [];
          response.on('data', (part) => parts.push(part));
          response.on('end', () => resolve(Buffer.concat(parts)));
        });
        request.on('error', reject);
        request.end(body);
      });
      const worker = async (number) => {
        const sizes = [0, 1, 100, 1000, 20_000, 300_000];
        for (let round = 0; round < 12 || Date.now() < until; round += 1) {
          const seed = `${number}-${round}`;
          const size = sizes[round % sizes.length];
          const got = await ask('GET', `/${seed}/${size}`);
          if (!got.equals(content(seed, size))) throw new Error(`GET ${seed} of ${size} bytes differs`);
          const answer = await ask('POST', '/', content(seed, size));
          if (answer.toString() !== digest(content(seed, size))) throw new Error(`POST ${seed} of ${size} bytes differs`);
        }
      };
      await Promise.all([0, 1, 2, 3].map(worker));
      agent.destroy();
    },
    // Sends much more than fits anywhere, pausing when told to, and compares the digests of both ways.
    async net() {
      const talk = (number) => new Promise((resolve, reject) => {
        const socket = net.connect({ port, host: '127.0.0.1', allowHalfOpen: true });
        const [sent, received] = [crypto.createHash('sha1'), crypto.createHash('sha1')];
        let round = 0;
        const write = () => {
          while (round < 200 || Date.now() < until) {
            const data = content(`${number}-${round}`, 1 + ((round * 7919) % 60_000));
            round += 1;
            sent.update(data);
            if (!socket.write(data)) {
              socket.once('drain', write);
              return;
            }
          }
          socket.end();
        };
        socket.on('connect', write);
        socket.on('data', (data) => received.update(data));
        socket.on('error', reject);
        socket.on('end', () => (sent.digest('hex') === received.digest('hex') ? resolve() : reject(new Error('the echo differs'))));
      });
      await Promise.all([0, 1, 2].map(talk));
    },
  },
};

Promise.resolve(ends[role][mode]()).then(
  () => { if (role === 'client') console.log('every answer right'); },
  (error) => { console.error(error); process.exit(1); },
);
