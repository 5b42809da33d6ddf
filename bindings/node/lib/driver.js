'use strict';
// One producer of the library in the event loop: its handle, its wake-up pipe, and the promises of what it owes.

const net = require('net');
const { API_VERSION, constants: c, load, text, get64, viewOf } = require('./library');
const { refused, taken, reported } = require('./errors');

const ENTRY = 80;
/** Reports that are taken in one go; then the loop has its turn. It keeps a slice far below 5 ms. */
const SLICE = 512;

class Driver {
  constructor(properties) {
    this.library = load();
    this.handle = this._create(properties);
    this.topics = new Map();
    this._names = new Map();
    this._owed = new Map();
    this._nextTag = 1;
    this.onWritable = () => {};
    this.onPolled = () => {};
    this._reports = Buffer.alloc(SLICE * ENTRY);
    this._view = viewOf(this._reports);
    this._details = new Map();
    this._polling = false;
    this._poll = this._poll.bind(this);
    const fd = Buffer.alloc(4);
    const code = this.library.wake_fd(this.handle, fd);
    if (code !== 0) {
      this.library.destroy(this.handle);
      throw refused(code);
    }
    this._wake = new net.Socket({ fd: fd.readInt32LE(0), readable: true, writable: false });
    this._wake.on('data', () => this._schedule());
    this._wake.on('error', () => {});
    this._wake.unref();
  }

  _create(properties) {
    const out = Buffer.alloc(8);
    const error = Buffer.alloc(8);
    const config = this.library.config_new();
    try {
      for (const [key, value] of Object.entries(properties)) {
        const code = this.library.config_set(config, key, String(value), error);
        if (code !== 0) throw taken(error, code);
      }
      this.library.config_get(config, 'max.block.ms', out, error);
      this.maxBlock = Number(text(out.readBigUInt64LE(0)));
      const code = this.library.create(config, API_VERSION, out, error);
      if (code !== 0) throw taken(error, code);
      return out.readBigUInt64LE(0);
    } finally {
      this.library.config_free(config);
    }
  }

  topic(name) {
    let handle = this.topics.get(name);
    if (handle === undefined) {
      this.checkOpen();
      if (typeof name !== 'string') throw refused(c.INVALID_ARG, "a topic's name must be a string");
      const encoded = Buffer.from(name);
      const out = Buffer.alloc(4);
      const code = this.library.topic(this.handle, encoded, encoded.length, out);
      if (code !== 0) throw refused(code);
      handle = out.readUInt32LE(0);
      this.topics.set(name, handle);
      this._names.set(handle, name);
    }
    return handle;
  }

  checkOpen() {
    if (this.handle === null) throw refused(c.CLOSED);
  }

  /** The tag whose entry settles this. As long as anything is owed, the process stays. */
  owe(deferred) {
    if (this._owed.size === 0) this._wake.ref();
    const tag = this._nextTag++;
    this._owed.set(tag, deferred);
    return tag;
  }

  forget(tag) {
    this._owed.delete(tag);
    if (this._owed.size === 0) this._wake.unref();
  }

  /** Makes an _async call with a tag as its last argument; the promise gets the entry's count. */
  operation(call, ...args) {
    return new Promise((resolve, reject) => {
      this.checkOpen();
      const tag = this.owe({ resolve, reject });
      const code = call(this.handle, ...args, tag);
      if (code !== 0) {
        this.forget(tag);
        reject(this.refusal(code));
      }
    });
  }

  /** The error of a code; a producer that failed for good tells why. */
  refusal(code) {
    if (code !== c.FATAL) return refused(code);
    const out = Buffer.alloc(8);
    this.library.fatal_error(this.handle, out);
    return taken(out, code);
  }

  destroy() {
    if (this.handle === null) return;
    this._wake.destroy();
    this.library.destroy(this.handle);
    this.handle = null;
    for (const owed of this._owed.values()) owed.reject(refused(c.CLOSED));
    this._owed.clear();
  }

  _schedule() {
    if (this._polling) return;
    this._polling = true;
    setImmediate(this._poll);
  }

  _poll() {
    this._polling = false;
    if (this.handle === null) return;
    const count = this.library.poll(this.handle, this._reports, SLICE, 0);
    if (count < 0 && count !== c.CLOSED) {
      for (const owed of this._owed.values()) owed.reject(refused(count));
      this._owed.clear();
    }
    this._details.clear();
    for (let i = 0; i < count; i++) this._take(i * ENTRY);
    if (count > 0) this.onPolled();
    if (count === SLICE) this._schedule();
    else if (this._owed.size === 0) this._wake.unref();
  }

  _take(at) {
    const view = this._view;
    const kind = view.getUint32(at, true);
    if (kind === c.KIND_WRITABLE) this.onWritable();
    if (kind !== c.KIND_RECORD && kind !== c.KIND_BATCH && kind !== c.KIND_OPERATION) return;
    const tag = get64(view, at + 8);
    const owed = this._owed.get(tag);
    if (owed === undefined) return;
    this._owed.delete(tag);
    const error = view.getInt32(at + 4, true);
    if (error !== 0) {
      const flags = view.getUint32(at + 48, true);
      owed.reject(reported(error, flags, this._detail(at + 56), kind !== c.KIND_OPERATION));
    } else if (kind === c.KIND_OPERATION) {
      owed.resolve(view.getUint32(at + 44, true));
    } else {
      owed.resolve(this._metadata(at));
    }
  }

  _metadata(at) {
    const view = this._view;
    return {
      topic: this._names.get(view.getUint32(at + 16, true)),
      partition: view.getInt32(at + 20, true),
      offset: get64(view, at + 24),
      timestamp: get64(view, at + 32),
      timestampType: view.getInt32(at + 40, true),
      count: view.getUint32(at + 44, true),
      logStartOffset: get64(view, at + 64),
    };
  }

  /** What there is to tell of a failure. The records of a batch share it. */
  _detail(at) {
    const detail = get64(this._view, at);
    if (detail === 0) return undefined;
    if (!this._details.has(detail)) {
      const out = Buffer.alloc(8);
      const code = this.library.error_detail(this.handle, detail, out);
      this._details.set(detail, code === 0 ? taken(out, code).message : undefined);
    }
    return this._details.get(detail);
  }
}

module.exports = { Driver };
