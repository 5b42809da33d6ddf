'use strict';
// Records on their way into the library: gathered during a turn of the event loop, handed over in packs. What the
// library has no room for waits here, in order, up to max.block.ms.

const { constants: c } = require('./library');
const { refused } = require('./errors');
const { Pack } = require('./pack');
const { Turn } = require('./turn');

/** How long records are handed over in one go, in milliseconds, and how many in a call, which may have to wait. */
const SLICE = 0.5;
const PIECE = 256;
/** Refusals for time in one go. */
const LATE = 1024;
const SPARE = 4;
const NOW = Promise.resolve();

// What a promise's constructor gives out, without a closure for each promise.
let resolveLast;
const executor = (resolve) => { resolveLast = resolve; };

class Outgoing {
  /** From `most` records without an outcome on ready() waits, until a quarter less are. */
  constructor(driver, most) {
    this._most = most;
    this._fewer = Math.ceil(most * 0.75);
    this._driver = driver;
    this._owed = driver.owed;
    /** Those before the open one, from the oldest on. */
    this._packs = [];
    this._open = new Pack();
    this._part = null;
    this._spare = [];
    this._why = Buffer.alloc(4);
    this._scheduled = false;
    this._full = this._fullOfReports = false;
    this._ready = [];
    this._turn = new Turn();
    this._timer = null;
    this.handOver = this.handOver.bind(this);
    this._tick = this._tick.bind(this);
    /** Called with the error of each record that is refused after its promise was given out, and what it is part of. */
    this.onRefused = () => {};
    driver.owed.whenFewer(this._fewer, () => this._maybeReady());
    driver.reports.onWritable = () => this._resume();
    driver.reports.onPolled = () => {
      // Reports that were taken have left room for others.
      if (this._fullOfReports) this._resume();
    };
  }

  /** A record's promise. Until the library has taken the record, the signal takes it back. */
  add(topic, key, value, pairs, partition, timestamp, signal) {
    const size = Pack.size(key, value, pairs);
    if (signal !== null && signal.aborted) return Promise.reject(signal.reason);
    let pack = this._open;
    if (!pack.fits(size)) pack = this._next(size);
    const promise = new Promise(executor);
    const tag = this._owed.add(resolveLast);
    const { used } = pack;
    try {
      pack.write(key, value, pairs, partition, timestamp, topic, tag);
      if (signal !== null) pack.heed(signal, (reason) => this._owed.reject(tag, reason));
    } catch (error) {
      // What a signal or a content does is the program's.
      pack.used = used;
      this._owed.remove(tag);
      throw error;
    }
    pack.count++;
    if (this._full) this._wait(pack);
    else if (pack.filled) this.handOver();
    else if (!this._scheduled) {
      this._scheduled = true;
      process.nextTick(this._tick);
    }
    return promise;
  }

  /** Resolves when more may be sent: the library takes records, few are without an outcome, the loop had its turn. */
  ready() {
    if (this._full || this._owed.count >= this._most) return new Promise((resolve) => this._ready.push(resolve));
    return this._turn.spent ? this._turn.next() : NOW;
  }

  /** Calls this when the library has all that was sent before, and nothing of what is sent after. */
  after(start) {
    this.handOver();
    if (this._packs.length === 0 && this._open.count === 0) return start();
    if (this._open.count > 0) this._close();
    this._packs.at(-1).after.push(start);
    return undefined;
  }

  /** What is sent from here on is part of this. */
  partOf(part) {
    if (part === this._part) return;
    this._close();
    this._part = this._open.part = part;
  }

  /** What the function starts once the library has what was sent before. */
  afterSends(start) {
    return new Promise((resolve, reject) => this.after(() => start().then(resolve, reject)));
  }

  /** Refuses what the library has not got. */
  fail(code) {
    this._close();
    const packs = this._packs;
    this._packs = [];
    clearTimeout(this._timer);
    this._timer = null;
    for (const pack of packs) {
      for (let place = pack.from; place < pack.count; place++) this._refuse(pack, place, refused(code));
      this._gone(pack);
    }
  }

  /** The program ends: those that wait for readiness may see so. */
  release() {
    const ready = this._ready;
    this._ready = [];
    for (const resolve of ready) resolve();
  }

