'use strict';
// The end of the thread, however it comes: also by process.exit() and Worker.terminate(), after which no JavaScript runs.
// What the library has made is then freed by a C function that Node calls, in this thread and when it makes no other
// call. The main thread leaves all to the process's end.

const koffi = require('koffi');
const { isMainThread } = require('node:worker_threads');

function hooks() {
  if (isMainThread) return { atEnd: () => 0, notAtEnd: () => 0 };
  const node = koffi.load(null);
  return {
    atEnd: node.func('int napi_add_env_cleanup_hook(void *, void *, void *)'),
    notAtEnd: node.func('int napi_remove_env_cleanup_hook(void *, void *, void *)'),
  };
}

/**
 * Both take the environment, the address of a C function and that of the object, which the function gets. A thread may
 * be terminated wherever JavaScript enters a function of JavaScript: between one of these and the call that makes or
 * frees the object there must be none.
 */
module.exports = { environment: koffi.node.env, ...hooks() };
