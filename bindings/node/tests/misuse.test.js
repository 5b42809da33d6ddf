'use strict';
// Arguments that are none. Nothing may be sent of them, nor anything be owed.

const { test } = require('node:test');
const assert = require('node:assert');
const { spawnSync } = require('node:child_process');
const path = require('node:path');
const { Producer } = require('..');

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

/** An argument that is refused says which it is, and is no KprodError of the library. */
const wrong = (type, what) => (error) => {
  assert.ok(error instanceof type, error.stack);
  assert.strictEqual(error.name, 'INVALID_ARG');
  assert.strictEqual(error.code, -101);
  assert.ok(error.message.startsWith(what), error.message);
  return true;
};

const deaf = { aborted: false, addEventListener() { throw new RangeError('mine'); }, removeEventListener() {} };
const NO_SIGNALS = [5, 'signal', {}, { aborted: false }, new AbortController(), { aborted: true }, () => {}, true];

test('what is no signal is refused, and nothing sent', withProducer({}, async (producer) => {
  for (const signal of NO_SIGNALS) {
    await assert.rejects(producer.send({ topic: 't', value: 'x', partition: 0 }, { signal }),
      wrong(TypeError, 'signal '));
    const batch = producer.createBatch();
    batch.append({ value: 'x' });
    await assert.rejects(producer.sendBatch(batch, 't', 0, { signal }), wrong(TypeError, 'signal '));
  }
  await assert.rejects(producer.send({ topic: 't', value: 'x', partition: 0 }, { signal: deaf }), RangeError);
  for (const signal of [undefined, null, new AbortController().signal]) {
    await producer.send({ topic: 't', value: 'x', partition: 0 }, { signal });
  }
  assert.strictEqual((await producer.send({ topic: 't', value: 'last', partition: 0 })).offset, 3);
}));

test('what are no headers is refused', withProducer({}, async (producer) => {
  for (const headers of ['text', 5, true, [['a', 5]], { a: 5 }, [5], [[null, 'a']], ['ab'], [['a']], [['a', 'b', 'c']],
    [[undefined, 'a']], [null], new Set(['ab']), new String('ab'), new Date(), Promise.resolve({ a: 'b' }),
    new Error('a'), new ArrayBuffer(2), Buffer.from('ab'), () => {}, Symbol('a')]) {
    await assert.rejects(producer.send({ topic: 't', value: 'x', partition: 0, headers }), wrong(TypeError, ''), String(headers));
    const batch = producer.createBatch();
    assert.throws(() => batch.append({ value: 'x', headers }), wrong(TypeError, ''), String(headers));
  }
  assert.strictEqual((await producer.send({ topic: 't', value: 'x', partition: 0, headers: {} })).offset, 0);
}));

test('what are no properties is refused', async () => {
  for (const none of [undefined, null, 'text', 5, true, [], [['client.id', 'a']], new Map(), new Set(), () => {},
    Symbol('a'), Buffer.from('ab'), new Date(), Promise.resolve({})]) {
    assert.throws(() => new Producer(none), wrong(TypeError, 'properties '), String(none));
  }
  for (const none of [undefined, null, {}, [], ['a'], () => {}, Symbol('a'), 5n]) {
    const properties = { 'test.mock.num.brokers': 1, 'client.id': none };
    assert.throws(() => new Producer(properties), wrong(TypeError, 'client.id '));
  }
  for (const none of [NaN, Infinity, -Infinity]) {
    assert.throws(() => new Producer({ 'client.id': none }), wrong(RangeError, 'client.id '));
  }
  for (const none of [null, 5, 'text', true]) {
    assert.throws(() => new Producer({}, none), wrong(TypeError, 'options '), String(none));
  }
  const bare = Object.assign(Object.create(null), { 'test.mock.num.brokers': 1, 'enable.idempotence': true });
  await new Producer(bare, undefined).close();
});

