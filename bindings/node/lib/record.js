'use strict';
// What a message may be, and one record as the library's struct.

const { address, put64, viewOf } = require('./library');
const { wrong } = require('./errors');

const RECORD = 104;
const HEADER = 32;
const SHORT = 1024;

/** No fewer bytes than the content takes: exact for what is long. */
function room(content, what) {
  if (content === null || content === undefined) return 0;
  if (typeof content === 'string') return content.length <= SHORT ? content.length * 3 : Buffer.byteLength(content);
  if (content instanceof Uint8Array) return content.length;
  throw wrong(TypeError, what, 'a string, a Buffer or Uint8Array, or null');
}

function integer(value, most, what) {
  if (value === null || value === undefined) return -1;
  if (Number.isSafeInteger(value) && value >= 0 && value <= most) return value;
  throw wrong(typeof value === 'number' ? RangeError : TypeError, what, `a whole number from 0 to ${most}`);
}

const partitionOf = (value) => integer(value, 0x7fffffff, 'partition');

/** The AbortSignal of a send's options, also of another realm or package; null when there is none. */
function signalOf(options) {
  if (options === null || options === undefined) return null;
  if (typeof options !== 'object') throw wrong(TypeError, 'options', 'an object');
  const value = options.signal;
  if (value === null || value === undefined) return null;
  if (typeof value === 'object' && typeof value.aborted === 'boolean' && typeof value.addEventListener === 'function' &&
    typeof value.removeEventListener === 'function') return value;
  throw wrong(TypeError, 'signal', 'an AbortSignal');
}

const timestampOf = (value) => integer(value, Number.MAX_SAFE_INTEGER, 'timestamp');

/** Whether its own properties are what it holds: a Date or a Promise has none, and holds something all the same. */
const isPlain = (value) => Object.prototype.toString.call(value) === '[object Object]';

/** The headers' pairs, from an object or, where a key repeats, an array or Map of them; null when there are none. */
function pairsOf(headers) {
  if (headers === null || headers === undefined) return null;
  const iterable = typeof headers === 'object' && typeof headers[Symbol.iterator] === 'function';
  if (!iterable && !isPlain(headers)) throw wrong(TypeError, 'headers', 'an object, or pairs');
  const pairs = iterable ? [...headers] : Object.entries(headers);
  for (const pair of pairs) {
    if (!Array.isArray(pair) || pair.length !== 2 || pair[0] === null || pair[0] === undefined) {
      throw wrong(TypeError, 'a header', 'a pair of its key and its value');
    }
  }
  return pairs.length > 0 ? pairs : null;
}

/** A record's struct, and the memory that it points to. */
function describe(given) {
  if (!isPlain(given)) throw wrong(TypeError, 'record', 'an object');
  const { key, value, headers, timestamp } = given;
  const kept = [];
  const record = Buffer.alloc(RECORD);
  const put = (view, at, content, what) => {
    if (content === null || content === undefined) return put64(view, at + 8, -1);
    // An empty Buffer may have no address.
    const bytes = Buffer.alloc(room(content, what) + 1);
    const length = typeof content === 'string' ? bytes.write(content) : (bytes.set(content), content.length);
    kept.push(bytes);
    put64(view, at, address(bytes));
    return put64(view, at + 8, length);
  };
  const view = viewOf(record);
  put(view, 0, key, 'key');
  put(view, 16, value, 'value');
  const pairs = pairsOf(headers);
  if (pairs) {
    const structs = Buffer.alloc(pairs.length * HEADER);
    const headerView = viewOf(structs);
    pairs.forEach(([name, content], place) => {
      put(headerView, place * HEADER, name, "a header's key");
      put(headerView, place * HEADER + 16, content, 'a header');
    });
    kept.push(structs);
    put64(view, 32, address(structs));
    view.setUint32(40, pairs.length, true);
  }
  view.setInt32(44, -1, true);
  put64(view, 48, timestampOf(timestamp));
  return { record, kept };
}

module.exports = { room, partitionOf, timestampOf, signalOf, pairsOf, isPlain, describe };
