'use strict';
const { test } = require('node:test');
const assert = require('node:assert');
const { Producer } = require('..');
const { Driver } = require('../lib/driver');

test('the loop is not blocked while a million reports drain', async () => {
  const total = 1000000;
  // How long each slice of reports held the loop; what the program does with its promises comes after.
  const slices = [];
  const poll = Driver.prototype._poll;
  Driver.prototype._poll = function () {
    const before = process.hrtime.bigint();
    poll.call(this);
    slices.push(Number(process.hrtime.bigint() - before) / 1e6);
  };
  try {
    const producer = new Producer({ 'test.mock.num.brokers': 1, 'linger.ms': 5, 'buffer.memory': 67108864 });
    let settled = 0;
    const count = () => { settled++; };
    for (let sent = 0; sent < total; sent += 1000) {
      await producer.ready();
      for (let i = 0; i < 1000; i++) producer.send({ topic: 't', value: 'a record' }).then(count);
      await new Promise(setImmediate);
    }
    await producer.flush();
    await new Promise(setImmediate);
    assert.strictEqual(settled, total);
    await producer.close();
  } finally {
    Driver.prototype._poll = poll;
  }
  slices.sort((a, b) => a - b);
  // Beyond that are the scheduler's and the garbage collector's pauses, of which a busy machine has some.
  const most = slices[Math.floor(slices.length * 0.99)];
  assert.ok(most < 5, `a slice of reports took ${most} ms (longest ${slices.at(-1)} ms, ${slices.length} slices)`);
});
