// TinyBase's own Node server: `node ws_server.mjs PORT file|none DATA_DIR`.
// `file` keeps every room in a JSON file (one file a room), `none` relays only.
// Prints `ready` once it listens; a line on stderr for each error that TinyBase ignored.
import {createHash} from 'node:crypto';
import {mkdirSync} from 'node:fs';
import {join} from 'node:path';
import {createMergeableStore} from 'tinybase';
import {createFilePersister} from 'tinybase/persisters/persister-file';
import {createWsServer} from 'tinybase/synchronizers/synchronizer-ws-server';
import {WebSocketServer} from 'ws';

const [port, persistence, dataDir] = process.argv.slice(2);
const complain = (error) => console.error('ignored:', error);

const fileOf = (pathId) =>
  join(dataDir, createHash('sha256').update(pathId).digest('hex').slice(0, 32) + '.json');

const persisterFor = (pathId) =>
  createFilePersister(createMergeableStore(), fileOf(pathId), complain);

mkdirSync(dataDir, {recursive: true});
const sockets = new WebSocketServer({
  host: '127.0.0.1',
  port: Number(port),
  // The default of 100 MiB stays; compression is off by default in ws.
});
createWsServer(sockets, persistence === 'file' ? persisterFor : undefined, complain);
sockets.on('listening', () => console.log('ready'));
process.on('SIGTERM', () => process.exit(0));
