'use strict';
// The C library: where it is found, and its functions as kprod.h has them. All pointers are `void *`: buffers of ours go
// in by their memory, handles as the addresses that the library gave.

const koffi = require('koffi');

const API_VERSION = 1;
// Before 1.0 another minor version may be incompatible.
const VERSION = [0, 1];

const constants = {
  KIND_RECORD: 1, KIND_BATCH: 2, KIND_OPERATION: 3, KIND_WRITABLE: 5,
  RETRIABLE: 1, ABORTABLE: 2, FATAL_FLAG: 4,
  INVALID_ARG: -101, INVALID_CONFIG: -103, CLOSED: -105, ILLEGAL_STATE: -108, TIMED_OUT: -109, QUEUE_FULL: -110, REPORT_QUEUE_FULL: -111,
  PURGED_QUEUED: -116, FATAL: -124, ABORTED: -132, BATCH_FULL: -133,
};

const FUNCTIONS = [
  'const char *kprod_err_name(int32_t)',
  'const char *kprod_err_str(int32_t)',
  'int32_t kprod_error_code(void *)',
  'const char *kprod_error_message(void *)',
  'int32_t kprod_error_is_retriable(void *)',
  'int32_t kprod_error_is_abortable(void *)',
  'int32_t kprod_error_is_fatal(void *)',
  'void kprod_error_free(void *)',
  'int32_t kprod_error_detail(void *, uint64_t, void *)',
  'int32_t kprod_fatal_error(void *, void *)',
  'void *kprod_config_new()',
  'int32_t kprod_config_set(void *, const char *, const char *, void *)',
  'int32_t kprod_config_get(void *, const char *, void *, void *)',
  'void kprod_config_free(void *)',
  'int32_t kprod_create(void *, uint32_t, void *, void *)',
  'int32_t kprod_destroy(void *)',
  'int32_t kprod_topic(void *, void *, int64_t, void *)',
  'int32_t kprod_wake_fd(void *, void *)',
  'int64_t kprod_poll(void *, void *, uint64_t, int32_t)',
  'int64_t kprod_send_packed(void *, void *, uint64_t, void *, uint64_t, void *)',
  'int32_t kprod_start_async(void *, uint64_t)',
  'int32_t kprod_partitions_for_async(void *, uint32_t, uint64_t)',
  'int32_t kprod_flush_async(void *, uint64_t)',
  'int32_t kprod_close_async(void *, uint64_t)',
  'int32_t kprod_create_batch(void *, void *, void *)',
  'int32_t kprod_batch_append(void *, void *, void *)',
  'int32_t kprod_batch_close(void *)',
  'int64_t kprod_batch_size(void *)',
  'int64_t kprod_batch_record_count(void *)',
  'int32_t kprod_send_batch_async(void *, void *, uint32_t, int32_t, uint64_t, uint64_t)',
  'void kprod_batch_free(void *)',
  'int32_t kprod_begin_transaction_async(void *, uint64_t)',
  'int32_t kprod_commit_transaction_async(void *, uint64_t)',
  'int32_t kprod_abort_transaction_async(void *, uint64_t)',
  'int32_t kprod_send_offsets_to_transaction_async(void *, void *, uint64_t, void *, uint64_t)',
];

let loaded;

/** The library that KPROD_LIBRARY names, else libkprod.so.0 as the system finds it. */
function load() {
  if (loaded) return loaded;
  const name = process.env.KPROD_LIBRARY || 'libkprod.so.0';
  let library, version, api;
  try {
    library = koffi.load(name);
    version = library.func('uint32_t kprod_version()')();
    api = library.func('uint32_t kprod_api_version()')();
  } catch (error) {
    throw new Error(
      `libkprod cannot be loaded: install it, or name its file in the environment's KPROD_LIBRARY (${error.message})`);
  }
  const found = [version >>> 24, (version >>> 16) & 0xff];
  if (found[0] !== VERSION[0] || found[1] !== VERSION[1] || api < API_VERSION) {
    throw new Error(`${name} is libkprod ${found.join('.')} with API version ${api}: this package needs ` +
      `${VERSION.join('.')} with API version ${API_VERSION}`);
  }
  const functions = {};
  for (const prototype of FUNCTIONS) functions[/kprod_(\w+)\(/.exec(prototype)[1]] = library.func(prototype);
  functions.addresses = { destroy: library.symbol('kprod_destroy'), batch_free: library.symbol('kprod_batch_free') };
  loaded = functions;
  return loaded;
}

const address = (buffer) => Number(koffi.address(buffer));
const text = (pointer) => koffi.decode(pointer, 'char', -1);

/** Writes a whole number, also a negative one, as 64 bits. */
function put64(view, at, value) {
  view.setUint32(at, value >>> 0, true);
  view.setInt32(at + 4, Math.floor(value / 4294967296), true);
}

/** Reads 64 bits, signed. Times, offsets and tags are far below 2^53. */
const get64 = (view, at) => view.getInt32(at + 4, true) * 4294967296 + view.getUint32(at, true);

const viewOf = (buffer) => new DataView(buffer.buffer, buffer.byteOffset, buffer.byteLength);

module.exports = { API_VERSION, constants, load, address, text, put64, get64, viewOf };
