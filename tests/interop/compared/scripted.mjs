// A Durable Object that does what it is told: the twin of scripted.py, verb by verb.
// POST /objects/NAMESPACE/NAME runs the steps of its body in one event and answers with what each
// gave; a WebSocket there takes steps too. What a step raises is its result: {refused: true}.
import {DurableObject} from 'cloudflare:workers';

const REFUSED = {refused: true};
const MISSING = '(missing)';
const starts = new Map();

const pairs = (map) => [...map.entries()];
const told = (value) => (value === undefined ? MISSING : value);
const many = (count) => Array.from({length: count}, (_, i) => `k${String(i).padStart(3, '0')}`);
const tested = (action) => {
  try {
    action();
    return 'accepted';
  } catch {
    return 'refused';
  }
};

const verbs = {
  // -- ids
  unique_ids: (o) => String(o.env.scripted.newUniqueId()) === String(o.env.scripted.newUniqueId()),
  id_of: (o, ns, name) => String(o.env[ns].idFromName(name)),
  id_again: (o, ns, text) => String(o.env[ns].idFromString(text)),
  id_names: (o, ns, name) => [
    told(o.env[ns].idFromName(name).name),
    told(o.env[ns].newUniqueId().name),
    told(o.env[ns].idFromString(String(o.env[ns].idFromName(name))).name),
  ],
  ids_equal: (o, ns, name) => {
    const id = o.env[ns].idFromName(name);
    return id.equals(o.env[ns].idFromString(String(id)));
  },
  stub_names: (o, ns, name) => {
    const stub = o.env[ns].getByName(name);
    const other = o.env[ns].get(o.env[ns].idFromName(name));
    return [stub.id.equals(other.id), stub.name, other.name];
  },
  own_name: (o) => told(o.ctx.id.name),

  // -- storage
  get: async (o, key) => told(await o.ctx.storage.get(key)),
  get_many: async (o, keys) => pairs(await o.ctx.storage.get(keys)),
  get_count: async (o, count) => (await o.ctx.storage.get(many(count))).size,
  put: (o, key, value) => void o.ctx.storage.put(key, value),
  put_many: (o, entries) => void o.ctx.storage.put(entries),
  put_count: async (o, count) => {
    await o.ctx.storage.put(Object.fromEntries(many(count).map((key) => [key, 1])));
  },
  put_sized: async (o, key, size) => void (await o.ctx.storage.put(key, 'x'.repeat(size))),
  put_key_sized: async (o, size) => void (await o.ctx.storage.put('k'.repeat(size), 1)),
  put_one_too_large: async (o, size) => {
    await o.ctx.storage.put({small: 1, large: 'x'.repeat(size)});
  },
  put_then_change: async (o, key) => {
    const value = {list: [1]};
    o.ctx.storage.put(key, value);
    value.list.push(2);
    return o.ctx.storage.get(key);
  },
  put_and_get: async (o, key, value) => {
    const before = o.ctx.storage.get(key);
    o.ctx.storage.put(key, value);
    return [told(await before), await o.ctx.storage.get(key)];
  },
  kinds: async (o) => {
    const when = new Date(86_400_000);
    const bytes = new Uint8Array([0, 1, 255]);
    await o.ctx.storage.put({when, bytes, set: new Set([1, 2]), nothing: null, half: 0.5});
    const got = await o.ctx.storage.get(['when', 'bytes', 'set', 'nothing', 'half']);
    return [
      got.get('when').getTime() === when.getTime(),
      [...got.get('bytes')],
      [...got.get('set')].sort(),
      got.get('nothing'),
      got.get('half'),
    ];
  },
  delete: (o, key) => o.ctx.storage.delete(key),
  delete_many: (o, keys) => o.ctx.storage.delete(keys),
  delete_count: (o, count) => o.ctx.storage.delete(many(count)),
  delete_all: async (o) => void (await o.ctx.storage.deleteAll()),
  list: async (o, options) => {
    const {start_after: startAfter, ...rest} = options;
    const all = startAfter === undefined ? rest : {...rest, startAfter};
    return pairs(await o.ctx.storage.list(all));
  },
  sync: async (o) => void (await o.ctx.storage.sync()),
  transaction: async (o, steps, end) => {
    let results;
    try {
      const value = await o.ctx.storage.transaction(async (txn) => {
        results = await o.play(steps, txn);
        if (end === 'rollback') {
          txn.rollback();
        } else if (end === 'raise') {
          throw new Error('as told');
        }
        return 'value';
      });
      return [results, value];
    } catch {
      return [results, 'raised'];
    }
  },
  read_modify_write: async (o, key) => {
    const value = (await o.ctx.storage.get(key)) ?? 0;
    await o.ctx.storage.put(key, value + 1);
  },

  // -- alarms
  set_alarm: async (o, ms) => void (await o.ctx.storage.setAlarm(Date.now() + ms)),
  set_alarm_at: async (o, ms) => void (await o.ctx.storage.setAlarm(ms)),
  alarm_is: async (o, ms) => (await o.ctx.storage.getAlarm()) === ms,
  alarm_set: async (o) => (await o.ctx.storage.getAlarm()) !== null,
  delete_alarm: async (o) => void (await o.ctx.storage.deleteAlarm()),

  // -- memory and events
  mark: (o, word) => void o.words.push(word),
  words: (o) => o.words,
  pause: (_o, ms) => scheduler.wait(ms),
  wait: (o) => new Promise((resolve) => (o.goOn = resolve)),
  go_on: (o) => o.goOn(),
  block: (o, steps, end) =>
    o.ctx.blockConcurrencyWhile(async () => {
      const results = await o.play(steps);
      if (end === 'raise') {
        throw new Error('as told');
      }
      return results;
    }),
  block_and_catch: (o) =>
    o.ctx.blockConcurrencyWhile(async () => {
      try {
        throw new Error('as told');
      } catch {
        return 'caught';
      }
    }),
  raise: () => {
    throw new RangeError('as told');
  },
  abort: (o) => o.ctx.abort('as told'),
  start_count: (o) => starts.get(String(o.ctx.id)),

  // -- calls
  call: (o, ns, name, steps) => o.env[ns].getByName(name).run(steps),
  method: async (o, ns, name, method) => {
    try {
      return ['result', await o.env[ns].getByName(name)[method]()];
    } catch (error) {
      const known = error.message.includes('as told') ? 'as told' : '';
      return ['error', known, error.remote === true];
    }
  },
  call_in_order: async (o, ns, name, count) => {
    const stub = o.env[ns].getByName(name);
    const calls = [];
    for (let i = 0; i < count; i++) {
      calls.push(stub.run([['mark', i]]));
    }
    await Promise.all(calls);
    return (await stub.run([['words']]))[0];
  },
  call_with_copy: async (o, ns, name) => {
    const value = {list: [1]};
    const changed = await o.env[ns].getByName(name).change(value);
    return [value, changed];
  },

  // -- sockets
  sockets: (o, tag) => o.ctx.getWebSockets(tag ?? undefined).length,
  tags: (o) => o.ctx.getWebSockets().map((socket) => o.ctx.getTags(socket).sort()),
  attach: (o, value) => {
    o.ctx.getWebSockets().forEach((socket) => socket.serializeAttachment(value));
  },
  attachments: (o) => o.ctx.getWebSockets().map((socket) => socket.deserializeAttachment()),
  attach_then_change: (o) => {
    const [socket] = o.ctx.getWebSockets();
    const value = {list: [1]};
    socket.serializeAttachment(value);
    value.list.push(2);
    return socket.deserializeAttachment();
  },
  attach_sized: (o, size) => {
    const [socket] = o.ctx.getWebSockets();
    return tested(() => socket.serializeAttachment('x'.repeat(size)));
  },
  send: (o, tag, text) => {
    o.ctx.getWebSockets(tag ?? undefined).forEach((socket) => socket.send(text));
  },
  close: (o, code, reason) => {
    o.ctx.getWebSockets().forEach((socket) => socket.close(code, reason));
  },
  try_close: (o, code, reason) => {
    const [socket] = o.ctx.getWebSockets();
    return tested(() => socket.close(code, reason));
  },
  send_after_close: (o) => {
    const [socket] = o.ctx.getWebSockets();
    socket.close(1000, 'done');
    return tested(() => socket.send('late'));
  },
  auto_response: (o, request, response) => {
    o.ctx.setWebSocketAutoResponse(new WebSocketRequestResponsePair(request, response));
  },
  auto_response_sized: (o, size) =>
    tested(() => verbs.auto_response(o, 'p', 'x'.repeat(size))),
  no_auto_response: (o) => void o.ctx.setWebSocketAutoResponse(),
  auto_response_is: (o) => {
    const pair = o.ctx.getWebSocketAutoResponse();
    return pair ? [pair.request, pair.response] : null;
  },
  auto_responded: (o) =>
    o.ctx.getWebSockets().map((s) => o.ctx.getWebSocketAutoResponseTimestamp(s) !== null),
};

