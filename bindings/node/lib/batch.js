'use strict';
const { constants: c, load, get64, viewOf } = require('./library');
const { atEnd, notAtEnd, environment } = require('./ending');
const { refused, taken } = require('./errors');
const { describe } = require('./record');

/** Frees what nobody refers to any more. */
const forgotten = new FinalizationRegistry(free);

function free(handle) {
  const library = load();
  const { addresses } = library;
  notAtEnd(environment, addresses.batch_free, handle);
  library.batch_free(handle);
}

/** A batch to be filled by hand, from Producer.createBatch(), and sent by Producer.sendBatch(). */
class Batch {
  constructor(driver) {
    driver.checkOpen();
    const { library, handle: producer } = driver;
    const { batch_free: address } = library.addresses;
    const handle = new BigUint64Array(1);
    const error = Buffer.alloc(8);
    const code = library.create_batch(producer, handle, error);
    if (code === 0) atEnd(environment, address, handle[0]);
    else throw taken(error, code);
    this._library = library;
    this._handle = handle[0];
    this._appended = Buffer.alloc(48);
    forgotten.register(this, this._handle, this);
  }

  /** The record's place, timestamp and size; null when there is no room, which also closes the batch. */
  append(given) {
    const { record, kept } = describe(given);
    const code = this._library.batch_append(this._alive(), record, this._appended);
    kept.length = 0;
    if (code === c.BATCH_FULL) return null;
    if (code !== 0) throw refused(code);
    const view = viewOf(this._appended);
    return { timestamp: get64(view, 0), offset: get64(view, 8), size: get64(view, 16) };
  }

  close() {
    const code = this._library.batch_close(this._alive());
    if (code !== 0) throw refused(code);
  }

  /** Its bytes, 61 when it is empty. */
  get size() {
    return this._number(this._library.batch_size(this._alive()));
  }

  get recordCount() {
    return this._number(this._library.batch_record_count(this._alive()));
  }

  /** Gives its memory back before the garbage collector does. What the library has accepted is not touched. */
  free() {
    if (this.freed) return;
    forgotten.unregister(this);
    const handle = this._handle;
    this._handle = null;
    free(handle);
  }

  get freed() {
    return this._handle === null;
  }

  _alive() {
    if (this.freed) throw refused(c.INVALID_ARG, 'the batch was freed');
    return this._handle;
  }

  _number(result) {
    if (result < 0) throw refused(Number(result));
    return Number(result);
  }
}

module.exports = { Batch };
