'use strict';
// Records as the library's structs, their bytes beside them in one piece of memory that does not move.

const { address, put64, viewOf, constants: c } = require('./library');
const { refused } = require('./errors');

const RECORD = 104;
const HEADER = 32;

/** A private copy: the caller may change its buffer as soon as send() has returned. */
function bytes(value, what) {
  if (value === null || value === undefined) return null;
  if (typeof value === 'string') return Buffer.from(value);
  if (value instanceof Uint8Array) return Buffer.from(value);
  throw refused(c.INVALID_ARG, `${what} must be a string, a Buffer or Uint8Array, or null`);
}

function integer(value, unset, what) {
  if (value === null || value === undefined) return unset;
  if (!Number.isSafeInteger(value) || value < 0) throw refused(c.INVALID_ARG, `${what} must be a whole number from 0`);
  return value;
}

/** What of a message the library takes; headers are an object or, where a key repeats, an array of pairs. */
function prepare(message) {
  if (message === null || typeof message !== 'object') throw refused(c.INVALID_ARG, 'a message must be an object');
  const key = bytes(message.key, 'key');
  const value = bytes(message.value, 'value');
  let size = (key ? key.length : 0) + (value ? value.length : 0);
  let headers = null;
  if (message.headers) {
    const pairs = Array.isArray(message.headers) ? message.headers : Object.entries(message.headers);
    headers = pairs.map(([name, content]) => [bytes(name, "a header's key") || Buffer.alloc(0), bytes(content, 'a header')]);
    for (const [name, content] of headers) size += HEADER + name.length + (content ? content.length : 0);
    size += 8;
  }
  const partition = integer(message.partition, -1, 'partition');
  if (partition > 0x7fffffff) throw refused(c.INVALID_ARG, 'partition is too large');
  return { key, value, headers, size, partition, timestamp: integer(message.timestamp, -1, 'timestamp') };
}

class Pack {
  constructor(records, room) {
    this.capacity = records;
    this.records = Buffer.alloc(records * RECORD);
    this._view = viewOf(this.records);
    this._reserve(room);
    this.clear();
  }

  clear() {
    this.count = 0;
    this._used = 0;
  }

  /** False: there is no more room, hand over first. A record larger than the memory gets larger memory. */
  add(record, topic, tag) {
    if (this.count === this.capacity) return false;
    if (this._used + record.size > this._bytes.length) {
      if (this.count > 0) return false;
      this._reserve(record.size);
    }
    const view = this._view;
    const at = this.count * RECORD;
    this._put(view, at, record.key);
    this._put(view, at + 16, record.value);
    this._headers(view, at + 32, record.headers);
    view.setInt32(at + 44, record.partition, true);
    put64(view, at + 48, record.timestamp);
    put64(view, at + 56, tag);
    view.setUint32(at + 64, topic, true);
    this.count++;
    return true;
  }

  _reserve(size) {
    this._bytes = Buffer.alloc(size);
    this._bytesView = viewOf(this._bytes);
    this._base = address(this._bytes);
  }

  _put(view, at, content) {
    if (content === null) {
      put64(view, at + 8, -1);
      return;
    }
    put64(view, at, this._base + this._used);
    put64(view, at + 8, content.length);
    this._bytes.set(content, this._used);
    this._used += content.length;
  }

  _headers(view, at, headers) {
    view.setUint32(at + 8, headers ? headers.length : 0, true);
    if (!headers) return;
    this._used = (this._used + 7) & ~7;
    let place = this._used;
    put64(view, at, this._base + place);
    this._used += headers.length * HEADER;
    for (const [name, content] of headers) {
      this._put(this._bytesView, place, name);
      this._put(this._bytesView, place + 16, content);
      place += HEADER;
    }
  }
}

module.exports = { Pack, prepare };
