'use strict';
const { constants: c } = require('./library');
const { incomplete, refused, wrong } = require('./errors');
const { describe } = require('./offsets');

/** Errors of an abort where there is nothing left to abort: the transaction has ended, or its commit goes on. */
const NOTHING_LEFT = [c.CLOSED, c.ILLEGAL_STATE];
const RECORD = 'record';
const BEGINNING = 'a transaction is being begun: what is sent in it is sent after beginTransaction() has resolved';

/** The producer's transactional calls. The library answers one at a time. */
class Transactions {
  constructor(driver, outgoing) {
    this._driver = driver;
    this._outgoing = outgoing;
    /** Offsets on their way, of which the program may not have awaited the promises. */
    this._sending = new Set();
    /** The same of batches. */
    this._offered = new Set();
    /**
     * While a transaction is open, from begin's answer to the call that ends it: why something sent in it was refused,
     * by what was. The library does not know of it, and would commit the rest. A batch that is accepted when it is sent
     * again is forgotten. Each transaction has its own: what is refused late is not the next one's.
     */
    this._refusals = null;
    /** Calls of begin without an answer. */
    this._begins = 0;
    this._running = 0;
    outgoing.onRefused = (error, refusals) => this.refused(error, RECORD, refusals);
  }

  /** Whether the rejection of `run` tells of what is sent now and fails. Of what is no part of it, it does not. */
  get tells() {
    return this._running > 0 && this._refusals !== null;
  }

  refused(error, what = RECORD, refusals = this._refusals) {
    if (refusals !== null && !refusals.has(what)) refusals.set(what, error);
  }

  /** A batch that is offered to the library: a promise of its acceptance. */
  async offer(batch, accepted) {
    const refusals = this._refusals;
    this._offered.add(accepted);
    try {
      await accepted;
      refusals?.delete(batch);
    } catch (error) {
      if (error?.code !== c.PURGED_QUEUED) this.refused(error, batch, refusals);
      throw error;
    } finally {
      this._offered.delete(accepted);
    }
  }

  async begin() {
    this._begins++;
    try {
      // What was sent before is no part of it.
      await this._outgoing.afterSends(() => this._driver.operation(this._driver.library.begin_transaction_async));
      this._enter(new Map());
    } finally {
      this._begins--;
    }
  }

  /** Before its answer begin is done or not: what is sent meanwhile would be in the transaction, or not, by chance. */
  checkSend() {
    if (this._begins === 0 || this._refusals !== null || !this._driver.transactional) return;
    throw refused(c.ILLEGAL_STATE, BEGINNING);
  }

  _enter(refusals) {
    this._refusals = refusals;
    this._outgoing.partOf(refusals);
  }

  async commit() {
    const pending = [...this._sending, ...this._offered];
    if (pending.length > 0) await Promise.allSettled(pending);
    await this._outgoing.afterSends(() => this._commitComplete());
  }

  async _commitComplete() {
    this._driver.checkOpen();
    const refusals = this._refusals;
    if (refusals?.size > 0) throw incomplete(refusals.values().next().value);
    // What is refused from here on is not the transaction's.
    this._enter(null);
    try {
      await this._driver.operation(this._driver.library.commit_transaction_async);
    } catch (error) {
      if (error.code !== c.TIMED_OUT || error.abortable) this._enter(this._refusals ?? refusals);
      throw error;
    }
  }

  async abort() {
    this._outgoing.fail(c.ABORTED);
    const refusals = this._refusals;
    this._enter(null);
    if (this._sending.size > 0) await Promise.allSettled(this._sending);
    try {
      await this._driver.operation(this._driver.library.abort_transaction_async);
    } catch (error) {
      if (error.code !== c.TIMED_OUT) this._enter(this._refusals ?? refusals);
      throw error;
    }
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
    if (typeof body !== 'function') throw wrong(TypeError, 'body', 'a function');
    this._running++;
    try {
      return await this._run(body, producer);
    } finally {
      this._running--;
    }
  }

  async _run(body, producer) {
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
