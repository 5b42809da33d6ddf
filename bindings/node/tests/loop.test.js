'use strict';
// The event loop has its turn while records go out and reports come in.

const { test, mock } = require('node:test');
const assert = require('node:assert');
const { Producer } = require('..');
const { watchTurns } = require('./support/turns');

test('a million reports drain in turns of less than 5 ms, the garbage collector aside', async () => {
  const total = 1000000;
  // So many may have no outcome that only the slices' ends keep the turns short.
  const properties = { 'test.mock.num.brokers': 1, 'linger.ms': 5, 'buffer.memory': 67108864 };
  const producer = new Producer(properties, { highWaterMark: 65536 });
  const watched = watchTurns();
  let settled = 0;
  const count = () => { settled++; };
  for (let sent = 0; sent < total; sent++) {
    await producer.ready();
    producer.send({ topic: 't', value: 'a record' }).then(count);
  }
  await producer.flush();
  await new Promise(setImmediate);
  assert.strictEqual(settled, total);
  const { uncollected } = await watched();
  await producer.close();
  // A virtual machine's clock may go on while it has no processor, and so lengthen a few.
  assert.ok(uncollected.length < 10 || uncollected[9] < 5, `turns took ${uncollected.slice(0, 12)} ms`);
});

test('reports of which each costs the program time end the slice', async () => {
  const producer = new Producer({ 'test.mock.num.brokers': 1, 'linger.ms': 200 });
  let now = 0;
  const clock = mock.method(performance, 'now', () => now);
  try {
    let turn = 0;
    const most = new Map();
    const outcomes = [];
    for (let i = 0; i < 2000; i++) {
      outcomes.push(producer.send({ topic: 't', value: 'x', partition: 0 }).then(() => {
        now += 0.1;
        most.set(turn, (most.get(turn) ?? 0) + 1);
      }));
    }
    let done = false;
    const all = Promise.all(outcomes).then(() => { done = true; });
    while (!done) {
      await new Promise(setImmediate);
      turn++;
    }
    await all;
    // Half a millisecond is five reports: the chunk that is begun by then is ended, and no other begun.
    assert.ok(Math.max(...most.values()) <= 64, `${Math.max(...most.values())} reports in one turn`);
  } finally {
    clock.mock.restore();
    await producer.close();
  }
});

test('a sender that waits for readiness lets the loop have its turn', async () => {
  const producer = new Producer({ 'test.mock.num.brokers': 1 });
  let now = 1;
  const clock = mock.method(performance, 'now', () => now);
  try {
    let turns = 0;
    const beat = () => {
      turns++;
      if (turns < 50) setImmediate(beat);
    };
    setImmediate(beat);
    for (let i = 0; i < 1000; i++) {
      await producer.ready();
      producer.send({ topic: 't', value: 'x' });
      now += 0.1;
    }
    assert.ok(turns >= 50, `the loop had ${turns} turns while a hundred milliseconds went by`);
  } finally {
    clock.mock.restore();
    await producer.close();
  }
});

test('records whose hand-over takes time leave the loop its turn', async () => {
  const producer = new Producer({ 'test.mock.num.brokers': 1 });
  let now = 0;
  const clock = mock.method(performance, 'now', () => { now += 2; return now; });
  try {
    const stop = new AbortController();
    const sent = Array.from({ length: 999 }, () => producer.send({ topic: 't', value: 'x', partition: 0 }));
    const last = producer.send({ topic: 't', value: 'x', partition: 0 }, { signal: stop.signal });
    // Behind the hand-over, in the same turn: the library has the first, and not yet the last.
    await new Promise((resolve) => process.nextTick(resolve));
    stop.abort();
    await assert.rejects(last, { name: 'AbortError' });
    assert.deepStrictEqual((await Promise.all(sent)).map(({ offset }) => offset), sent.map((_, i) => i));
  } finally {
    clock.mock.restore();
    await producer.close();
  }
});

test('readiness waits for outcomes of too many records', async () => {
  const producer = new Producer({ 'test.mock.num.brokers': 1, 'linger.ms': 60000 }, { highWaterMark: 100 });
  for (let i = 0; i < 100; i++) {
    await producer.ready();
    producer.send({ topic: 't', value: 'x' });
  }
  let ready = false;
  const readiness = producer.ready().then(() => { ready = true; });
  await new Promise((resolve) => setImmediate(resolve));
  assert.strictEqual(ready, false);
  await producer.flush();
  await readiness;
  await producer.close();
  assert.throws(() => new Producer({}, { highWaterMark: 0 }), { name: 'INVALID_ARG' });
});

test('readiness waits for outcomes of 4096 records, unless told otherwise', async () => {
  const producer = new Producer({ 'test.mock.num.brokers': 1, 'linger.ms': 60000, 'batch.size': 1 << 20 });
  await producer.partitionsFor('t');
  let most = 0;
  const sender = (async () => {
    for (; most < 5000; most++) {
      await producer.ready();
      producer.send({ topic: 't', value: 'x', partition: 0 });
    }
  })();
  // Readiness that waits for no more than the loop comes in the next turn.
  for (let before = -1; before !== most;) {
    before = most;
    await new Promise(setImmediate);
    await new Promise(setImmediate);
  }
  assert.strictEqual(most, 4096);
  await producer.flush();
  await sender;
  await producer.close();
});

test('readiness comes when records are refused or taken back', async () => {
  const properties = { 'test.mock.num.brokers': 1, 'transactional.id': 'id' };
  const producer = new Producer(properties, { highWaterMark: 10 });
  const fill = (signal) => {
    for (let i = 0; i < 10; i++) producer.send({ topic: 't', value: 'x', partition: 0 }, { signal }).catch(() => {});
    return producer.ready();
  };
  // No transaction was begun.
  await fill();
  await producer.beginTransaction();
  const stop = new AbortController();
  const takenBack = fill(stop.signal);
  stop.abort();
  await takenBack;
  const aborted = fill();
  await producer.abortTransaction();
  await aborted;
  await producer.close();
});
