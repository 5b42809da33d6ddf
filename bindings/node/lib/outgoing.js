'use strict';
// Records on their way into the library: gathered during a tick of the event loop, handed over in one call. What the
// library has no room for waits here, in order, up to max.block.ms.

const { constants: c } = require('./library');
const { refused } = require('./errors');
const { Pack } = require('./packing');

const TURN = 1024;
const ROOM = 1 << 20;

class Outgoing {
  constructor(driver) {
    this._driver = driver;
    this._queue = [];
    this._pack = new Pack(TURN, ROOM);
    this._why = Buffer.alloc(4);
    this._scheduled = false;
    this._full = this._fullOfReports = false;
    this._ready = [];
    this._emptied = [];
    this._timer = null;
    this._handOver = this.handOver.bind(this);
    driver.onWritable = () => this._open();
    driver.onPolled = () => this._fullOfReports && this._open();
  }

  get full() {
    return this._full;
  }

  /** A record's promise. Until it is handed over, the signal takes it back. */
  add(record, topic, signal) {
    return new Promise((resolve, reject) => {
      const item = { record, topic, resolve, reject, signal, dropped: false, onAbort: null, since: 0 };
      if (signal) {
        if (signal.aborted) return reject(signal.reason);
        item.onAbort = () => {
          item.dropped = true;
          reject(signal.reason);
        };
        signal.addEventListener('abort', item.onAbort, { once: true });
      }
      if (this._full) item.since = Date.now();
      this._queue.push(item);
      if (this._queue.length >= TURN && !this._full) this.handOver();
      else if (!this._scheduled && !this._full) {
        this._scheduled = true;
        process.nextTick(this._handOver);
      }
    });
  }

  /** Resolves when the library takes records. */
  ready() {
    return this._full ? new Promise((resolve) => this._ready.push(resolve)) : Promise.resolve();
  }

  /** Resolves when the library has all that was sent. */
  empty() {
    this.handOver();
    return this._queue.length === 0 ? Promise.resolve() : new Promise((resolve) => this._emptied.push(resolve));
  }

  /** Refuses what the library has not got. */
  fail(code) {
    const queue = this._queue;
    this._queue = [];
    for (const item of queue) {
      this._settled(item);
      if (!item.dropped) item.reject(refused(code));
    }
    this._release();
  }

  handOver() {
    this._scheduled = false;
    let from = 0;
    while (from < this._queue.length && !this._full && this._driver.handle !== null) from = this._once(from);
    if (from > 0) this._queue = this._queue.slice(from);
    if (this._full) this._wait();
    this._release();
  }

  /** Hands over a pack of the queue's records from this one on; gives the first that was not. */
  _once(from) {
    const pack = this._pack;
    const packed = [];
    pack.clear();
    let next = from;
    for (; next < this._queue.length; next++) {
      const item = this._queue[next];
      if (item.dropped) continue;
      const tag = this._driver._nextTag;
      if (!pack.add(item.record, item.topic, tag)) break;
      this._driver.owe(item);
      packed.push(next, tag);
    }
    if (pack.count === 0) return next;
    const accepted = this._driver.library.send_many(this._driver.handle, pack.records, pack.count, this._why);
    const code = accepted < 0 ? accepted : this._why.readInt32LE(0);
    const taken = Math.max(accepted, 0);
    for (let i = 0; i < taken; i++) this._settled(this._queue[packed[2 * i]]);
    for (let i = taken; i < pack.count; i++) this._driver.forget(packed[2 * i + 1]);
    if (taken === pack.count) return next;
    const place = packed[2 * taken];
    if (code === c.QUEUE_FULL || code === c.REPORT_QUEUE_FULL) {
      this._full = true;
      this._fullOfReports = code === c.REPORT_QUEUE_FULL;
      return place;
    }
    const item = this._queue[place];
    this._settled(item);
    item.reject(this._driver.refusal(code));
    return place + 1;
  }

  _settled(item) {
    item.record = null;
    if (item.onAbort) item.signal.removeEventListener('abort', item.onAbort);
    item.signal = item.onAbort = null;
  }

  _open() {
    this._full = this._fullOfReports = false;
    this.handOver();
    if (this._full) return;
    const ready = this._ready;
    this._ready = [];
    for (const resolve of ready) resolve();
  }

  _release() {
    if (this._queue.length > 0) return;
    clearTimeout(this._timer);
    this._timer = null;
    const emptied = this._emptied;
    this._emptied = [];
    for (const resolve of emptied) resolve();
  }

  /** For the first of those that wait. Times are counted from when the library was found full. */
  _wait() {
    const now = Date.now();
    for (let i = 0; i < this._queue.length && this._queue[i].since === 0; i++) this._queue[i].since = now;
    if (this._timer !== null || this._queue.length === 0) return;
    const left = this._queue[0].since + this._driver.maxBlock - now;
    this._timer = setTimeout(() => this._timeIsUp(), Math.max(left, 1));
  }

  _timeIsUp() {
    this._timer = null;
    const limit = Date.now() - this._driver.maxBlock;
    let late = 0;
    while (late < this._queue.length && this._queue[late].since !== 0 && this._queue[late].since <= limit) {
      const item = this._queue[late++];
      this._settled(item);
      if (!item.dropped) item.reject(refused(c.QUEUE_FULL));
    }
    this._queue = this._queue.slice(late);
    if (this._full) this._wait();
    this._release();
  }
}

module.exports = { Outgoing };
