'use strict';
// Takes reports off the library's queue and settles their promises, in slices between which the event loop has its turn.

const { constants: c, get64, viewOf } = require('./library');
const { refused, taken, reported } = require('./errors');

const ENTRY = 80;
const WORDS = ENTRY / 4;
/** Reports that are taken at once. What the program does upon them runs before the next ones are taken. */
const CHUNK = 64;
/** How long a slice goes on, in milliseconds, with what the program does upon it. A chunk is the most it takes longer. */
const SLICE = 0.5;
const HIGH = 4294967296;

class Reports {
  constructor(driver, owed) {
    this._driver = driver;
    this._owed = owed;
    this.onWritable = () => {};
    this.onPolled = () => {};
    this._entries = Buffer.from(new ArrayBuffer(CHUNK * ENTRY));
    this._signed = new Int32Array(this._entries.buffer);
    this._unsigned = new Uint32Array(this._entries.buffer);
    this._view = viewOf(this._entries);
    this._details = new Map();
    this._running = false;
    this._until = 0;
    this._slice = this._slice.bind(this);
    this._goOn = this._goOn.bind(this);
    // A tick from a microtask comes after all microtasks: after all that the program does upon a chunk of reports.
    this._afterwards = () => process.nextTick(this._goOn);
  }

  /** To be called when the wake-up pipe was read. */
  schedule() {
    if (this._running) return;
    this._running = true;
    setImmediate(this._slice);
  }

  _slice() {
    this._until = performance.now() + SLICE;
    this._chunk();
  }

  _chunk() {
    if (this._driver.handle === null) return;
    if (this._take() < CHUNK) this._running = false;
    else queueMicrotask(this._afterwards);
  }

  _goOn() {
    if (performance.now() < this._until) this._chunk();
    else setImmediate(this._slice);
  }

  _take() {
    const driver = this._driver;
    const count = driver.library.poll(driver.handle, this._entries, CHUNK, 0);
    if (count < 0 && count !== c.CLOSED) this._owed.rejectAll(() => refused(count));
    for (let at = 0; at < count * WORDS; at += WORDS) this._settle(at);
    this._details.clear();
    if (count !== 0) this.onPolled();
    return count;
  }

  _settle(at) {
    const kind = this._unsigned[at];
    if (kind === c.KIND_WRITABLE) this.onWritable();
    if (kind !== c.KIND_RECORD && kind !== c.KIND_BATCH && kind !== c.KIND_OPERATION) return;
    const tag = this._unsigned[at + 2];
    if (!this._owed.has(tag)) return;
    const error = this._signed[at + 1];
    if (error !== 0) {
      const flags = this._unsigned[at + 12];
      this._owed.reject(tag, reported(error, flags, this._detail(at + 14), kind !== c.KIND_OPERATION));
    } else if (kind === c.KIND_OPERATION) {
      // By a promise, as rejections are: what was told before an answer, as a flush's, is heard before it.
      this._owed.resolve(tag, Promise.resolve(this._unsigned[at + 11]));
    } else {
      this._owed.resolve(tag, this._metadata(at));
    }
  }

  _metadata(at) {
    const signed = this._signed;
    const unsigned = this._unsigned;
    return {
      topic: this._driver.nameOf(unsigned[at + 4]),
      partition: signed[at + 5],
      offset: signed[at + 7] * HIGH + unsigned[at + 6],
      timestamp: signed[at + 9] * HIGH + unsigned[at + 8],
      timestampType: signed[at + 10],
      count: unsigned[at + 11],
      logStartOffset: signed[at + 17] * HIGH + unsigned[at + 16],
    };
  }

  /** What there is to tell of a failure. The records of a batch share it. */
  _detail(at) {
    const detail = get64(this._view, at * 4);
    if (detail === 0) return undefined;
    if (!this._details.has(detail)) {
      const out = Buffer.alloc(8);
      const code = this._driver.library.error_detail(this._driver.handle, detail, out);
      this._details.set(detail, code === 0 ? taken(out, code).message : undefined);
    }
    return this._details.get(detail);
  }
}

module.exports = { Reports };
