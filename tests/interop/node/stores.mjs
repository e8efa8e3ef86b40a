// MergeableStores of any installed TinyBase version, each with at most one WebSocket synchronizer at a time.
import {createCustomPersister} from 'tinybase/persisters';
import {withUndefined} from './wire.mjs';

const PACKAGES = {
  '5.4.9': 'tinybase-5',
  '6.7.5': 'tinybase-6',
  '7.3.5': 'tinybase-7',
  '8.5.0': 'tinybase-8',
  '9.2.0': 'tinybase-9',
  '10.0.1': 'tinybase',
};
const MERGEABLE_STORE_ONLY = 2; // of TinyBase's Persists
const ASK_AGAIN_MS = 50;

const canonical = (thing) =>
  JSON.stringify(thing, (_key, value) =>
    value && typeof value === 'object' && !Array.isArray(value)
      ? Object.fromEntries(Object.keys(value).sort().map((key) => [key, value[key]]))
      : value,
  );

export class Stores {
  #clients = new Map();
  #links;
  #waits;
  #questions = 0;

  constructor(links, waits) {
    this.#links = links;
    this.#waits = waits;
  }

  get(name) {
    const client = this.#clients.get(name);
    if (!client) {
      throw new Error(`no such store: ${name}`);
    }
    return client;
  }

  linkOf(name) {
    return this.get(name).link;
  }

  async create(name, version, storeId) {
    const packageName = PACKAGES[version];
    const [{createMergeableStore}, {createWsSynchronizer}] = await Promise.all([
      import(`${packageName}/mergeable-store`),
      import(`${packageName}/synchronizers/synchronizer-ws-client`),
    ]);
    const store = createMergeableStore(storeId);
    store.addDidFinishTransactionListener(() => this.#waits.poke());
    this.#clients.set(name, {store, createWsSynchronizer, errors: []});
  }

  // Every text that the cell of that name has ever had in a table, in the store's own eyes.
  watch(name, tableId, cellId) {
    const client = this.get(name);
    client.seen = [];
    client.store.addCellListener(tableId, null, cellId, (_store, _tableId, _rowId, _cellId, cell) => client.seen.push(cell));
  }

  // Socket and synchronizer are made in the same tick, as applications do: no early frame is missed.
  async join(name, options) {
    const client = this.get(name);
    await this.leave(name);
    const {channel, requestTimeoutSeconds = 1, fragmentSize} = options;
    client.channel = channel;
    client.link = this.#links.shared(options.socket, options);
    client.synchronizer = await client.createWsSynchronizer(
      client.store,
      client.link.api,
      ...(channel === undefined ? [] : [channel]),
      requestTimeoutSeconds,
      undefined,
      undefined,
      (error) => client.errors.push(String(error?.message ?? error)),
      ...(fragmentSize === undefined ? [] : [fragmentSize]),
    );
    const {synchronizer} = client;
    await synchronizer.startSync();
    if (options.reconnecting) {
      // What TinyBase's own application template does with a self-reconnecting socket.
      client.link.api.addEventListener('open', () => {
        synchronizer.load().then(() => synchronizer.save());
      });
    }
  }

  async leave(name) {
    const client = this.get(name);
    const {synchronizer, link} = client;
    if (!synchronizer) {
      return;
    }
    client.synchronizer = undefined;
    await synchronizer.destroy();
    const shared = [...this.#clients.values()].some((other) => other.synchronizer && other.link === link);
    if (!shared) {
      await this.#waits.until(() => link.isClosed, 10_000, () => 'socket still open after leaving');
    }
  }

  async cut(name, {keepSynchronizer}) {
    const client = this.get(name);
    client.link.cut();
    await this.#waits.until(() => client.link.isClosed, 10_000, () => 'socket still open after the cut');
    if (!keepSynchronizer) {
      await this.leave(name);
    }
  }

  resume(name) {
    this.linkOf(name).resume();
  }

  call(name, method, args) {
    const {store} = this.get(name);
    const result = store[method](...args);
    return result === store ? null : result;
  }

  transaction(name, calls) {
    const {store} = this.get(name);
    store.transaction(() => calls.forEach(([method, ...args]) => store[method](...args)));
  }

  // Loads changes in their wire form, as if they were persisted. (`applyMergeableChanges` is no way in: given JSON cells
  // as objects, as its contract has it, TinyBase 10.0.1 hashes them differently than everybody else.)
  async merge(name, changes) {
    const {store, errors} = this.get(name);
    const nothing = async () => {};
    const onError = (error) => errors.push(String(error));
    await createCustomPersister(
      store,
      async () => withUndefined(changes),
      nothing,
      nothing,
      nothing,
      onError,
      MERGEABLE_STORE_ONLY,
    ).load();
  }

  // Says the content hashes to everybody. A merge from outside that changes stamps but nothing visible (a tombstone of an
  // unseen cell, a newer clock on an equal value) is not sent by TinyBase itself; after this, peers come and ask.
  async announce(name) {
    await this.get(name).synchronizer.save();
  }

  hasContent(name, content) {
    return canonical(this.get(name).store.getContent()) === canonical(content);
  }

  hasTables(name, tables) {
    return canonical(this.get(name).store.getTables()) === canonical(tables);
  }

  hasHashes(name, hashes) {
    return canonical(this.get(name).store.getMergeableContentHashes()) === canonical(hashes);
  }

  areEqual(names) {
    const found = names.map((name) => this.get(name).store);
    const same = (read) => new Set(found.map((store) => canonical(read(store)))).size === 1;
    return same((store) => store.getMergeableContentHashes()) && same((store) => store.getContent());
  }

  report(names) {
    return names
      .map((name) => {
        const {store, errors, link} = this.get(name);
        const content = canonical(store.getContent());
        const shown = content.length > 600 ? `${content.slice(0, 600)}... (${content.length})` : content;
        const hashes = store.getMergeableContentHashes();
        return `\n  ${name}: hashes ${hashes}, ${shown}, errors ${errors}, closes ${JSON.stringify(link?.closes)}, opened ${link?.opened}`;
      })
      .join('');
  }

  // Asks the server replica, on this client's own socket and so behind all it has sent, until its hashes are this
  // client's. Where answers wait for the commit, the answer is proof that everything so far is durable.
  async receipt(name, deadlineMs) {
    const client = this.get(name);
    const {store, link, channel} = client;
    const envelope = channel === undefined ? '' : `M\n${channel}\n`;
    const socket = link.current;
    let expected;
    let answered = false;
    const ask = () => {
      expected = `${envelope}S\n["receipt-${++this.#questions}",0,`;
      socket.send(`${envelope}S\n["receipt-${this.#questions}",1,""]`);
    };
    const listen = (data) => {
      const text = data.toString();
      if (text.startsWith(expected)) {
        const hashes = JSON.parse(text.slice(text.indexOf('[')))[2];
        answered = canonical(hashes) === canonical(store.getMergeableContentHashes());
        if (answered) {
          this.#waits.poke();
        } else {
          setTimeout(ask, ASK_AGAIN_MS);
        }
      }
    };
    socket.on('message', listen);
    try {
      ask();
      await this.#waits.until(() => answered, deadlineMs, () => `no receipt${this.report([name])}`);
    } finally {
      socket.off('message', listen);
    }
  }
}
