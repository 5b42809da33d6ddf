'use strict';
// The promises of what the library owes a report for, by the tags that the reports bring back.

class Owed {
  constructor({ first, none }) {
    this._first = first;
    this._none = none;
    // Tag 0 is nobody's. A tag is given again once its report is there: there is only one. Of each promise one function
    // is kept, which also rejects it: what is kept is what the garbage collector's pauses are for.
    this._resolve = [null];
    this._free = [];
    this.count = 0;
    this._mark = -1;
    this._fallen = () => {};
  }

  /** Calls this whenever fewer are owed than this, and were not before. */
  whenFewer(than, fallen) {
    this._mark = than - 1;
    this._fallen = fallen;
  }

  add(resolve) {
    const tag = this._free.length > 0 ? this._free.pop() : this._resolve.length;
    this._resolve[tag] = resolve;
    if (this.count++ === 0) this._first();
    return tag;
  }

  resolve(tag, value) {
    const resolve = this._resolve[tag];
    this.remove(tag);
    resolve(value);
  }

  reject(tag, error) {
    this.resolve(tag, Promise.reject(error));
  }

  has(tag) {
    return tag > 0 && tag < this._resolve.length && this._resolve[tag] !== null;
  }

  remove(tag) {
    this._resolve[tag] = null;
    this._free.push(tag);
    this.count--;
    if (this.count === this._mark) this._fallen();
    if (this.count === 0) this._none();
  }

  rejectAll(error) {
    for (let tag = 1; tag < this._resolve.length; tag++) {
      if (this._resolve[tag] !== null) this.reject(tag, error());
    }
  }
}

module.exports = { Owed };
