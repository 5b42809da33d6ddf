'use strict';
const { constants: c } = require('./library');
const { refused, wrong } = require('./errors');
const { Driver } = require('./driver');
const { Outgoing } = require('./outgoing');
const { Batch } = require('./batch');
const { pairsOf, partitionOf, timestampOf, signalOf } = require('./record');
const { heed, disregard } = require('./signals');
const { Transactions } = require('./transactions');

/** So few promises that the garbage collector needs no long pauses for them, and enough for most networks. */
const MARK = 4096;

/** Ends what nobody has closed, and nobody can any more, once nothing that it has sent is without an outcome. */
const forgotten = new FinalizationRegistry(({ driver, outgoing }) => driver.whenNone(() => end(driver, outgoing)));

/** Producers, by the promises of calls that go on also while the library owes them nothing. */
const held = new Map();

function end(driver, outgoing) {
  outgoing.fail(c.CLOSED);
  outgoing.release();
  driver.destroy();
}

/** A Kafka producer. Its promises are those of the library's reports: one for each record. */
class Producer {
  #driver;
  #outgoing;
  #transactions;
  #closing = null;

  /**
   * Properties by name, as docs/configuration.md lists them. Nothing is connected before the first need. ready() waits
   * while `highWaterMark` records have no outcome.
   */
  constructor(properties, options = {}) {
    if (options === null || typeof options !== 'object') throw wrong(TypeError, 'options', 'an object');
    const { highWaterMark = MARK } = options;
    if (!Number.isSafeInteger(highWaterMark) || highWaterMark < 1) {
      throw wrong(typeof highWaterMark === 'number' ? RangeError : TypeError, 'highWaterMark', 'a whole number from 1');
    }
    this.#driver = new Driver(properties);
    this.#outgoing = new Outgoing(this.#driver, highWaterMark);
    this.#transactions = new Transactions(this.#driver, this.#outgoing);
    // What the event loop holds, and what refers to it, does not hold this object.
    forgotten.register(this, { driver: this.#driver, outgoing: this.#outgoing }, this);
  }

  /** Waits until the cluster answers, and makes a transactional.id known to it. */
  start() {
    return this.#operation('start_async');
  }

  /** Sends a message; the promise tells where it is in the log. */
  send(message, options) {
    return this.#told(this.#send(message, options));
  }

  /** Resolves when more may be sent: what paces a sender that does not wait for outcomes. */
  ready() {
    if (this.#closing !== null) return Promise.reject(refused(c.CLOSED));
    return this.#outgoing.ready();
  }

  async partitionsFor(topic) {
    return this.#operation('partitions_for_async', this.#driver.topic(topic));
  }

  /** Waits until all that was sent before has an outcome. */
  async flush() {
    this.#checkOpen();
    await this.#outgoing.afterSends(() => this.#operation('flush_async'));
  }

  createBatch() {
    this.#checkOpen();
    return new Batch(this.#driver);
  }

  /**
   * Sends a batch to a partition, after those sent to it before. Refused, it may be sent again; taken back by the
   * signal, it may not.
   */
  sendBatch(batch, topic, partition, options) {
    return this.#told(this.#sendBatch(batch, topic, partition, options));
  }

  beginTransaction() {
    return this.#transactions.begin();
  }

  commitTransaction() {
    return this.#hold(this.#transactions.commit());
  }

  abortTransaction() {
    return this.#transactions.abort();
  }

  /** Makes a consumer group's offsets part of the transaction. */
  sendOffsetsToTransaction(offsets, group) {
    return this.#transactions.sendOffsets(offsets, group);
  }

  /**
   * Runs the function in a transaction: commits it, or aborts it when the function throws or a commit is refused. A
   * commit that ends with TIMED_OUT goes on: commitTransaction() has its result.
   */
  transaction(body) {
    return this.#hold(this.#transactions.run(body, this));
  }

  /** Waits for the outcomes of all that was sent, and ends the producer. Again gives the same promise. */
  close() {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async [Symbol.asyncDispose ?? Symbol.for('Symbol.asyncDispose')]() {
    await this.close();
  }

  async #close() {
    try {
      await this.#outgoing.afterSends(() => this.#operation('close_async'));
    } finally {
      forgotten.unregister(this);
      end(this.#driver, this.#outgoing);
    }
  }

  #send(message, options) {
    try {
      if (this.#closing !== null) throw refused(c.CLOSED);
      this.#transactions.checkSend();
      if (message === null || typeof message !== 'object') throw wrong(TypeError, 'message', 'an object');
      const { topic, key, value, headers, partition, timestamp } = message;
      return this.#outgoing.add(this.#driver.topic(topic), key, value, pairsOf(headers), partitionOf(partition),
        timestampOf(timestamp), signalOf(options));
    } catch (error) {
      this.#transactions.refused(error);
      return Promise.reject(error);
    }
  }

  async #sendBatch(batch, topic, partition, options) {
    this.#checkOpen();
    this.#transactions.checkSend();
    const { owed } = this.#driver;
    let tag;
    const outcome = new Promise((resolve) => { tag = owed.add(resolve); });
    outcome.catch(() => {});
    try {
      await this.#transactions.offer(batch, this.#offer(batch, topic, partition, tag, options));
    } catch (error) {
      if (owed.has(tag)) owed.remove(tag);
      const signal = options?.signal;
      throw error?.code === c.PURGED_QUEUED && signal?.aborted ? signal.reason : error;
    }
    return outcome;
  }

  /** Resolves when the library has accepted the batch. The signal frees it, and then it never will be. */
  async #offer(batch, topic, partition, tag, options) {
    if (!(batch instanceof Batch)) throw wrong(TypeError, 'batch', 'one of createBatch()');
    if (partitionOf(partition) < 0) throw wrong(TypeError, 'partition', 'a number');
    const handle = this.#driver.topic(topic);
    const signal = signalOf(options);
    batch._alive();
    if (signal?.aborted) {
      batch.free();
      throw refused(c.PURGED_QUEUED);
    }
    let revoke;
    const revoked = new Promise((_, reject) => { revoke = () => reject(refused(c.PURGED_QUEUED)); });
    const stop = () => {
      batch.free();
      revoke();
    };
    if (signal !== null) heed(signal, stop);
    const { library } = this.#driver;
    try {
      await Promise.race([revoked, this.#outgoing.afterSends(() => {
        // From here on the library's answer tells whether it was freed in time.
        revoke = () => {};
        return this.#driver.operation((producer, accepted) => (batch.freed ? c.PURGED_QUEUED :
          library.send_batch_async(producer, batch._alive(), handle, partition, tag, accepted)));
      })]);
    } finally {
      if (signal !== null) disregard(signal, stop);
    }
  }

  /** Where a transaction's own promise tells of a failure, nobody need listen to this one. */
  #told(promise) {
    if (this.#transactions.tells) promise.catch(() => {});
    return promise;
  }

  /** Until the promise is settled, the producer is not forgotten. */
  async #hold(promise) {
    held.set(promise, this);
    try {
      return await promise;
    } finally {
      held.delete(promise);
    }
  }

  #operation(name, ...args) {
    return this.#driver.operation(this.#driver.library[name], ...args);
  }

  #checkOpen() {
    if (this.#closing !== null) throw refused(c.CLOSED);
  }
}

module.exports = { Producer };
