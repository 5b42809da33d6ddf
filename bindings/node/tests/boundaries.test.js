'use strict';
// Where one transaction ends and another begins, or the producer is closed meanwhile.

const { test, mock } = require('node:test');
const assert = require('node:assert');
const { spawnSync } = require('node:child_process');
const path = require('node:path');
const { Producer } = require('..');
const { Outgoing } = require('../lib/outgoing');
const { MockCluster, UP, CRASHED, END_TXN, INIT_PRODUCER_ID } = require('./support/clusters');

const SMALL = { 'buffer.memory': 65536, 'batch.size': 16384 };

/** Runs the body with a started transactional producer on a mock cluster with a topic "t", which may be closed there. */
function withCluster(properties, body) {
  return async () => {
    const cluster = new MockCluster();
    cluster.createTopic('t', 1);
    const producer = new Producer({ 'bootstrap.servers': cluster.bootstrap, 'transactional.id': 'id',
      'reconnect.backoff.max.ms': 50, ...properties });
    try {
      await producer.start();
      await producer.partitionsFor('t');
      await body(producer, cluster);
    } finally {
      cluster.setBroker(UP);
      await producer.close();
      cluster.destroy();
    }
  };
}

const nameOf = (promise) => promise.then(() => 'done', ({ name }) => name);
const record = (value) => ({ topic: 't', value });

function filled(producer, value) {
  const batch = producer.createBatch();
  batch.append({ value });
  return batch;
}

test('what is sent before a transaction begins is not in it', withCluster({}, async (producer, cluster) => {
  const strays = [nameOf(producer.send(record('stray'))), nameOf(producer.sendBatch(filled(producer, 'stray'), 't', 0))];
  await producer.beginTransaction();
  assert.deepStrictEqual(await Promise.all(strays), ['ILLEGAL_STATE', 'ILLEGAL_STATE']);
  producer.send(record('sent'));
  await producer.commitTransaction();
  assert.deepStrictEqual(await cluster.consume('t', '%s'), ['sent']);
}));

test('what is sent while a transaction begins is refused, not its own', withCluster({}, async (producer, cluster) => {
  const early = [];
  for (let round = 0; round < 20; round++) {
    const begun = producer.beginTransaction();
    const batch = filled(producer, 'batch');
    const offered = nameOf(producer.sendBatch(batch, 't', 0));
    early.push(offered, nameOf(producer.send(record('early'))));
    let waits = true;
    begun.then(() => { waits = false; });
    // As another part of the program, which does not know of the transaction.
    while (waits) {
      early.push(nameOf(producer.send(record('early'))));
      await new Promise(process.nextTick);
      if (waits) await new Promise(setImmediate);
    }
    producer.send(record('sent'));
    await offered;
    producer.sendBatch(batch, 't', 0);
    await producer.commitTransaction();
  }
  assert.deepStrictEqual(new Set(await Promise.all(early)), new Set(['ILLEGAL_STATE']));
  assert.deepStrictEqual(await cluster.consume('t', '%s'), Array.from({ length: 20 }, () => ['sent', 'batch']).flat());
}));

test('a begin without transactional.id is refused, and nothing else', async () => {
  const producer = new Producer({ 'test.mock.num.brokers': 1 });
  const begun = nameOf(producer.beginTransaction());
  const sent = nameOf(producer.send(record('x')));
  assert.deepStrictEqual([await begun, await sent], ['ILLEGAL_STATE', 'done']);
  await producer.close();
});

for (const end of ['commitTransaction', 'abortTransaction']) {
  test(`what is sent during ${end}, and is not handed over until it is done, is not in the next`, async () => {
    const cluster = new MockCluster();
    cluster.createTopic('t', 1);
    // No turn of the event loop hands over what waits.
    const tick = mock.method(Outgoing.prototype, '_tick', () => {});
    const producer = new Producer({ 'bootstrap.servers': cluster.bootstrap, 'transactional.id': 'id' });
    try {
      await producer.beginTransaction();
      const ended = producer[end]();
      const late = Array.from({ length: 10 }, () => nameOf(producer.send(record('late'))));
      await ended;
      await producer.beginTransaction();
      producer.send(record('sent'));
      await producer.commitTransaction();
      assert.deepStrictEqual(new Set(await Promise.all(late)), new Set(['ILLEGAL_STATE']));
      assert.deepStrictEqual(await cluster.consume('t', '%s'), ['sent']);
    } finally {
      tick.mock.restore();
      await producer.close();
      cluster.destroy();
    }
  });
}

