'use strict';
// How long the program has been sending in the present turn of the event loop.

/** In milliseconds: after that the loop is to have its turn, for I/O and for reports. */
const LIMIT = 0.5;

class Turn {
  constructor() {
    this._begun = 0;
    this._next = null;
    this._end = () => {
      this._begun = 0;
      this._next = null;
    };
  }

  get spent() {
    const now = performance.now();
    if (this._begun === 0) {
      this._begun = now;
      setImmediate(this._end);
    }
    return now - this._begun > LIMIT;
  }

  /** Resolves in the next turn. */
  next() {
    this._next ??= new Promise((resolve) => setImmediate(resolve));
    return this._next;
  }
}

module.exports = { Turn };
