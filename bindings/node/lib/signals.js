'use strict';
// One listener for each AbortSignal, however many sends it can take back: of more than ten Node prints a warning.

/** By signals: what is to be done when they are aborted. */
const heeded = new WeakMap();

class Heed {
  constructor(signal) {
    this.stops = new Set();
    this.onAbort = () => {
      if (heeded.get(signal) === this) heeded.delete(signal);
      for (const stop of this.stops) stop();
    };
    signal.addEventListener('abort', this.onAbort, { once: true });
  }
}

/** Calls this when the signal is aborted, until it is disregarded. */
function heed(signal, stop) {
  let heeding = heeded.get(signal);
  if (heeding === undefined) {
    heeding = new Heed(signal);
    heeded.set(signal, heeding);
  }
  heeding.stops.add(stop);
}

function disregard(signal, stop) {
  const heeding = heeded.get(signal);
  if (heeding === undefined || !heeding.stops.delete(stop) || heeding.stops.size > 0) return;
  heeded.delete(signal);
  signal.removeEventListener('abort', heeding.onAbort);
}

module.exports = { heed, disregard };
