'use strict';
// A signal of which more waits than one send.

const { test } = require('node:test');
const assert = require('node:assert');
const { getEventListeners } = require('node:events');
const { Producer } = require('..');
const { MockCluster, CRASHED, UP } = require('./support/clusters');

/** Runs the body with what makes producers on a mock cluster, and the warnings that are printed meanwhile. */
async function withCluster(body) {
  const warnings = [];
  const note = (warning) => warnings.push(warning.name);
  process.on('warning', note);
  const cluster = new MockCluster();
  cluster.createTopic('t', 1);
  const producers = [];
  const open = (properties) => {
    producers.push(new Producer({ 'bootstrap.servers': cluster.bootstrap, 'reconnect.backoff.max.ms': 50,
      ...properties }));
    return producers.at(-1);
  };
  try {
    await body(cluster, open);
    await new Promise(setImmediate);
    assert.deepStrictEqual(warnings, []);
  } finally {
    cluster.setBroker(UP);
    await Promise.all(producers.map((producer) => producer.close()));
    cluster.destroy();
    process.off('warning', note);
  }
}

const listeners = ({ signal }) => getEventListeners(signal, 'abort').length;
const record = { topic: 't', value: 'x', partition: 0 };

test('many sends with one signal warn of nothing and leave no listener', () => withCluster(async (cluster, open) => {
  const stop = new AbortController();
  const [one, other] = [open(), open()];
  const sent = [];
  for (let i = 0; i < 3000; i++) sent.push((i % 2 ? one : other).send(record, stop));
  assert.strictEqual(listeners(stop), 1);
  await Promise.all(sent);
  assert.strictEqual(listeners(stop), 0);
  stop.abort();
  assert.strictEqual((await one.send(record)).offset, 3000);
}));

test('a signal takes back all that waits for it', () => withCluster(async (cluster, open) => {
  const [one, other] = [open(), open()];
  for (let round = 0; round < 2; round++) {
    const stop = new AbortController();
    let told = 0;
    stop.signal.addEventListener('abort', () => { told++; });
    const sent = Array.from({ length: 40 }, (_, i) => (i % 2 ? one : other).send(record, stop));
    const kept = one.send(record);
    stop.abort();
    for (const outcome of sent) await assert.rejects(outcome, { name: 'AbortError' });
    assert.strictEqual((await kept).offset, round);
    assert.deepStrictEqual([told, listeners(stop)], [1, 1]);
  }
}));

test('many batches with one signal warn of nothing and leave no listener', () => withCluster(async (cluster, open) => {
  const producer = open();
  const batchOf = (value) => {
    const batch = producer.createBatch();
    batch.append({ value });
    return batch;
  };
  await producer.partitionsFor('t');
  const kept = new AbortController();
  await Promise.all(Array.from({ length: 20 }, () => producer.sendBatch(batchOf('x'), 't', 0, kept)));
  assert.strictEqual(listeners(kept), 0);
  // They wait to know of their topic.
  cluster.setBroker(CRASHED);
  const stop = new AbortController();
  const batches = Array.from({ length: 20 }, () => batchOf('x'));
  const sent = batches.map((batch) => producer.sendBatch(batch, 'u', 0, stop));
  assert.strictEqual(listeners(stop), 1);
  setTimeout(() => stop.abort(), 50);
  for (const outcome of sent) await assert.rejects(outcome, { name: 'AbortError' });
  assert.ok(batches.every(({ freed }) => freed));
  assert.strictEqual(listeners(stop), 0);
}));
