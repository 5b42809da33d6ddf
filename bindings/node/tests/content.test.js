'use strict';
// What another client reads of what was sent.

const { test } = require('node:test');
const assert = require('node:assert');
const { Producer } = require('..');
const { MockCluster, Kafka, kafkaIsMissing, UP, CRASHED } = require('./support/clusters');

/** Runs the body with a producer on a mock cluster that outlives it, and has a topic of one partition. */
function withCluster(properties, body) {
  return async () => {
    const cluster = new MockCluster();
    cluster.createTopic('t', 1);
    const producer = new Producer({ 'bootstrap.servers': cluster.bootstrap, ...properties });
    try {
      await body(producer, cluster);
    } finally {
      await producer.close();
      cluster.destroy();
    }
  };
}

test('records of all kinds', withCluster({}, async (producer, cluster) => {
  const long = 'long and wide: äöü '.repeat(300);
  const own = Buffer.from('mine');
  producer.send({ topic: 't', key: 'key', value: 'value', timestamp: 1000, headers: [['a', '1'], ['b', null], ['a', '']] });
  producer.send({ topic: 't', key: 'key', value: null, timestamp: 1700000000001 });
  producer.send({ topic: 't', value: '', timestamp: 3000 });
  producer.send({ topic: 't', key: new Uint8Array([0x62]), value: 'ö', timestamp: 4000, headers: { c: Buffer.from('2') } });
  producer.send({ topic: 't', value: own, timestamp: 5000 });
  // A sender's buffer is its own again.
  own.fill('x');
  producer.send({ topic: 't', value: long, timestamp: 6000 });
  producer.send({ topic: 't', value: 'x'.repeat(500000), timestamp: 7000 });
  producer.send({ topic: 't', value: 'last', timestamp: 8000, headers: new Map([['m', '3'], ['n', null]]) });
  await producer.flush();
  assert.deepStrictEqual(await cluster.consume('t', '%o %T %K:%k %S:%s %h'), [
    '0 1000 3:key 5:value a=1,b=NULL,a=',
    '1 1700000000001 3:key -1: ',
    '2 3000 -1: 0: ',
    '3 4000 1:b 2:ö c=2',
    '4 5000 -1: 4:mine ',
    `5 6000 -1: ${Buffer.byteLength(long)}:${long} `,
    `6 7000 -1: 500000:${'x'.repeat(500000)} `,
    '7 8000 -1: 4:last m=3,n=NULL',
  ]);
}));

test('what waits for room keeps its order, and may be taken back', withCluster(
  { 'buffer.memory': 65536, 'batch.size': 16384, 'reconnect.backoff.ms': 20, 'reconnect.backoff.max.ms': 50 },
  async (producer, cluster) => {
    cluster.setBroker(CRASHED);
    const stop = new AbortController();
    const sent = [];
    const dropped = [];
    for (let i = 0; i < 5000; i++) {
      const signal = i > 3000 && i % 7 === 0 ? stop.signal : undefined;
      const outcome = producer.send({ topic: 't', value: `${i} ${'x'.repeat(100)}` }, { signal });
      if (signal) dropped.push(assert.rejects(outcome, { name: 'AbortError' }));
      else sent.push([i, outcome]);
    }
    let ready = false;
    const readiness = producer.ready().then(() => { ready = true; });
    await new Promise(setImmediate);
    assert.strictEqual(ready, false);
    stop.abort();
    await Promise.all(dropped);
    cluster.setBroker(UP);
    const reported = [];
    for (const [i, outcome] of sent) reported[(await outcome).offset] = String(i);
    await readiness;
    const read = (await cluster.consume('t', '%s')).map((value) => value.split(' ')[0]);
    assert.deepStrictEqual(read, sent.map(([i]) => String(i)));
    assert.deepStrictEqual(reported, read);
  }));

test('a batch comes after the records that waited for room before it', withCluster(
  { 'buffer.memory': 65536, 'batch.size': 16384, 'reconnect.backoff.ms': 20, 'reconnect.backoff.max.ms': 50 },
  async (producer, cluster) => {
    cluster.setBroker(CRASHED);
    for (let i = 0; i < 2000; i++) producer.send({ topic: 't', value: `${i} ${'x'.repeat(100)}` });
    const batch = producer.createBatch();
    batch.append({ value: '2000' });
    const outcome = producer.sendBatch(batch, 't', 0);
    cluster.setBroker(UP);
    assert.strictEqual((await outcome).offset, 2000);
    const read = (await cluster.consume('t', '%s')).map((value) => Number(value.split(' ')[0]));
    assert.deepStrictEqual(read, Array.from({ length: 2001 }, (_, i) => i));
  }));

