'use strict';
const { constants: c } = require('./library');
const { refused } = require('./errors');
const { Driver } = require('./driver');
const { Outgoing } = require('./outgoing');
const { Batch } = require('./batch');
const { pairsOf, partitionOf, timestampOf } = require('./record');
const { describe } = require('./offsets');

/** So few promises that the garbage collector needs no long pauses for them, and enough for most networks. */
const MARK = 16384;

/** A Kafka producer. Its promises are those of the library's reports: one for each record. */
class Producer {
  #driver;
  #outgoing;
  #closing = null;

  /**
   * Properties by name, as docs/configuration.md lists them. Nothing is connected before the first need. ready() waits
   * while `highWaterMark` records have no outcome.
   */
  constructor(properties, { highWaterMark = MARK } = {}) {
    if (!Number.isSafeInteger(highWaterMark) || highWaterMark < 1) {
      throw refused(c.INVALID_ARG, 'highWaterMark must be a whole number from 1');
    }
    this.#driver = new Driver(properties);
    this.#outgoing = new Outgoing(this.#driver, highWaterMark);
  }

  /** Waits until the cluster answers, and makes a transactional.id known to it. */
  start() {
    return this.#operation('start_async');
  }

  /** Sends a message; the promise tells where it is in the log. */
  send(message, options) {
    try {
      if (this.#closing !== null) throw refused(c.CLOSED);
      if (message === null || typeof message !== 'object') throw refused(c.INVALID_ARG, 'a message must be an object');
      const { topic, key, value, headers, partition, timestamp } = message;
      return this.#outgoing.add(this.#driver.topic(topic), key, value, pairsOf(headers), partitionOf(partition),
        timestampOf(timestamp), options?.signal);
    } catch (error) {
      return Promise.reject(error);
    }
  }

  /** Resolves when more may be sent: what paces a sender that does not wait for outcomes. */
  ready() {
    return this.#outgoing.ready();
  }

  async partitionsFor(topic) {
    return this.#operation('partitions_for_async', this.#driver.topic(topic));
  }

  /** Waits until all that was sent before has an outcome. */
  async flush() {
    this.#checkOpen();
    await this.#afterSends(() => this.#operation('flush_async'));
  }

  createBatch() {
    this.#checkOpen();
    return new Batch(this.#driver);
  }

  /** Sends a batch to a partition, after those sent to it before. Refused, it may be sent again. */
  async sendBatch(batch, topic, partition) {
    this.#checkOpen();
    const { library, owed } = this.#driver;
    const handle = this.#driver.topic(topic);
    let tag;
    const outcome = new Promise((resolve, reject) => { tag = owed.add(resolve, reject); });
    outcome.catch(() => {});
    try {
      await this.#afterSends(() => this.#driver.operation((producer, accepted) => library.send_batch_async(
        producer, batch._alive(), handle, partition, tag, accepted)));
    } catch (error) {
      if (owed.has(tag)) owed.remove(tag);
      throw error;
    }
    return outcome;
  }

  async beginTransaction() {
    await this.#operation('begin_transaction_async');
  }

  async commitTransaction() {
    await this.#afterSends(() => this.#operation('commit_transaction_async'));
  }

  async abortTransaction() {
    this.#outgoing.fail(c.ABORTED);
    await this.#operation('abort_transaction_async');
  }

  /** Makes a consumer group's offsets part of the transaction. */
  async sendOffsetsToTransaction(offsets, group) {
    const { records, count, member, kept } = describe(offsets, group);
    const sent = this.#operation('send_offsets_to_transaction_async', records, count, member);
    kept.length = 0;
    await sent;
  }

  /** Runs the function in a transaction: commits it, or aborts it when the function throws or a commit is refused. */
  async transaction(body) {
    await this.beginTransaction();
    try {
      const result = await body(this);
      await this.commitTransaction();
      return result;
    } catch (error) {
      // A commit that has only taken its time goes on and cannot be aborted; after a fatal error nothing can.
      if (error.code !== c.TIMED_OUT && !error.fatal) await this.abortTransaction();
      throw error;
    }
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
      await this.#afterSends(() => this.#operation('close_async'));
    } finally {
      this.#outgoing.fail(c.CLOSED);
      this.#outgoing.release();
      this.#driver.destroy();
    }
  }

  /** What the function starts once the library has what was sent before. */
  #afterSends(start) {
    return new Promise((resolve, reject) => this.#outgoing.after(() => start().then(resolve, reject)));
  }

  #operation(name, ...args) {
    return this.#driver.operation(this.#driver.library[name], ...args);
  }

  #checkOpen() {
    if (this.#closing !== null) throw refused(c.CLOSED);
  }
}

module.exports = { Producer };
