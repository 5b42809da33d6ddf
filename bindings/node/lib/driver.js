'use strict';
// One producer of the library in the event loop: its handle, its topics, its wake-up pipe, and its asynchronous calls.

const net = require('net');
const { API_VERSION, constants: c, load, text } = require('./library');
const { atEnd, notAtEnd, environment } = require('./ending');
const { refused, wrong, taken } = require('./errors');
const { Owed } = require('./owed');
const { isPlain } = require('./record');
const { Reports } = require('./reports');

const REPORTS = 'kprod.delivery.reports';
const REPORTS_HELP = `${REPORTS} (also delivery.report.only.error) must be left at all: the reports settle the promises ` +
  'of what is sent';

/** Properties by name as the library takes them: as text. */
function textsOf(properties) {
  if (!isPlain(properties)) throw wrong(TypeError, 'properties', 'an object');
  return Object.entries(properties).map(([key, value]) => {
    if (!['string', 'number', 'boolean'].includes(typeof value)) {
      throw wrong(TypeError, key, 'a string, a number or a boolean');
    }
    if (typeof value === 'number' && !Number.isFinite(value)) throw wrong(RangeError, key, 'a finite number');
    return [key, String(value)];
  });
}

class Driver {
  constructor(properties) {
    this.library = load();
    this.handle = this._create(properties);
    this._topics = new Map();
    this._names = new Map();
    const fd = Buffer.alloc(4);
    const code = this.library.wake_fd(this.handle, fd);
    if (code !== 0) {
      this._destroy();
      throw refused(code);
    }
    const wake = new net.Socket({ fd: fd.readInt32LE(0), readable: true, writable: false });
    // As long as anything is owed, the process stays.
    this.owed = new Owed({ first: () => wake.ref(), none: () => this._none() });
    this.reports = new Reports(this, this.owed);
    wake.on('data', () => this.reports.schedule());
    wake.on('error', () => {});
    wake.unref();
    this._wake = wake;
    this._end = null;
  }

  _create(properties) {
    const texts = textsOf(properties);
    const { library } = this;
    const { destroy } = library.addresses;
    const out = Buffer.alloc(8);
    const error = Buffer.alloc(8);
    const handle = new BigUint64Array(1);
    const config = library.config_new();
    try {
      for (const [key, given] of texts) {
        // The library's strings end there.
        if (`${key}${given}`.includes('\0')) throw refused(c.INVALID_CONFIG, `${key}: a NUL in it or its value`);
        const code = library.config_set(config, key, given, error);
        if (code !== 0) throw taken(error, code);
      }
      const pointerOf = (key) => {
        library.config_get(config, key, out, error);
        return out.readBigUInt64LE(0);
      };
      const valueOf = (key) => text(pointerOf(key));
      this.maxBlock = Number(valueOf('max.block.ms'));
      this.transactional = pointerOf('transactional.id') !== 0n;
      if (valueOf(REPORTS) !== 'all') throw refused(c.INVALID_CONFIG, REPORTS_HELP);
      const code = library.create(config, API_VERSION, handle, error);
      if (code === 0) atEnd(environment, destroy, handle[0]);
      else throw taken(error, code);
      return handle[0];
    } finally {
      library.config_free(config);
    }
  }

  topic(name) {
    let handle = this._topics.get(name);
    if (handle === undefined) {
      this.checkOpen();
      if (typeof name !== 'string') throw wrong(TypeError, 'topic', 'a string');
      const encoded = Buffer.from(name);
      const out = Buffer.alloc(4);
      const code = this.library.topic(this.handle, encoded, encoded.length, out);
      if (code !== 0) throw refused(code);
      handle = out.readUInt32LE(0);
      this._topics.set(name, handle);
      this._names.set(handle, name);
    }
    return handle;
  }

  nameOf(topic) {
    return this._names.get(topic);
  }

  checkOpen() {
    if (this.handle === null) throw refused(c.CLOSED);
  }

  /** Makes an _async call with a tag as its last argument; the promise gets the entry's count. */
  operation(call, ...args) {
    return new Promise((resolve, reject) => {
      this.checkOpen();
      const tag = this.owed.add(resolve);
      try {
        const code = call(this.handle, ...args, tag);
        if (code !== 0) this.owed.reject(tag, this.refusal(code));
      } catch (error) {
        this.owed.reject(tag, error);
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

  /** Calls this when nothing is owed, nor asked for by what waited for the last outcome. */
  whenNone(end) {
    this._end = end;
    this._maybeEnd();
  }

  _none() {
    this._wake.unref();
    if (this._end !== null) this._maybeEnd();
  }

  _maybeEnd() {
    setImmediate(() => {
      if (this.owed.count === 0) this._end();
    });
  }

  destroy() {
    if (this.handle === null) return;
    this._wake.destroy();
    this._destroy();
    this.owed.rejectAll(() => refused(c.CLOSED));
  }

  _destroy() {
    const { handle, library } = this;
    const { addresses } = library;
    this.handle = null;
    notAtEnd(environment, addresses.destroy, handle);
    library.destroy(handle);
  }
}

module.exports = { Driver };
