// What TinyBase's own persisters make of a store, as files: the material that people bring when they move in.
import {writeFileSync} from 'node:fs';
import {DatabaseSync} from 'node:sqlite';
import {createStore} from 'tinybase/store';
import {createDurableObjectSqlStoragePersister} from 'tinybase/persisters/persister-durable-object-sql-storage';
import {createDurableObjectStoragePersister} from 'tinybase/persisters/persister-durable-object-storage';
import {createFilePersister} from 'tinybase/persisters/persister-file';
import {UNDEFINED} from './wire.mjs';

// The storage of a Durable Object, as much of it as the persister uses.
class KeyValueStorage {
  map = new Map();

  async list({prefix = ''} = {}) {
    return new Map([...this.map].filter(([key]) => key.startsWith(prefix)));
  }

  async put(entries) {
    Object.entries(entries).forEach(([key, value]) => this.map.set(key, structuredClone(value)));
  }

  async transaction(actions) {
    return await actions(this);
  }
}

// The SQL storage of a Durable Object, on a SQLite file.
class SqlStorage {
  constructor(file) {
    this.database = new DatabaseSync(file);
  }

  exec(sql, ...parameters) {
    const statements = parameters.length ? [sql] : sql.split(';').filter((each) => each.trim());
    const rows = statements.flatMap((each) => this.database.prepare(each).all(...parameters));
    return {toArray: () => rows, [Symbol.iterator]: () => rows[Symbol.iterator]()};
  }
}

const marked = (_key, value) => (value === undefined ? UNDEFINED : value);

const fail = (error) => {
  throw error;
};

const kinds = {
  file: async (store, file) => {
    await createFilePersister(store, file, fail).save();
  },
  // The same of a store that is not mergeable.
  'plain-file': async (store, file) => {
    await createFilePersister(createStore().setContent(store.getContent()), file, fail).save();
  },
  // What its own code can print of any mergeable store, wherever it is kept.
  printed: async (store, file) => {
    writeFileSync(file, JSON.stringify(store.getMergeableContent(), marked));
  },
  kv: async (store, file, prefix) => {
    const storage = new KeyValueStorage();
    await createDurableObjectStoragePersister(store, storage, prefix, fail).save();
    writeFileSync(file, [...storage.map].map((entry) => JSON.stringify(entry, marked)).join('\n'));
  },
  'sql-json': async (store, file, name) => {
    const storage = new SqlStorage(file);
    await createDurableObjectSqlStoragePersister(store, storage, name || undefined, undefined, fail).save();
    storage.database.close();
  },
  'sql-fragmented': async (store, file, storagePrefix) => {
    const storage = new SqlStorage(file);
    const config = {mode: 'fragmented', storagePrefix};
    await createDurableObjectSqlStoragePersister(store, storage, config, undefined, fail).save();
    storage.database.close();
  },
};

export const persist = (store, kind, file, source) => kinds[kind](store, file, source);

// Loads a file of TinyBase's file persister; the content afterwards is for the caller to compare.
export const loadFile = async (store, file) => {
  await createFilePersister(store, file, fail).load();
};

// What a plain store holds after loading such a file.
export const plainContent = async (file) => {
  const store = createStore();
  await loadFile(store, file);
  return store.getContent();
};
