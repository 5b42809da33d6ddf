'use strict';
const { constants: c, load } = require('./library');

const PERSISTED = ['no', 'possibly', 'yes'];

/** What the library refused or could not do. */
class KprodError extends Error {
  constructor(code, { message, flags = 0, persisted, cause } = {}) {
    super(message || load().err_str(code), cause && { cause });
    this.code = code;
    this.name = load().err_name(code);
    this.retriable = (flags & c.RETRIABLE) !== 0;
    this.abortable = (flags & c.ABORTABLE) !== 0;
    this.fatal = (flags & c.FATAL_FLAG) !== 0;
    // Of a record or batch: whether it may stand in the log all the same.
    if (persisted !== undefined) this.persisted = persisted;
  }
}

/** The flags of a code that a call returned, with no object or entry to tell more. */
function flagsOf(code) {
  if (code === c.FATAL) return c.FATAL_FLAG;
  return [c.TIMED_OUT, c.QUEUE_FULL, c.REPORT_QUEUE_FULL].includes(code) ? c.RETRIABLE : 0;
}

const refused = (code, message) => new KprodError(code, { message, flags: flagsOf(code) });

/** An argument of this name is no such thing: a TypeError or RangeError, with the library's code and name for it. */
function wrong(Type, what, wanted) {
  const error = new Type(`${what} must be ${wanted}`);
  return Object.assign(error, { code: c.INVALID_ARG, name: load().err_name(c.INVALID_ARG) });
}

/** The error object that a call left in `out`, freed, as an error. */
function taken(out, code) {
  const library = load();
  const object = out.readBigUInt64LE(0);
  if (object === 0n) return refused(code);
  const flags = (library.error_is_retriable(object) ? c.RETRIABLE : 0) |
    (library.error_is_abortable(object) ? c.ABORTABLE : 0) | (library.error_is_fatal(object) ? c.FATAL_FLAG : 0);
  const error = new KprodError(library.error_code(object), { message: library.error_message(object), flags });
  library.error_free(object);
  return error;
}

/** The error of an entry. */
function reported(code, flags, message, record) {
  return new KprodError(code, { message, flags, persisted: record ? PERSISTED[(flags >> 4) & 3] : undefined });
}

/** The error of a commit, of whose records one was refused. */
function incomplete(cause) {
  return new KprodError(cause instanceof KprodError ? cause.code : c.INVALID_ARG, {
    message: `a record of the transaction was refused, abort it: ${cause?.message ?? cause}`, flags: c.ABORTABLE, cause,
  });
}

module.exports = { KprodError, refused, wrong, taken, reported, incomplete };
