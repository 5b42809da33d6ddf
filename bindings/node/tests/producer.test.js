'use strict';
const { test } = require('node:test');
const assert = require('node:assert');
const { spawnSync } = require('node:child_process');
const path = require('node:path');
const { Producer, KprodError } = require('..');

/** Runs the body with a producer on a mock cluster of its own. */
function withProducer(properties, body) {
  return async () => {
    const producer = new Producer({ 'test.mock.num.brokers': 1, ...properties });
    try {
      await body(producer);
    } finally {
      await producer.close();
    }
  };
}

test('send and wait', withProducer({}, async (producer) => {
  const sent = { topic: 'greetings', key: 'en', value: Buffer.from('hello'), headers: { a: '1', b: null }, partition: 0,
    timestamp: 1234 };
  const first = await producer.send(sent);
  assert.deepStrictEqual([first.topic, first.partition, first.offset, first.timestamp], ['greetings', 0, 0, 1234]);
  const second = await producer.send({ topic: 'greetings', value: null, partition: 0 });
  assert.strictEqual(second.offset, 1);
  assert.ok(await producer.partitionsFor('greetings') > 0);
}));

test('records of one partition keep their order', withProducer({}, async (producer) => {
  const sends = [];
  for (let i = 0; i < 5000; i++) sends.push(producer.send({ topic: 't', value: `record ${i}`, partition: 0 }));
  const offsets = (await Promise.all(sends)).map((metadata) => metadata.offset);
  assert.deepStrictEqual(offsets, offsets.map((_, i) => i));
}));

test('more than there is memory for waits and arrives', withProducer({ 'buffer.memory': 65536, 'batch.size': 16384 },
  async (producer) => {
    const sends = [];
    for (let i = 0; i < 20000; i++) {
      sends.push(producer.send({ topic: 't', value: Buffer.alloc(100), partition: 0 }));
      if (i % 1000 === 0) await producer.ready();
    }
    assert.strictEqual((await Promise.all(sends)).length, 20000);
  }));

test('more than there is room for reports waits and arrives', withProducer({ 'kprod.delivery.queue.max': 1 },
  async (producer) => {
    const sends = [];
    for (let i = 0; i < 3000; i++) sends.push(producer.send({ topic: 't', value: 'x', partition: 0 }));
    const offsets = (await Promise.all(sends)).map((metadata) => metadata.offset);
    assert.deepStrictEqual(offsets, offsets.map((_, i) => i));
  }));

test('a record that is too large is refused', withProducer({}, async (producer) => {
  await assert.rejects(producer.send({ topic: 't', value: Buffer.alloc(3 << 20) }), { name: 'RECORD_TOO_LARGE' });
  assert.strictEqual((await producer.send({ topic: 't', value: Buffer.alloc(900000), partition: 0 })).offset, 0);
}));

test('flush waits for all outcomes', withProducer({ 'linger.ms': 60000 }, async (producer) => {
  let settled = 0;
  for (let i = 0; i < 100; i++) producer.send({ topic: 't', value: 'x' }).then(() => settled++);
  await producer.flush();
  await new Promise(setImmediate);
  assert.strictEqual(settled, 100);
}));

test('a signal before acceptance means never sent', withProducer({}, async (producer) => {
  const stop = new AbortController();
  const kept = producer.send({ topic: 't', value: 'kept', partition: 0 });
  const dropped = producer.send({ topic: 't', value: 'dropped', partition: 0 }, { signal: stop.signal });
  stop.abort();
  await assert.rejects(dropped, { name: 'AbortError' });
  assert.strictEqual((await kept).offset, 0);
  assert.strictEqual((await producer.send({ topic: 't', value: 'next', partition: 0 })).offset, 1);
}));

test('a signal after acceptance has no effect', withProducer({}, async (producer) => {
  const stop = new AbortController();
  const sent = producer.send({ topic: 't', value: 'x', partition: 0 }, { signal: stop.signal });
  await producer.partitionsFor('t');
  stop.abort();
  assert.strictEqual((await sent).offset, 0);
}));

test('errors have a code, a name and flags', async () => {
  assert.throws(() => new Producer({ 'batch.sise': 1 }), (error) => error instanceof KprodError &&
    error.name === 'UNKNOWN_CONFIG' && error.code === -102 && !error.retriable && /batch\.size/.test(error.message));
  const producer = new Producer({ 'test.mock.num.brokers': 1 });
  await assert.rejects(producer.send({ topic: 't', value: 5 }), { name: 'INVALID_ARG' });
  await producer.partitionsFor('t');
  await assert.rejects(producer.send({ topic: 't', value: 'x', partition: 5000 }), { name: 'UNKNOWN_PARTITION' });
  await assert.rejects(producer.commitTransaction(), { name: 'ILLEGAL_STATE' });
  await producer.close();
  await assert.rejects(producer.send({ topic: 't', value: 'x' }), { name: 'CLOSED' });
});

test('batches of ones own', withProducer({ 'batch.size': 1000 }, async (producer) => {
  const batch = producer.createBatch();
  assert.strictEqual(batch.size, 61);
  let count = 0;
  for (let taken; (taken = batch.append({ key: 'k', value: Buffer.alloc(100), timestamp: 7 })) !== null; count++) {
    assert.deepStrictEqual([taken.offset, taken.timestamp], [count, 7]);
  }
  assert.ok(count > 1);
  assert.strictEqual(batch.recordCount, count);
  const metadata = await producer.sendBatch(batch, 't', 0);
  assert.deepStrictEqual([metadata.topic, metadata.offset, metadata.count], ['t', 0, count]);
  await assert.rejects(producer.sendBatch(batch, 't', 0), { name: 'ILLEGAL_STATE' });
  batch.free();
}));

test('transactions commit, or abort when the body throws', withProducer({ 'transactional.id': 'id', 'max.block.ms': 10000 }, async (producer) => {
  const sent = await producer.transaction(async (transaction) => {
    const metadata = transaction.send({ topic: 't', value: 'x', partition: 0 });
    await transaction.sendOffsetsToTransaction([{ topic: 't', partition: 0, offset: 5 }], 'group');
    return metadata;
  });
  assert.strictEqual(sent.offset, 0);
  let dropped;
  await assert.rejects(producer.transaction(async (transaction) => {
    dropped = assert.rejects(transaction.send({ topic: 't', value: 'y', partition: 0 }), { name: 'ABORTED' });
    throw new RangeError('mine');
  }), RangeError);
  await dropped;
  await producer.transaction((transaction) => transaction.send({ topic: 't', value: 'z', partition: 0 }));
}));

test('a process ends by itself, after what it has sent', () => {
  const program = `const { Producer } = require(${JSON.stringify(path.join(__dirname, '..'))});
    const producer = new Producer({ 'test.mock.num.brokers': 1 });
    producer.send({ topic: 't', value: 'x' }).then((metadata) => console.log(metadata.offset));`;
  const done = spawnSync(process.execPath, ['-e', program], { encoding: 'utf8', timeout: 60000 });
  assert.deepStrictEqual([done.status, done.signal, done.stdout], [0, null, '0\n'], done.stderr);
});
