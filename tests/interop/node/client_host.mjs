// Hosts any number of real TinyBase clients and raw WebSockets in one Node process.
//
// Driven by JSON lines: each line on stdin is {id, do, ...arguments}, each line on stdout answers one of them as
// {id, result} or {id, error}. Commands run concurrently; the order of answers is the order of completion.
// The process ends when stdin does. Nothing here knows which server it talks to.
import {createInterface} from 'node:readline';
import {Links} from './links.mjs';
import {loadFile, persist, plainContent} from './persisted.mjs';
import {Stores} from './stores.mjs';
import {Waits} from './waits.mjs';

const waits = new Waits();
const links = new Links(waits);
const stores = new Stores(links, waits);

const commands = {
  // Real clients.
  store: (c) => stores.create(c.store, c.version, c.storeId),
  join: (c) => stores.join(c.store, c),
  leave: (c) => stores.leave(c.store),
  cut: (c) => stores.cut(c.store, c),
  resume: (c) => stores.resume(c.store),
  call: (c) => stores.call(c.store, c.method, c.args),
  transaction: (c) => stores.transaction(c.store, c.calls),
  merge: (c) => stores.merge(c.store, c.changes),
  announce: (c) => stores.announce(c.store),
  closes: (c) => stores.linkOf(c.store).closes,
  hashes: (c) => stores.get(c.store).store.getMergeableContentHashes(),
  watch: (c) => stores.watch(c.store, c.table, c.cell),
  seen: (c) => stores.get(c.store).seen,
  errors: (c) => stores.get(c.store).errors,
  receipt: (c) => stores.receipt(c.store, c.deadlineMs),
  // Files of TinyBase's own persisters.
  persist: (c) => persist(stores.get(c.store).store, c.kind, c.file, c.source),
  'load-file': (c) => loadFile(stores.get(c.store).store, c.file),
  'plain-content': (c) => plainContent(c.file),
  // Conditions, each with a deadline.
  'wait-content': (c) =>
    waits.until(() => stores.hasContent(c.store, c.content), c.deadlineMs, () => stores.report([c.store])),
  'wait-tables': (c) =>
    waits.until(() => stores.hasTables(c.store, c.tables), c.deadlineMs, () => stores.report([c.store])),
  'wait-hashes': (c) =>
    waits.until(() => stores.hasHashes(c.store, c.hashes), c.deadlineMs, () => stores.report([c.store])),
  'wait-equal': (c) =>
    waits.until(() => stores.areEqual(c.stores), c.deadlineMs, () => stores.report(c.stores)),
  'wait-opened': (c) =>
    waits.until(() => stores.linkOf(c.store).opened >= c.times, c.deadlineMs, () => stores.report([c.store])),
  // Sockets without TinyBase.
  open: (c) => links.openRaw(c.socket, c.url, c.protocols),
  send: (c) => links.get(c.socket).current.send(c.text),
  close: (c) => links.get(c.socket).current.close(),
  'frames-of-peers': (c) => links.framesOfPeers(c.socket, c.count, c.deadlineMs),
  closed: (c) => links.closeOf(c.socket, c.deadlineMs),
};

const answer = (message) => process.stdout.write(JSON.stringify(message) + '\n');

createInterface({input: process.stdin, crlfDelay: Infinity})
  .on('line', async (line) => {
    const command = JSON.parse(line);
    try {
      const action = commands[command.do];
      if (!action) {
        throw new Error(`no such command: ${command.do}`);
      }
      answer({id: command.id, result: (await action(command)) ?? null});
    } catch (error) {
      answer({id: command.id, error: String(error?.message ?? error)});
    }
  })
  .on('close', () => process.exit(0));
