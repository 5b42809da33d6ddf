'use strict';
// The event loop's turns, each from one check phase to the next: what the thread itself worked in it, which is neither
// the machine's other work nor a timer's interval, and whether V8's garbage collector was part of it.

const { PerformanceObserver, performance } = require('node:perf_hooks');
const koffi = require('koffi');

/** What clock_gettime calls the present thread's processor time. What /proc tells of it goes on in the scheduler's ticks. */
const CLOCK_THREAD_CPUTIME_ID = 3;
/** Shorter turns, in milliseconds, are not told of. */
const LONG = 0.5;

const clock = koffi.load(null).func('int clock_gettime(int, void *)');
const time = new BigInt64Array(2);
const words = new Int32Array(time.buffer);

/** In milliseconds. */
function worked() {
  clock(CLOCK_THREAD_CPUTIME_ID, time);
  return words[0] * 1e3 + words[2] / 1e6;
}

/** Watches all turns from now on; the loop does not rest meanwhile. Gives the function that ends it, and tells. */
function watchTurns() {
  const long = [];
  const collections = [];
  const observer = new PerformanceObserver((list) => collections.push(...list.getEntries()));
  observer.observe({ entryTypes: ['gc'] });
  let begin = performance.now();
  let before = worked();
  let watching = true;
  const turn = () => {
    const end = performance.now();
    const after = worked();
    const took = after - before;
    if (took > LONG) long.push({ begin, end, took });
    begin = end;
    before = after;
    if (watching) setImmediate(turn);
  };
  setImmediate(turn);

  /**
   * In milliseconds, from the longest on: the turns, those without a collection in them, and the collections, whose
   * times are the clock's: in part they wait for other threads of V8's, which the machine's other work delays.
   */
  return async () => {
    watching = false;
    // What was collected in a turn is told in its check phase.
    await new Promise(setImmediate);
    collections.push(...observer.takeRecords());
    observer.disconnect();
    const collected = ({ begin: from, end: to }) => collections.some(({ startTime, duration }) => (
      startTime < to && startTime + duration > from));
    const sorted = (times) => times.sort((a, b) => b - a);
    const times = (turns) => sorted(turns.map(({ took }) => took));
    return {
      long: times(long),
      uncollected: times(long.filter((one) => !collected(one))),
      collections: sorted(collections.map(({ duration }) => duration)),
    };
  };
}

module.exports = { watchTurns };