test('what are no options is refused', withProducer({}, async (producer) => {
  for (const none of [null, '5', 5n, true, {}]) {
    assert.throws(() => new Producer({}, { highWaterMark: none }), wrong(TypeError, 'highWaterMark '), String(none));
  }
  for (const none of [0, -1, 1.5, NaN, Infinity]) {
    assert.throws(() => new Producer({}, { highWaterMark: none }), wrong(RangeError, 'highWaterMark '), String(none));
  }
  const batch = producer.createBatch();
  batch.append({ value: 'x' });
  for (const none of [5, 'text', true, 5n, Symbol('a'), () => {}]) {
    const message = { topic: 't', value: 'x', partition: 0 };
    await assert.rejects(producer.send(message, none), wrong(TypeError, 'options '), String(none));
    await assert.rejects(producer.sendBatch(batch, 't', 0, none), wrong(TypeError, 'options '), String(none));
  }
  for (const options of [undefined, null, {}]) {
    await producer.send({ topic: 't', value: 'x', partition: 0 }, options);
  }
  assert.strictEqual((await producer.sendBatch(batch, 't', 0, null)).offset, 3);
}));

test('what is no record of a batch is refused', withProducer({}, (producer) => {
  const batch = producer.createBatch();
  for (const none of [undefined, null, 5, 'text', true, [], () => {}, Buffer.from('ab'), new Map()]) {
    assert.throws(() => batch.append(none), wrong(TypeError, 'record '), String(none));
  }
  assert.strictEqual(batch.recordCount, 0);
}));

const WRONG = {
  value: [TypeError, [5, true, {}, [], 5n, new ArrayBuffer(2), new Uint16Array(2), () => {}]],
  key: [TypeError, [5, {}, [], new Date()]],
  timestamp: [TypeError, ['1', 1n, {}, true, new Date()]],
  'timestamp ': [RangeError, [-1, 1.5, NaN, Infinity, 2 ** 53]],
  headers: [TypeError, [5, 'text', new Date()]],
};

test('what cannot be in a record is refused', withProducer({}, async (producer) => {
  const batch = producer.createBatch();
  for (const [field, [type, none]] of Object.entries(WRONG)) {
    for (const given of none) {
      const record = { value: 'x', [field.trim()]: given };
      assert.throws(() => batch.append(record), wrong(type, `${field.trim()} `), String(given));
      await assert.rejects(producer.send({ topic: 't', partition: 0, ...record }), wrong(type, `${field.trim()} `));
    }
  }
  assert.strictEqual(batch.recordCount, 0);
  for (const none of [undefined, null, 5, {}, Buffer.from('t')]) {
    await assert.rejects(producer.send({ topic: none, value: 'x' }), wrong(TypeError, 'topic '), String(none));
    await assert.rejects(producer.sendBatch(batch, none, 0), wrong(TypeError, 'topic '), String(none));
    await assert.rejects(producer.partitionsFor(none), wrong(TypeError, 'topic '), String(none));
    await assert.rejects(producer.sendBatch(none, 't', 0), wrong(TypeError, 'batch '), String(none));
  }
  for (const none of [undefined, null, 5, 'text', true]) {
    await assert.rejects(producer.send(none), wrong(TypeError, 'message '), String(none));
  }
  for (const none of ['0', 0n, {}, true]) {
    await assert.rejects(producer.send({ topic: 't', value: 'x', partition: none }), wrong(TypeError, 'partition '));
    await assert.rejects(producer.sendBatch(batch, 't', none), wrong(TypeError, 'partition '), String(none));
  }
  await assert.rejects(producer.sendBatch(batch, 't', null), wrong(TypeError, 'partition '));
  for (const none of [-1, 0.5, NaN, 2 ** 31]) {
    await assert.rejects(producer.send({ topic: 't', value: 'x', partition: none }), wrong(RangeError, 'partition '));
    await assert.rejects(producer.sendBatch(batch, 't', none), wrong(RangeError, 'partition '), String(none));
  }
  assert.strictEqual((await producer.send({ topic: 't', value: 'x', partition: 0 })).offset, 0);
}));

