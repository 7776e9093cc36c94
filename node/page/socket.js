// The node's own WebSocket: calls, subscriptions that outlive a connection, and reconnecting.

const FIRST_WAIT_MS = 300;
const LONGEST_WAIT_MS = 10_000;

/** A refusal of the node, in its own words. */
class CallRefused extends Error {
  constructor(error) {
    const data = error.data ?? {};
    super(data.what ?? error.message);
    this.name = data.name ?? "refused";
    this.rule = data.rule ?? "";
    this.value = data.value ?? null;
    this.limit = data.limit ?? null;
  }

  /** One sentence for people: what, which value, which limit, which rule. */
  get sentence() {
    const parts = [this.message];
    if (this.value !== null && this.value !== "") parts.push(`value ${this.value}`);
    if (this.limit !== null && this.limit !== "") parts.push(`limit ${this.limit}`);
    return parts.join(", ") + (this.rule ? ` (${this.rule})` : "");
  }
}

/** The connection went away before the answer came. */
export class ConnectionLost extends Error {}

export class NodeSocket {
  /** `told(state)` hears "open" and "closed" whenever the connection changes. */
  constructor(url, told) {
    this.url = url;
    this.told = told;
    this.waits = FIRST_WAIT_MS;
    this.nextId = 1;
    this.pending = new Map();
    this.followed = [];
    this.listeners = new Map();
    this.connect();
  }

  connect() {
    this.socket = new WebSocket(this.url);
    this.socket.addEventListener("open", () => {
      this.waits = FIRST_WAIT_MS;
      this.listeners.clear();
      for (const one of this.followed) this.subscribe(one);
      this.told("open");
    });
    this.socket.addEventListener("message", (event) => this.receive(JSON.parse(event.data)));
    this.socket.addEventListener("close", () => {
      const lost = [...this.pending.values()];
      this.pending.clear();
      for (const { reject } of lost) reject(new ConnectionLost("the connection was lost"));
      this.told("closed");
      setTimeout(() => this.connect(), this.waits);
      this.waits = Math.min(2 * this.waits, LONGEST_WAIT_MS);
    });
  }

  /** What a method answers; throws `CallRefused` or `ConnectionLost`. */
  call(api, method, ...args) {
    if (this.socket.readyState !== WebSocket.OPEN) {
      return Promise.reject(new ConnectionLost("there is no connection"));
    }
    const id = this.nextId++;
    this.socket.send(JSON.stringify({ id, method: "call", params: [api, method, args] }));
    return new Promise((resolve, reject) => this.pending.set(id, { resolve, reject }));
  }

  /** Have a listener told of what a subscription tells, over every reconnection. */
  follow(api, method, listener) {
    const one = { api, method, listener };
    this.followed.push(one);
    if (this.socket.readyState === WebSocket.OPEN) this.subscribe(one);
  }

  subscribe({ api, method, listener }) {
    const callback = this.nextId++;
    this.listeners.set(callback, listener);
    // A chain that is none of development refuses some of them, and then tells nothing.
    this.call(api, method, callback).catch(() => this.listeners.delete(callback));
  }

  receive(message) {
    if (message.method === "notice") {
      const [callback, told] = message.params;
      this.listeners.get(callback)?.(told);
      return;
    }
    const waiting = this.pending.get(message.id);
    this.pending.delete(message.id);
    if (waiting === undefined) return;
    if (message.error) waiting.reject(new CallRefused(message.error));
    else waiting.resolve(message.result);
  }
}

/** Runs `work` one at a time: asked again meanwhile, it runs once more afterwards. */
export function oneAtATime(work) {
  let isBusy = false;
  let isAsked = false;
  return async function ask() {
    isAsked = true;
    if (isBusy) return;
    isBusy = true;
    try {
      while (isAsked) {
        isAsked = false;
        await work();
      }
    } finally {
      isBusy = false;
    }
  };
}