export class Scripted extends DurableObject {
  constructor(ctx, env) {
    super(ctx, env);
    this.words = [];
    const id = String(ctx.id);
    starts.set(id, (starts.get(id) ?? 0) + 1);
    if (ctx.id.name?.startsWith('broken-at-first') && starts.get(id) === 1) {
      throw new Error('as told');
    }
  }

  async play(steps, storage) {
    const results = [];
    for (const [verb, ...args] of steps) {
      const self = storage === undefined ? this : this.within(storage);
      if (verb === 'raise' || verb === 'abort') {
        verbs[verb](self, ...args);
      }
      try {
        results.push((await verbs[verb](self, ...args)) ?? null);
      } catch {
        results.push(REFUSED);
      }
    }
    return results;
  }

  within(storage) {
    return {ctx: {storage, id: this.ctx.id}, env: this.env, words: this.words, play: (s, t) => this.play(s, t ?? storage)};
  }

  run(steps) {
    return this.play(steps);
  }

  change(value) {
    value.list.push(2);
    return value;
  }

  get() {
    return 'got';
  }

  boom() {
    throw new RangeError('as told');
  }

  _private() {
    return 'private';
  }

  async fetch(request) {
    if (request.headers.get('Upgrade') !== 'websocket') {
      return Response.json(await this.play((await request.json()).steps));
    }
    const {0: client, 1: server} = new WebSocketPair();
    const tags = new URL(request.url).searchParams.get('tags');
    this.ctx.acceptWebSocket(server, tags ? tags.split(',') : []);
    return new Response(null, {status: 101, webSocket: client});
  }