test('what is no function begins no transaction', withProducer({ 'transactional.id': 'id' }, async (producer) => {
  for (const none of [undefined, null, 5, {}, Promise.resolve()]) {
    await assert.rejects(producer.transaction(none), wrong(TypeError, 'body '), String(none));
  }
  await assert.rejects(producer.abortTransaction(), { name: 'ILLEGAL_STATE' });
  assert.strictEqual(await producer.transaction(() => 5), 5);
}));

test('a property with a NUL is refused', () => {
  for (const properties of [{ 'client.id': 'a\0b' }, { 'client.id\0x': 'a' }]) {
    assert.throws(() => new Producer({ 'test.mock.num.brokers': 1, ...properties }), { name: 'INVALID_CONFIG' });
  }
});

test('reports without which promises would not be settled cannot be left out', async () => {
  for (const reports of [{ 'kprod.delivery.reports': 'none' }, { 'kprod.delivery.reports': 'errors' },
    { 'delivery.report.only.error': true }]) {
    assert.throws(() => new Producer({ 'test.mock.num.brokers': 1, ...reports }), (error) =>
      error.name === 'INVALID_CONFIG' && /^kprod.delivery.reports .*delivery.report.only.error.* promises/.test(error.message));
  }
  for (const reports of [{ 'kprod.delivery.reports': 'all' }, { 'delivery.report.only.error': false }]) {
    const producer = new Producer({ 'test.mock.num.brokers': 1, ...reports });
    await producer.send({ topic: 't', value: 'x' });
    await producer.close();
  }
});

test('content that fails while it is copied leaves nothing behind', withProducer({}, async (producer) => {
  const stop = new AbortController();
  class Odd extends Uint8Array {
    get length() {
      return this.looked++ === 0 ? 1 : 5e6;
    }
  }
  const value = Object.assign(new Odd(300000), { looked: 0 });
  const failed = producer.send({ topic: 't', value, partition: 0 }, { signal: stop.signal });
  const kept = producer.send({ topic: 't', value: 'kept', partition: 0 });
  stop.abort();
  await assert.rejects(failed, RangeError);
  assert.strictEqual((await kept).offset, 0);
}));

test('a process that has sent nothing ends by itself', () => {
  const program = `const { Producer } = require(${JSON.stringify(path.join(__dirname, '..'))});
    const producer = new Producer({ 'test.mock.num.brokers': 1 });
    const deaf = { aborted: false, addEventListener() { throw 1; }, removeEventListener() {} };
    for (const signal of [{}, deaf]) {
      producer.send({ topic: 't', value: 'x' }, { signal }).catch(() => console.log('refused'));
    }`;
  const done = spawnSync(process.execPath, ['-e', program], { encoding: 'utf8', timeout: 60000 });
  assert.deepStrictEqual([done.status, done.signal, done.stdout], [0, null, 'refused\nrefused\n'], done.stderr);
});

test('a batch goes to no partition that was not named', withProducer({ 'max.block.ms': 5000 }, async (producer) => {
  for (const partition of [undefined, null, NaN, 1.5, 2 ** 32, -1, '0']) {
    const batch = producer.createBatch();
    batch.append({ value: 'x' });
    await assert.rejects(producer.sendBatch(batch, 't', partition), { name: 'INVALID_ARG' }, String(partition));
    assert.strictEqual((await producer.sendBatch(batch, 't', 0)).partition, 0);
  }
}));