test('a signal before a batch is accepted means never sent', withCluster(
  { 'buffer.memory': 65536, 'batch.size': 16384, 'reconnect.backoff.ms': 20, 'reconnect.backoff.max.ms': 50 },
  async (producer, cluster) => {
    const filled = (value) => {
      const batch = producer.createBatch();
      batch.append({ value });
      return batch;
    };
    const early = filled('early');
    await assert.rejects(producer.sendBatch(early, 't', 0, { signal: AbortSignal.abort() }), { name: 'AbortError' });
    assert.strictEqual(early.freed, true);
    await producer.sendBatch(filled('kept'), 't', 0);

    // One waits in the library to know of its topic, another for records that wait for room.
    cluster.setBroker(CRASHED);
    const waiting = new AbortController();
    const offered = filled('offered');
    const revoked = (batch, topic) => assert.rejects(producer.sendBatch(batch, topic, 0, waiting),
      { name: 'AbortError' });
    const offeredLate = revoked(offered, 'u');
    await new Promise(setImmediate);
    const value = `record ${'x'.repeat(100)}`;
    const records = Array.from({ length: 2000 }, () => producer.send({ topic: 't', value }));
    const behind = filled('behind');
    const behindLate = revoked(behind, 't');
    await new Promise(setImmediate);
    waiting.abort();
    await Promise.all([offeredLate, behindLate]);
    assert.deepStrictEqual([offered.freed, behind.freed], [true, true]);
    await assert.rejects(producer.sendBatch(offered, 't', 0), { name: 'INVALID_ARG' });

    cluster.setBroker(UP);
    await Promise.all(records);
    assert.strictEqual((await producer.send({ topic: 'u', value: 'next', partition: 0 })).offset, 0);
    const accepted = new AbortController();
    const last = producer.sendBatch(filled('last'), 't', 0, { signal: accepted.signal });
    await last;
    accepted.abort();
    const read = await cluster.consume('t', '%s');
    assert.deepStrictEqual(read.filter((value) => !value.startsWith('record')), ['kept', 'last']);
    assert.strictEqual(read.length, 2002);
  }));

test('what has no room in time is refused and not sent', withCluster(
  { 'buffer.memory': 65536, 'batch.size': 16384, 'max.block.ms': 50, 'reconnect.backoff.max.ms': 50 },
  async (producer, cluster) => {
    cluster.setBroker(CRASHED);
    const outcomes = [];
    for (let i = 0; i < 2000; i++) outcomes.push(producer.send({ topic: 't', value: `${i} ${'x'.repeat(100)}` }));
    const all = Promise.allSettled(outcomes);
    await assert.rejects(outcomes.at(-1), (error) => error.name === 'QUEUE_FULL' && error.retriable);
    cluster.setBroker(UP);
    const settled = await all;
    const kept = settled.filter(({ status }) => status === 'fulfilled').length;
    assert.ok(kept > 0 && kept < 2000);
    assert.ok(settled.slice(kept).every(({ reason }) => reason?.name === 'QUEUE_FULL'));
    assert.strictEqual((await cluster.consume('t', '%o')).length, kept);
  }));

test('Apache Kafka has what was sent and committed', { skip: kafkaIsMissing() }, async () => {
  const kafka = new Kafka();
  try {
    const plain = new Producer({ 'bootstrap.servers': kafka.bootstrap });
    const sent = [];
    for (let i = 0; i < 10000; i++) {
      await plain.ready();
      sent.push(plain.send({ topic: 'plain', key: `${i}`, value: `value ${i}`, partition: 0, headers: { h: `${i}` } }));
    }
    const offsets = (await Promise.all(sent)).map(({ offset }) => offset);
    await plain.close();
    assert.deepStrictEqual(await kafka.consume('plain', '%o %k %s %h'),
      offsets.map((offset, i) => `${offset} ${i} value ${i} h=${i}`));

    const producer = new Producer({ 'bootstrap.servers': kafka.bootstrap, 'transactional.id': 'id' });
    await producer.transaction((transaction) => transaction.send({ topic: 'exact', value: 'committed' }));
    await assert.rejects(producer.transaction(async (transaction) => {
      await transaction.send({ topic: 'exact', value: 'aborted' });
      throw new RangeError('mine');
    }), RangeError);
    await producer.close();
    assert.deepStrictEqual(await kafka.consume('exact', '%s'), ['committed']);
    assert.deepStrictEqual((await kafka.consume('exact', '%s', 'read_uncommitted')).sort(), ['aborted', 'committed']);
  } finally {
    kafka.stop();
  }
});
