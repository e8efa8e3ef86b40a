// TinyBase's own server with its file persister: what the interoperability tests were proved against.
//
//   node reference_server.mjs PORT DATA_DIR
//
// Rooms under `ephemeral/` have no persister, so there it only relays. GET /readyz answers 200.
//
// The file persister acknowledges before it writes, and may even skip a save. The tests take an answer of the replica to
// a question named `receipt-...` as proof of a save, so those answers are held back here until the files are written;
// GET /flush waits for the same, for a test that is about to kill this process in the middle of a write.
import {createHash} from 'node:crypto';
import {mkdirSync} from 'node:fs';
import {createServer} from 'node:http';
import {join} from 'node:path';
import {createMergeableStore} from 'tinybase/mergeable-store';
import {createFilePersister} from 'tinybase/persisters/persister-file';
import {createWsServer} from 'tinybase/synchronizers/synchronizer-ws-server';
import {WebSocketServer} from 'ws';

const [port, dataDirectory] = process.argv.slice(2);
mkdirSync(dataDirectory, {recursive: true});
const persisters = new Map(); // by path, of the rooms that are open

const createPersisterForPath = (path) => {
  if (path.startsWith('ephemeral/')) {
    return undefined;
  }
  const name = createHash('sha256').update(path).digest('hex') + '.json';
  const persister = createFilePersister(createMergeableStore(), join(dataDirectory, name));
  persisters.set(path, persister);
  return persister;
};

const flushed = async () => {
  for (const persister of [...persisters.values()]) {
    await persister.schedule(async () => {});
    await persister.save();
  }
};

const httpServer = createServer(async (request, response) => {
  if (request.url === '/flush') {
    await flushed();
  }
  response.writeHead(['/flush', '/readyz'].includes(request.url) ? 200 : 426).end();
});
const webSocketServer = new WebSocketServer({server: httpServer, maxPayload: 20 << 20});
webSocketServer.on('connection', (socket) => {
  const send = socket.send.bind(socket);
  socket.send = (data, ...rest) =>
    String(data).includes('S\n["receipt-') ? flushed().then(() => send(data, ...rest)) : send(data, ...rest);
});
createWsServer(webSocketServer, createPersisterForPath).addPathIdsListener((_server, path, added) => {
  if (added < 0) {
    persisters.delete(path);
  }
});
httpServer.listen(Number(port), '127.0.0.1', () => {
  console.log(`ready at http://127.0.0.1:${httpServer.address().port}`);
});
process.on('SIGTERM', () => process.exit(0));