test('no offset is committed that was not named', withProducer({ 'transactional.id': 'id' }, async (producer) => {
  await producer.partitionsFor('t');
  await producer.beginTransaction();
  for (const wrong of [{ offset: undefined }, { offset: NaN }, { offset: -1 }, { offset: 1.5 }, { offset: '5' },
    { partition: undefined }, { partition: 0.5 }, { partition: 2 ** 32 }, { leaderEpoch: 1.5 }, { leaderEpoch: NaN }]) {
    const offsets = [{ topic: 't', partition: 0, offset: 5, ...wrong }];
    await assert.rejects(producer.sendOffsetsToTransaction(offsets, 'group'), { name: 'INVALID_ARG' },
      JSON.stringify(wrong));
  }
  await assert.rejects(producer.sendOffsetsToTransaction([], { groupId: 'group', generationId: NaN }),
    { name: 'INVALID_ARG' });
  await producer.sendOffsetsToTransaction([{ topic: 't', partition: 0, offset: 5, leaderEpoch: -1 }], 'group');
  await producer.abortTransaction();
}));

test('what are no offsets, and no group, is refused', withProducer({ 'transactional.id': 'id' }, async (producer) => {
  await producer.partitionsFor('t');
  await producer.beginTransaction();
  const offsets = [{ topic: 't', partition: 0, offset: 5 }];
  const refuses = (given, group, type, what) =>
    assert.rejects(producer.sendOffsetsToTransaction(given, group), wrong(type, what), what);
  for (const none of [undefined, null, 5, 'text', {}, new Map(), new Set(offsets), () => {}]) {
    await refuses(none, 'group', TypeError, 'offsets ');
  }
  for (const none of [undefined, null, 5, 'text', () => {}]) {
    await refuses([offsets[0], none], 'group', TypeError, 'offsets[1] ');
  }
  await refuses(new Array(1), 'group', TypeError, 'offsets[0] ');
  const values = { topic: [undefined, null, 5, {}, Buffer.from('t')], partition: [undefined, null, '0', 0n, {}],
    offset: [undefined, null, '5', 5n, {}], metadata: [5, {}, Buffer.from('a')], leaderEpoch: [null, '1', 1n] };
  for (const [field, none] of Object.entries(values)) {
    for (const value of none) {
      await refuses([{ ...offsets[0], [field]: value }], 'group', TypeError, `offsets[0].${field} `);
    }
  }
  const ranges = { partition: [-1, 0.5, NaN, 2 ** 31], offset: [-1, 1.5, NaN, Infinity, 2 ** 53],
    leaderEpoch: [-2, 1.5, NaN, 2 ** 31] };
  for (const [field, none] of Object.entries(ranges)) {
    for (const value of none) {
      await refuses([{ ...offsets[0], [field]: value }], 'group', RangeError, `offsets[0].${field} `);
    }
  }
  for (const none of [undefined, null, 5, true, [], () => {}, new String('group')]) {
    await refuses(offsets, none, TypeError, 'group');
  }
  await refuses(offsets, '', RangeError, 'group ');
  await refuses(offsets, {}, TypeError, 'group.groupId ');
  await refuses(offsets, { groupId: '' }, RangeError, 'group.groupId ');
  for (const field of ['memberId', 'groupInstanceId']) {
    await refuses(offsets, { groupId: 'group', [field]: 5 }, TypeError, `group.${field} `);
  }
  await refuses(offsets, { groupId: 'group', generationId: '1' }, TypeError, 'group.generationId ');
  await refuses(offsets, { groupId: 'group', generationId: 2 ** 31 }, RangeError, 'group.generationId ');
  await producer.sendOffsetsToTransaction([{ ...offsets[0], metadata: null, leaderEpoch: 2 }], { groupId: 'group' });
  await producer.commitTransaction();
}));

test('readiness of a closed producer is refused', async () => {
  const producer = new Producer({ 'test.mock.num.brokers': 1 });
  await producer.ready();
  const closed = producer.close();
  await assert.rejects(producer.ready(), { name: 'CLOSED' });
  await closed;
  await assert.rejects(producer.ready(), { name: 'CLOSED' });
});