test('what waits for room, or for metadata, when it is aborted is in no other', withCluster(SMALL,
  async (producer, cluster) => {
    for (const topic of ['t', 'unknown']) {
      await producer.beginTransaction();
      cluster.setBroker(CRASHED);
      const values = Array.from({ length: topic === 't' ? 2000 : 1 }, () => record('x'.repeat(100)));
      const sent = values.map((value) => producer.send({ ...value, topic }));
      for (let i = 0; i < 3; i++) sent.push(producer.sendBatch(filled(producer, 'x'), topic, 0));
      const names = sent.map(nameOf);
      await new Promise(setImmediate);
      const aborted = producer.abortTransaction();
      cluster.setBroker(UP);
      await aborted;
      await producer.beginTransaction();
      assert.deepStrictEqual(new Set(await Promise.all(names)), new Set(['ABORTED']));
      // Their refusal is none of this one's.
      producer.send(record('sent'));
      await producer.commitTransaction();
    }
    assert.deepStrictEqual(await cluster.consume('t', '%s'), ['sent', 'sent']);
  }));

test('a begin that fails leaves the open transaction as it is', withCluster({}, async (producer, cluster) => {
  for (const awaited of [true, false]) {
    for (const end of ['commitTransaction', 'abortTransaction']) {
      await producer.beginTransaction();
      const sent = nameOf(producer.send(record(end)));
      const second = nameOf(producer.beginTransaction());
      const behind = nameOf(producer.send(record(end)));
      if (awaited) await second;
      await producer[end]();
      assert.strictEqual(await second, 'ILLEGAL_STATE');
      if (end === 'commitTransaction') assert.deepStrictEqual([await sent, await behind], ['done', 'done']);
      await assert.rejects(producer.commitTransaction(), { name: 'ILLEGAL_STATE' });
    }
  }
  // Nor does it forget what was refused.
  await producer.beginTransaction();
  await assert.rejects(producer.send({ ...record('x'), partition: 7 }), { name: 'UNKNOWN_PARTITION' });
  await assert.rejects(producer.beginTransaction(), { name: 'ILLEGAL_STATE' });
  await assert.rejects(producer.commitTransaction(), { name: 'UNKNOWN_PARTITION' });
  await producer.abortTransaction();
  assert.deepStrictEqual(await cluster.consume('t', '%s'), Array(4).fill('commitTransaction'));
}));

test('a begin during an abort is refused, or begins one of its own', withCluster({}, async (producer, cluster) => {
  for (let round = 0; round < 20; round++) {
    await producer.beginTransaction();
    await assert.rejects(producer.send({ ...record('x'), partition: 7 }), { name: 'UNKNOWN_PARTITION' });
    const [, begun, stray] = await Promise.all([producer.abortTransaction(), nameOf(producer.beginTransaction()),
      nameOf(producer.send(record('stray')))]);
    assert.strictEqual(stray, 'ILLEGAL_STATE');
    if (begun !== 'done') await producer.beginTransaction();
    await producer.commitTransaction();
  }
  assert.deepStrictEqual(await cluster.consume('t', '%s'), []);
}));

test('a begin that is under way when the producer is closed is over, and opens nothing', async () => {
  for (const down of [true, false]) {
    const cluster = new MockCluster();
    if (down) cluster.setBroker(CRASHED);
    else cluster.delay(INIT_PRODUCER_ID, 500);
    const producer = new Producer({ 'bootstrap.servers': cluster.bootstrap, 'transactional.id': 'id' });
    const begun = nameOf(producer.beginTransaction());
    await producer.close();
    assert.strictEqual(await begun, 'CLOSED');
    await assert.rejects(producer.beginTransaction(), { name: 'CLOSED' });
    cluster.destroy();
  }
});

