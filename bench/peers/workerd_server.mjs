// workerd through miniflare: `node workerd_server.mjs PORT DATA_DIR`.
// The socket is workerd's own, straight to the Worker: miniflare's entry Worker, which would
// cost a hop a message, is not in the way. Prints `ready` once it listens.
import {readFileSync} from 'node:fs';
import {dirname, join} from 'node:path';
import {fileURLToPath} from 'node:url';
import {Miniflare} from 'miniflare';

const here = dirname(fileURLToPath(import.meta.url));
const [port, dataDir] = process.argv.slice(2);

const module = (path, file) => ({
  type: 'ESModule',
  path,
  contents: readFileSync(join(here, file), 'utf8'),
});
const library = [
  'tinybase/index.js',
  'tinybase/persisters/persister-durable-object-sql-storage/index.js',
  'tinybase/synchronizers/synchronizer-ws-server-durable-object/index.js',
];

const miniflare = new Miniflare({
  port: 0,
  host: '127.0.0.1',
  modules: [
    module('room_worker.mjs', 'room_worker.mjs'),
    ...library.map((path) => module(path, join('node_modules', path))),
  ],
  compatibilityDate: '2026-07-01',
  durableObjects: {ROOMS: {className: 'Room', useSQLite: true}},
  durableObjectsPersist: dataDir,
  unsafeDirectSockets: [{host: '127.0.0.1', port: Number(port)}],
});
await miniflare.ready;
console.log('ready');
process.on('SIGTERM', async () => {
  await miniflare.dispose();
  process.exit(0);
});
