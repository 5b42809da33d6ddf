'use strict';
// Records as kprod_send_packed takes them: their bytes in one flat buffer, and a descriptor of 48 bytes for each.

const { viewOf } = require('./library');
const { room } = require('./record');
const { heed, disregard } = require('./signals');

const CAPACITY = 1024;
const ROOM = 256 << 10;
const DESCRIPTOR = 48;
const WORDS = DESCRIPTOR / 4;
const NULL = -1;
/** Up to this length a loop is faster than a call into the engine's native code. */
const LOOP = 32;

class Pack {
  constructor(size = ROOM) {
    const memory = new ArrayBuffer(CAPACITY * DESCRIPTOR);
    this.records = Buffer.from(memory);
    this._words = new Int32Array(memory);
    this.bytes = Buffer.allocUnsafeSlow(Math.max(size, ROOM));
    this._view = null;
    /** What all its records are part of. */
    this.part = null;
    this.clear();
  }

  clear() {
    this.count = 0;
    /** The first record that the library has neither taken nor refused. */
    this.from = 0;
    this.used = 0;
    /** Since when records wait for room, by their places. */
    this.since = [];
    /** What is to happen when nothing of it is left. */
    this.after = [];
    this._dropped = null;
    this._signals = null;
  }

  get filled() {
    return this.count === CAPACITY;
  }

  /** Whether it is of the usual size, and so worth keeping for later records. */
  get usual() {
    return this.bytes.length === ROOM;
  }

  fits(size) {
    return this.count < CAPACITY && this.used + size <= this.bytes.length;
  }

  /** The bytes that these need at most; throws for what is no key, value or header. */
  static size(key, value, pairs) {
    let size = room(key, 'key') + room(value, 'value');
    if (pairs !== null) {
      for (const [name, content] of pairs) size += 8 + room(name, "a header's key") + room(content, 'a header');
    }
    return size;
  }

  /** Writes the next record, which fits; the content is copied. It is in the pack once `count` has it. */
  write(key, value, pairs, partition, timestamp, topic, tag) {
    const words = this._words;
    const at = this.count * WORDS;
    words[at] = tag;
    words[at + 1] = 0;
    words[at + 2] = timestamp;
    words[at + 3] = Math.floor(timestamp / 4294967296);
    words[at + 4] = topic;
    words[at + 5] = partition;
    words[at + 6] = this.used;
    words[at + 7] = this._put(key);
    words[at + 8] = this._put(value);
    const begin = this.used;
    if (pairs !== null) this._headers(pairs);
    words[at + 9] = this.used - begin;
    words[at + 10] = pairs === null ? 0 : pairs.length;
    words[at + 11] = 0;
  }

  tagOf(place) {
    return this._words[place * WORDS];
  }

  /** The descriptors from the first that is left on. */
  left() {
    return this.from === 0 ? this.records : this.records.subarray(this.from * DESCRIPTOR);
  }

  /** Up to where the records that are left are to be sent without a gap. */
  end() {
    if (this._dropped === null) return this.count;
    let end = this.from;
    while (end < this.count && !this._dropped.has(end)) end++;
    return end;
  }

  /** Lets the signal take the next record back until it is settled; `dropped` is told. */
  heed(signal, dropped) {
    const place = this.count;
    const onAbort = () => {
      this._dropped ??= new Set();
      this._dropped.add(place);
      dropped(signal.reason);
    };
    heed(signal, onAbort);
    this._signals ??= [];
    this._signals.push({ place, signal, onAbort });
  }

  isDropped(place) {
    return this._dropped !== null && this._dropped.has(place);
  }

  /** The records before this one have been taken or refused: their signals have no effect any more. */
  settled(to) {
    this.from = to;
    if (this._signals === null) return;
    let done = 0;
    for (; done < this._signals.length && this._signals[done].place < to; done++) {
      const { signal, onAbort } = this._signals[done];
      disregard(signal, onAbort);
    }
    this._signals.splice(0, done);
  }

  /** Appends the content's bytes; gives their number. */
  _put(content) {
    if (content === null || content === undefined) return NULL;
    const at = this.used;
    const length = typeof content === 'string' ? this._text(content, at) : content.length;
    if (typeof content !== 'string') this.bytes.set(content, at);
    this.used = at + length;
    return length;
  }

  _text(content, at) {
    const bytes = this.bytes;
    const length = content.length;
    if (length > LOOP) return bytes.write(content, at);
    for (let i = 0; i < length; i++) {
      const unit = content.charCodeAt(i);
      if (unit > 127) return bytes.write(content, at);
      bytes[at + i] = unit;
    }
    return length;
  }

  /** For each its key's length, key, value's length and value. */
  _headers(pairs) {
    this._view ??= viewOf(this.bytes);
    for (const [name, content] of pairs) {
      for (const part of [name, content]) {
        const at = this.used;
        this.used += 4;
        this._view.setInt32(at, this._put(part), true);
      }
    }
  }
}

module.exports = { Pack };