for (const step of ['beginTransaction', 'commitTransaction', 'abortTransaction']) {
  test(`close before ${step} refuses it`, withCluster({}, async (producer, cluster) => {
    if (step !== 'beginTransaction') await producer.beginTransaction();
    const closed = producer.close();
    await assert.rejects(producer[step](), { name: 'CLOSED' });
    await closed;
    for (const again of ['beginTransaction', 'commitTransaction', 'abortTransaction']) {
      await assert.rejects(producer[again](), { name: 'CLOSED' });
    }
    assert.deepStrictEqual(await cluster.consume('t', '%s'), []);
  }));
}

for (const [end, log] of [['commit', ['x']], ['abort', []]]) {
  test(`close during ${end} hangs neither`, withCluster({}, async (producer, cluster) => {
    await producer.beginTransaction();
    await producer.send(record('x'));
    cluster.delay(END_TXN, 300);
    const ended = nameOf(producer[`${end}Transaction`]());
    await producer.close();
    assert.ok(['done', 'CLOSED'].includes(await ended), await ended);
    if (await ended === 'done') assert.deepStrictEqual(await cluster.consume('t', '%s'), log);
    await assert.rejects(producer.beginTransaction(), { name: 'CLOSED' });
  }));
}

test('calls of a closed producer leave nothing that holds the process', () => {
  const program = `const { Producer } = require(${JSON.stringify(path.join(__dirname, '..'))});
    const producer = new Producer({ 'test.mock.num.brokers': 1, 'transactional.id': 'id' });
    (async () => {
      await producer.close();
      const calls = [() => producer.beginTransaction(), () => producer.commitTransaction(), () => producer.flush(),
        () => producer.abortTransaction(), () => producer.transaction(() => {}), () => producer.send({ topic: 't' })];
      for (const call of calls) await call().catch(({ name }) => console.log(name));
    })();`;
  const done = spawnSync(process.execPath, ['-e', program], { encoding: 'utf8', timeout: 10000 });
  assert.deepStrictEqual([done.status, done.signal, done.stdout], [0, null, 'CLOSED\n'.repeat(6)], done.stderr);
});

test('a transaction whose producer is closed tells so', withCluster({}, async (producer, cluster) => {
  await assert.rejects(producer.transaction(async (transaction) => {
    transaction.send(record('x'));
    await transaction.close();
  }), { name: 'CLOSED' });
  assert.deepStrictEqual(await cluster.consume('t', '%s'), []);
}));

test('who has awaited an abort, or a flush, has heard before of what failed', withCluster({ 'linger.ms': 3000 },
  async (producer) => {
    for (const step of ['abortTransaction', 'flush']) {
      await producer.beginTransaction();
      let heard = 0;
      if (step === 'flush') await producer.send(record('open'));
      const far = { ...record('failed'), partition: 7 };
      const sent = step === 'flush' ? far : record('aborted');
      producer.send(sent).catch(() => heard++);
      producer.send(sent).then(() => {}).catch(() => heard++);
      await new Promise(setImmediate);
      await producer[step]();
      assert.strictEqual(heard, 2, step);
      if (step === 'flush') await producer.abortTransaction();
    }
  }));

test('what is sent while transaction() begins is no part of it, and its own rejection tells of it', () => {
  const program = `
    const { Producer } = require('.');
    const { MockCluster } = require('./tests/support/clusters');
    const cluster = new MockCluster();
    cluster.createTopic('t', 1);
    const producer = new Producer({ 'bootstrap.servers': cluster.bootstrap, 'transactional.id': 'id' });
    process.on('unhandledRejection', (error) => console.log(error.name));
    producer.start().then(async () => {
      const done = producer.transaction(() => producer.send({ topic: 't', value: 'in it' }));
      producer.send({ topic: 't', value: 'early' });
      await done;
      await producer.close();
      cluster.destroy();
    });`;
  const { stdout, stderr } = spawnSync(process.execPath, ['-e', program], { cwd: path.join(__dirname, '..') });
  assert.strictEqual(`${stdout}${stderr}`, 'ILLEGAL_STATE\n');
});
