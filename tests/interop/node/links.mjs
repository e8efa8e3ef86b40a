// The WebSockets of the host: plain ones, self-reconnecting ones, and raw ones that only record.
import ReconnectingWebSocket from 'reconnecting-websocket';
import {WebSocket} from 'ws';

const MAX_PAYLOAD_BYTES = 64 << 20;

// One WebSocket, or the succession of WebSockets behind one reconnecting object.
class Link {
  opened = 0;
  closes = []; // [code, reason] of each
  frames = []; // received texts, raw links only
  current; // the WebSocket of this moment
  api; // what a synchronizer gets: `current`, or the reconnecting object
  #admission = Promise.resolve();
  #admit = () => {};

  constructor(waits, {url, protocols, reconnecting, record}) {
    const link = this;
    class Observed extends WebSocket {
      constructor(address, offered) {
        super(address, offered, {maxPayload: MAX_PAYLOAD_BYTES, perMessageDeflate: false});
        link.current = this;
        this.on('open', () => {
          link.opened++;
          waits.poke();
        });
        this.on('close', (code, reason) => {
          link.closes.push([code, reason.toString()]);
          waits.poke();
        });
        this.on('error', () => waits.poke());
        if (record) {
          this.on('message', (data) => {
            link.frames.push(data.toString());
            waits.poke();
          });
        }
      }
    }
    this.reconnecting = reconnecting;
    this.api = reconnecting
      ? new ReconnectingWebSocket(() => this.#admission.then(() => url), protocols ?? [], {
          WebSocket: Observed,
          minReconnectionDelay: 50,
          maxReconnectionDelay: 250,
        })
      : new Observed(url, protocols ?? []);
  }

  get isClosed() {
    return !this.current || this.current.readyState === WebSocket.CLOSED;
  }

  // Cuts the connection without a closing handshake. A reconnecting link stays away until `resume`.
  cut() {
    this.#admission = new Promise((resolve) => (this.#admit = resolve));
    this.current.terminate();
  }

  resume() {
    this.#admit();
  }
}

export class Links {
  #links = new Map();
  #waits;

  constructor(waits) {
    this.#waits = waits;
  }

  get(name) {
    const link = this.#links.get(name);
    if (!link) {
      throw new Error(`no such socket: ${name}`);
    }
    return link;
  }

  // The link of that name, made now unless it exists and is alive (the channels of one socket share it).
  shared(name, options) {
    const known = this.#links.get(name);
    if (known && !known.isClosed) {
      return known;
    }
    const link = new Link(this.#waits, options);
    this.#links.set(name, link);
    return link;
  }

  async openRaw(name, url, protocols) {
    const link = new Link(this.#waits, {url, protocols, record: true});
    this.#links.set(name, link);
    await this.#waits.until(() => link.opened || link.closes.length, 10_000, () => `opening ${url}`);
    return {protocol: link.current.protocol, opened: link.opened > 0};
  }

  // The frames that other clients sent; the replica's own are left out, since when it speaks up is its own affair.
  async framesOfPeers(name, count, deadlineMs) {
    const link = this.get(name);
    const found = () => link.frames.filter((frame) => !frame.startsWith('S\n'));
    await this.#waits.until(() => found().length >= count, deadlineMs, () => JSON.stringify(link.frames));
    return found();
  }

  async closeOf(name, deadlineMs) {
    const link = this.get(name);
    await this.#waits.until(() => link.closes.length, deadlineMs, () => 'still open');
    return link.closes.at(-1);
  }
}
