'use strict';
const { constants: c } = require('./library');
const { describe } = require('./offsets');

/** Errors of an abort where there is nothing left to abort: the transaction has ended, or its commit goes on. */
const NOTHING_LEFT = [c.CLOSED, c.ILLEGAL_STATE];

/** The producer's transactional calls. The library answers one at a time. */
class Transactions {
  constructor(driver, outgoing) {
    this._driver = driver;
    this._outgoing = outgoing;
    /** Offsets on their way, of which the program may not have awaited the promises. */
    this._sending = new Set();
  }

  async begin() {
    await this._driver.operation(this._driver.library.begin_transaction_async);
  }

  async commit() {
    if (this._sending.size > 0) await Promise.allSettled(this._sending);
    await this._outgoing.afterSends(() => this._driver.operation(this._driver.library.commit_transaction_async));
  }

  async abort() {
    this._outgoing.fail(c.ABORTED);
    if (this._sending.size > 0) await Promise.allSettled(this._sending);
    await this._driver.operation(this._driver.library.abort_transaction_async);
  }

  async sendOffsets(offsets, group) {
    const { records, count, member, kept } = describe(offsets, group);
    const sent = this._driver.operation(this._driver.library.send_offsets_to_transaction_async, records, count, member);
    kept.length = 0;
    this._sending.add(sent);
    try {
      await sent;
    } finally {
      this._sending.delete(sent);
    }
  }

  /** Commits what the body does, or aborts it, whatever the body throws. */
  async run(body, producer) {
    await this.begin();
    let result;
    try {
      result = await body(producer);
    } catch (thrown) {
      await this._undo(thrown);
      throw thrown;
    }
    try {
      await this.commit();
    } catch (error) {
      // A commit that has only taken its time goes on, and cannot be aborted.
      if (error.code !== c.TIMED_OUT || error.abortable) await this._undo(error);
      throw error;
    }
    return result;
  }

  /** Tells of its own failure only where the transaction stays open: elsewhere what led here says more. */
  async _undo(cause) {
    try {
      await this.abort();
    } catch (error) {
      if (error.fatal || NOTHING_LEFT.includes(error.code)) return;
      error.cause = cause;
      throw error;
    }
  }
}

module.exports = { Transactions };
