// The Worker that workerd runs: one Durable Object a path, kept in SQL storage.
import {createMergeableStore} from 'tinybase/index.js';
import {createDurableObjectSqlStoragePersister} from 'tinybase/persisters/persister-durable-object-sql-storage/index.js';
import {
  WsServerDurableObject,
  getWsServerDurableObjectFetch,
} from 'tinybase/synchronizers/synchronizer-ws-server-durable-object/index.js';

export class Room extends WsServerDurableObject {
  createPersister() {
    return createDurableObjectSqlStoragePersister(
      createMergeableStore(),
      this.ctx.storage.sql,
      {mode: 'fragmented'},
    );
  }
}

export default {fetch: getWsServerDurableObjectFetch('ROOMS')};