  handOver() {
    const until = performance.now() + SLICE;
    while (!this._full && this._driver.handle !== null) {
      const old = this._packs.length > 0;
      const pack = old ? this._packs[0] : this._open;
      if (pack.count === 0) return;
      if (!this._pass(pack, until)) break;
      if (old) this._packs.shift();
      this._gone(pack);
      if (this._packs.length > 0 && performance.now() > until) break;
    }
    if (this._driver.handle === null) return;
    if (this._full) this._watch();
    else this._later();
  }

  _tick() {
    this._scheduled = false;
    this.handOver();
  }

  _later() {
    if (this._scheduled) return;
    this._scheduled = true;
    setImmediate(this._tick);
  }

  /** Hands over what is left of the pack; false when the library has no more room, or the time is up. */
  _pass(pack, until) {
    const { library, handle } = this._driver;
    while (pack.from < pack.count) {
      const from = pack.from;
      const count = Math.min(pack.end() - from, PIECE);
      if (count === 0) {
        pack.settled(from + 1);
        continue;
      }
      const accepted = library.send_packed(handle, pack.bytes, pack.used, pack.left(), count, this._why);
      pack.settled(from + Math.max(accepted, 0));
      if (accepted === count) {
        if (pack.from < pack.count && performance.now() > until) return false;
        continue;
      }
      const code = accepted < 0 ? accepted : this._why.readInt32LE(0);
      if (code === c.QUEUE_FULL || code === c.REPORT_QUEUE_FULL) {
        this._full = true;
        this._fullOfReports = code === c.REPORT_QUEUE_FULL;
        return false;
      }
      this._refuse(pack, pack.from, this._driver.refusal(code));
    }
    return true;
  }

  _refuse(pack, place, error) {
    pack.settled(place + 1);
    if (pack.isDropped(place)) return;
    this.onRefused(error, pack.part);
    this._owed.reject(pack.tagOf(place), error);
  }

  /** Nothing of the pack is left. */
  _gone(pack) {
    const { after } = pack;
    if (pack.usual) pack.clear();
    if (pack === this._open) this._reopen(pack.usual ? pack : this._fresh());
    else if (pack.usual && this._spare.length < SPARE) this._spare.push(pack);
    for (const start of after) start();
  }

  /** Lets the open pack wait for its turn, if there is anything in it. */
  _close() {
    if (this._open.count === 0) return;
    this._packs.push(this._open);
    this._reopen(this._fresh());
  }

  _reopen(pack) {
    pack.part = this._part;
    this._open = pack;
  }

  _fresh() {
    return this._spare.pop() ?? new Pack();
  }

  /** A pack that this much fits into. */
  _next(size) {
    if (!this._full) this.handOver();
    if (this._open.fits(size)) return this._open;
    this._close();
    if (!this._open.fits(size)) this._reopen(new Pack(size));
    return this._open;
  }

  /** There is room again, or may be. */
  _resume() {
    this._full = this._fullOfReports = false;
    this.handOver();
    this._maybeReady();
  }

  _maybeReady() {
    if (this._ready.length > 0 && !this._full && this._owed.count < this._fewer) this.release();
  }

  /** The pack's last record has no room for now. */
  _wait(pack) {
    pack.since.push(Date.now());
    if (this._timer === null) this._watch();
  }

  /** For the first of those that wait. Times are counted from when the library was found full. */
  _watch() {
    const now = Date.now();
    for (const pack of [...this._packs, this._open]) {
      while (pack.since.length < pack.count) pack.since.push(now);
    }
    const first = this._packs[0] ?? this._open;
    if (this._timer !== null || first.from === first.count) return;
    const left = first.since[first.from] + this._driver.maxBlock - now;
    this._timer = setTimeout(() => this._timeIsUp(), Math.max(left, 1));
  }

  _timeIsUp() {
    this._timer = null;
    if (!this._full) return;
    const limit = Date.now() - this._driver.maxBlock;
    for (let refusals = 0; refusals < LATE; refusals++) {
      const pack = this._packs[0] ?? this._open;
      if (pack.from === pack.count || pack.since.length <= pack.from || pack.since[pack.from] > limit) break;
      this._refuse(pack, pack.from, refused(c.QUEUE_FULL));
      if (pack.from < pack.count) continue;
      if (pack !== this._open) this._packs.shift();
      this._gone(pack);
    }
    this._watch();
  }
}

module.exports = { Outgoing };
