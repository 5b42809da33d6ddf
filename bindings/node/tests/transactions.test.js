'use strict';
// Ways out of a transaction.

const { test } = require('node:test');
const assert = require('node:assert');
const { Producer } = require('..');
const { MockCluster, UP, CRASHED, END_TXN, TXN_OFFSET_COMMIT } = require('./support/clusters');

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

const REFUSED = {
  'is too large': [{ value: Buffer.alloc(2 << 20) }, 'RECORD_TOO_LARGE'],
  'has a partition that is not there': [{ value: 'credit', partition: 7 }, 'UNKNOWN_PARTITION'],
  'has a time before all times': [{ value: 'credit', timestamp: -5 }, 'INVALID_ARG'],
  'is none': [{ value: 5 }, 'INVALID_ARG'],
};

for (const [what, [content, name]] of Object.entries(REFUSED)) {
  test(`a record that ${what} lets the commit abort`, committing({}, async (producer) => {
    await producer.partitionsFor('t');
    for (const heed of [() => {}, (refused) => refused.catch(() => {})]) {
      await assert.rejects(producer.transaction((transaction) => {
        transaction.send({ topic: 't', value: 'debit' });
        heed(transaction.send({ topic: 't', ...content }));
      }), (error) => error.name === name && error.abortable && error.cause.name === name);
    }
    await producer.beginTransaction();
    const sent = producer.send({ topic: 't', value: 'debit' });
    await assert.rejects(producer.send({ topic: 't', ...content }), { name });
    await sent;
    for (let again = 0; again < 2; again++) {
      await assert.rejects(producer.commitTransaction(), (error) => error.abortable && error.cause.name === name);
    }
    await producer.abortTransaction();
  }));
}

test('a record that had no room in time lets the commit abort', committing(
  { 'buffer.memory': 65536, 'batch.size': 16384, 'max.block.ms': 2000, 'reconnect.backoff.max.ms': 50 }, async (producer, cluster) => {
    await producer.partitionsFor('t');
    cluster.setBroker(CRASHED);
    let sent;
    await assert.rejects(producer.transaction(async (transaction) => {
      sent = Array.from({ length: 1000 }, () => transaction.send({ topic: 't', value: Buffer.alloc(1000) }));
      await sent.at(-1).catch(() => {});
      cluster.setBroker(UP);
    }), { name: 'QUEUE_FULL', abortable: true });
    await Promise.allSettled(sent);
  }));

test('a batch that is refused lets the commit abort, unless it is sent again', committing({}, async (producer) => {
  const batch = producer.createBatch();
  batch.append({ value: 'batch' });
  await assert.rejects(producer.transaction((transaction) => {
    transaction.send({ topic: 't', value: 'debit' });
    transaction.sendBatch(batch, 't', 7);
  }), (error) => error.abortable && error.cause.name === 'UNKNOWN_PARTITION');
  await producer.transaction(async (transaction) => {
    await assert.rejects(transaction.sendBatch(batch, 't', 7), { name: 'UNKNOWN_PARTITION' });
    transaction.sendBatch(batch, 't', 0);
  });
}, 'batch'));

test('what was refused outside of a transaction, or taken back, lets it commit', committing({}, async (producer) => {
  await assert.rejects(producer.send({ topic: 't', value: 'stray' }), { name: 'ILLEGAL_STATE' });
  await assert.rejects(producer.commitTransaction(), { name: 'ILLEGAL_STATE' });
  await producer.transaction((transaction) => {
    const stop = new AbortController();
    transaction.send({ topic: 't', value: 'taken back' }, { signal: stop.signal });
    transaction.send({ topic: 't', value: 'sent' });
    stop.abort();
    const batch = transaction.createBatch();
    batch.append({ value: 'taken back' });
    transaction.sendBatch(batch, 't', 0, { signal: stop.signal });
  });
}, 'sent'));

test('what nobody awaits in a transaction is told by the transaction alone', committing({}, async (producer) => {
  await assert.rejects(producer.transaction((transaction) => {
    for (let i = 0; i < 10; i++) transaction.send({ topic: 't', value: 'dropped' });
    throw new RangeError('mine');
  }), RangeError);
  // A rejection that nobody handles is known by then.
  await new Promise(setImmediate);
}));

test('a record that fails lets the commit abort', committing({ 'delivery.timeout.ms': 300, 'request.timeout.ms': 200,
  'allow.auto.create.topics': false }, async (producer) => {
  let failed;
  await assert.rejects(producer.transaction((transaction) => {
    failed = assert.rejects(transaction.send({ topic: 'unknown', value: 'x' }));
  }), { abortable: true });
  await failed;
}));