  async webSocketMessage(socket, message) {
    if (typeof message === 'string' && message.startsWith('{')) {
      socket.send(JSON.stringify(await this.play(JSON.parse(message).steps)));
    } else if (typeof message === 'string') {
      socket.send(`text ${message}`);
    } else {
      socket.send(message);
    }
  }

  async webSocketClose(socket, code, reason, clean) {
    const closes = (await this.ctx.storage.get('closes')) ?? [];
    closes.push([code, clean ? reason : '', clean]);
    await this.ctx.storage.put('closes', closes);
  }

  async alarm(info) {
    const runs = (await this.ctx.storage.get('runs')) ?? [];
    const standing = (await this.ctx.storage.getAlarm()) !== null;
    runs.push([info?.retryCount ?? 0, info?.isRetry ?? false, standing]);
    await this.ctx.storage.put('runs', runs);
    const times = (await this.ctx.storage.get('times')) ?? [];
    await this.ctx.storage.put('times', [...times, Date.now()]);
    const again = await this.ctx.storage.get('again');
    if (again) {
      await this.ctx.storage.delete('again');
      await this.ctx.storage.setAlarm(Date.now() + again);
    }
    if (runs.length <= ((await this.ctx.storage.get('failures')) ?? 0)) {
      await this.ctx.storage.sync();
      throw new Error('as told');
    }
  }
}

export class Other extends Scripted {}
export class Interleaved extends Scripted {}
export class Resting extends Scripted {}

export default {
  async fetch(request, env) {
    const [, , namespace, name] = new URL(request.url).pathname.split('/');
    if (namespace === undefined) {
      return new Response('ready');
    }
    try {
      return await env[namespace].getByName(name).fetch(request);
    } catch {
      return new Response('failed', {status: 500});
    }
  },
};
