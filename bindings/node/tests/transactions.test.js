'use strict';
// Ways out of a transaction.

const { test } = require('node:test');
const assert = require('node:assert');
const { Producer } = require('..');
const { MockCluster, END_TXN, TXN_OFFSET_COMMIT } = require('./support/clusters');

/** Runs the body with a transactional producer on a mock cluster. Then "kept", and what else is named, is committed. */
function committing(properties, body, ...committed) {
  return async () => {
    const cluster = new MockCluster();
    cluster.createTopic('t', 1);
    const producer = new Producer({ 'bootstrap.servers': cluster.bootstrap, 'transactional.id': 'id',
      'max.block.ms': 20000, ...properties });
    try {
      await producer.start();
      await body(producer, cluster);
      await producer.transaction((transaction) => transaction.send({ topic: 't', value: 'kept' }));
    } finally {
      await producer.close();
    }
    assert.deepStrictEqual(await cluster.consume('t', '%s'), [...committed, 'kept']);
    cluster.destroy();
  };
}

/** What the function throws, also when that is nothing. */
async function thrownBy(run) {
  try {
    await run();
  } catch (thrown) {
    return { thrown };
  }
  return 'it has thrown nothing';
}

/** Calls it again as long as it times out. */
async function resumed(step) {
  try {
    return await step();
  } catch (error) {
    if (error.name !== 'TIMED_OUT') throw error;
    return resumed(step);
  }
}

for (const thrown of [undefined, null, 0, 'text', new RangeError('mine'), { code: -109 }, { fatal: true }]) {
  test(`a body that throws ${JSON.stringify(thrown) ?? thrown} aborts`, committing({}, async (producer, cluster) => {
    assert.deepStrictEqual(await thrownBy(() => producer.transaction(async (transaction) => {
      await transaction.send({ topic: 't', value: 'dropped' });
      throw thrown;
    })), { thrown });
    assert.strictEqual(cluster.requests(END_TXN), 1);
  }));
}

const OFFSETS = [{ topic: 't', partition: 0, offset: 1 }];

test('a time that passes in the body aborts', committing({ 'max.block.ms': 2000 }, async (producer, cluster) => {
  cluster.delay(TXN_OFFSET_COMMIT, 3000);
  await assert.rejects(producer.transaction(async (transaction) => {
    await transaction.send({ topic: 't', value: 'dropped' });
    await transaction.sendOffsetsToTransaction(OFFSETS, 'group');
  }), { name: 'TIMED_OUT' });
  assert.strictEqual(cluster.requests(END_TXN), 1);
}));

test('a commit whose time passes is resumed', committing({ 'max.block.ms': 2000 }, async (producer, cluster) => {
  cluster.delay(END_TXN, 3000);
  await assert.rejects(producer.transaction((transaction) => transaction.send({ topic: 't', value: 'slow' })),
    { name: 'TIMED_OUT' });
  await resumed(() => producer.commitTransaction());
}, 'slow'));

test('a body that fails while its offsets are on their way aborts', committing({}, async (producer, cluster) => {
  cluster.delay(TXN_OFFSET_COMMIT, 200);
  await assert.rejects(producer.transaction(async (transaction) => {
    await transaction.send({ topic: 't', value: 'dropped' });
    transaction.sendOffsetsToTransaction(OFFSETS, 'group');
    throw new RangeError('mine');
  }), RangeError);
  assert.strictEqual(cluster.requests(END_TXN), 1);
}));

test('offsets that nobody awaited are committed', committing({}, async (producer, cluster) => {
  cluster.delay(TXN_OFFSET_COMMIT, 200);
  await producer.transaction((transaction) => {
    transaction.send({ topic: 't', value: 'sent' });
    transaction.sendOffsetsToTransaction(OFFSETS, 'group');
  });
}, 'sent'));

test('an error after the end of the transaction is told as it is', committing({}, async (producer) => {
  for (const end of ['commitTransaction', 'abortTransaction']) {
    await assert.rejects(producer.transaction(async (transaction) => {
      await transaction[end]();
      throw new RangeError('mine');
    }), RangeError);
  }
}));

test('an error after close is told as it is', async () => {
  const producer = new Producer({ 'test.mock.num.brokers': 1, 'transactional.id': 'id' });
  await assert.rejects(producer.transaction(async (transaction) => {
    await transaction.close();
    throw new RangeError('mine');
  }), RangeError);
});

test('an abort whose time passes is told, with what led to it', committing({ 'max.block.ms': 2000 },
  async (producer, cluster) => {
    const mine = new RangeError('mine');
    await assert.rejects(producer.transaction(async (transaction) => {
      await transaction.send({ topic: 't', value: 'dropped' });
      cluster.delay(END_TXN, 3000);
      throw mine;
    }), (error) => error.name === 'TIMED_OUT' && error.cause === mine);
    await resumed(() => producer.abortTransaction());
  }));

test('a record that fails lets the commit abort', committing({ 'delivery.timeout.ms': 300, 'request.timeout.ms': 200,
  'allow.auto.create.topics': false }, async (producer) => {
  let failed;
  await assert.rejects(producer.transaction((transaction) => {
    failed = assert.rejects(transaction.send({ topic: 'unknown', value: 'x' }));
  }), { abortable: true });
  await failed;
}));
