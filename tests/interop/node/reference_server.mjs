// TinyBase's own createWsServer with one JSON file a room: what the interoperability tests were proved against.
//
//   node reference_server.mjs PORT DATA_DIR
//
// Rooms under `ephemeral/` have no persister, so there it only relays. GET /readyz answers 200.
//
// Two things are not as upstream has them, or the tests could not rely on it. The persister is our own: TinyBase's file
// persister also watches its file and now and then loads an older state over a newer one. And upstream answers before
// it saves, and does not save a change of stamps alone; the tests take an answer of the replica to a question named
// `receipt-...` as proof of a save, so those answers are held back until the file is written.
import {createHash} from 'node:crypto';
import {existsSync, mkdirSync, readFileSync, renameSync, writeFileSync} from 'node:fs';
import {createServer} from 'node:http';
import {join} from 'node:path';
import {createMergeableStore} from 'tinybase/mergeable-store';
import {createCustomPersister} from 'tinybase/persisters';
import {createWsServer} from 'tinybase/synchronizers/synchronizer-ws-server';
import {WebSocketServer} from 'ws';
import {UNDEFINED, withUndefined} from './wire.mjs';

const MERGEABLE_STORE_ONLY = 2; // of TinyBase's Persists
const [port, dataDirectory] = process.argv.slice(2);
const rooms = new Map(); // path -> {store, persister, file} of the rooms that are open

const readRoom = (file) => (existsSync(file) ? withUndefined(JSON.parse(readFileSync(file, 'utf8'))) : undefined);

const writeRoom = (file, content) => {
  const text = JSON.stringify(content, (_key, value) => (value === undefined ? UNDEFINED : value));
  writeFileSync(`${file}.new`, text);
  renameSync(`${file}.new`, file);
};

const createPersisterForPath = (path) => {
  if (path.startsWith('ephemeral/')) {
    return undefined;
  }
  const file = join(dataDirectory, createHash('sha256').update(path).digest('hex') + '.json');
  const store = createMergeableStore();
  const persister = createCustomPersister(
    store,
    async () => readRoom(file),
    async (getContent) => writeRoom(file, getContent()),
    () => {},
    () => {},
    (error) => console.error(error),
    MERGEABLE_STORE_ONLY,
  );
  rooms.set(path, {store, persister, file});
  return persister;
};

const isWritten = ({store, file}) => {
  const [[, , tablesHash], [, , valuesHash]] = readRoom(file) ?? [[], []];
  return String([tablesHash, valuesHash]) === String(store.getMergeableContentHashes());
};

const written = async () => {
  for (const [path, room] of rooms) {
    while (rooms.get(path) === room && !isWritten(room)) {
      room.persister.save();
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
  }
};

mkdirSync(dataDirectory, {recursive: true});
const httpServer = createServer((request, response) =>
  response.writeHead(request.url === '/readyz' ? 200 : 426).end(),
);
const webSocketServer = new WebSocketServer({server: httpServer, maxPayload: 20 << 20});
webSocketServer.on('connection', (socket) => {
  const send = socket.send.bind(socket);
  socket.send = (data, ...rest) =>
    String(data).includes('S\n["receipt-') ? written().then(() => send(data, ...rest)) : send(data, ...rest);
});
createWsServer(webSocketServer, createPersisterForPath).addPathIdsListener((_server, path, added) => {
  if (added < 0) {
    rooms.delete(path);
  }
});
httpServer.listen(Number(port), '127.0.0.1', () => {
  console.log(`ready at http://127.0.0.1:${httpServer.address().port}`);
});
process.on('SIGTERM', () => process.exit(0));
