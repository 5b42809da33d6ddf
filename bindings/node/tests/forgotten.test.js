'use strict';
// Producers that nobody has closed, when nobody can any more.

const { test } = require('node:test');
const assert = require('node:assert');
const { spawnSync } = require('node:child_process');
const path = require('node:path');

/** What a program writes in which the garbage collector may be called. */
function outputOf(program) {
  const begin = `const { Producer } = require(${JSON.stringify(path.join(__dirname, '..'))});
    const fs = require('node:fs');
    const { setTimeout: sleep } = require('node:timers/promises');
    const MOCK = { 'test.mock.num.brokers': 1, 'transactional.id': 'id' };
    const used = () => ['task', 'fd'].map((what) => fs.readdirSync('/proc/self/' + what).length);
    const collect = async () => { for (let i = 0; i < 10; i++) { gc(); await sleep(20); } };`;
  const done = spawnSync(process.execPath, ['--expose-gc', '-e', `${begin} (async () => { ${program} })();`],
    { encoding: 'utf8', timeout: 60000 });
  assert.deepStrictEqual([done.status, done.signal], [0, null], done.stderr + done.stdout);
  return done.stdout.trim();
}

test('they are ended with their threads and descriptors', () => {
  assert.strictEqual(outputOf(`
    await (async () => { await new Producer(MOCK).close(); })();
    await collect();
    const before = used();
    for (let i = 0; i < 20; i++) new Producer({ 'bootstrap.servers': '127.0.0.1:1' });
    for (let i = 0; i < 10; i++) await new Producer({ 'test.mock.num.brokers': 1 }).send({ topic: 't', value: 'x' });
    const between = used();
    await collect();
    const after = used();
    // A few may still be in reach of the stack.
    console.log(after.map((count, i) => count - before[i] < (between[i] - before[i]) / 5).join());`), 'true,true');
});

test('what they have sent has its outcome before', () => {
  assert.strictEqual(outputOf(`
    const before = used();
    const later = { 'test.mock.num.brokers': 1, 'linger.ms': 600 };
    const sent = (() => Array.from({ length: 5 }, (_, i) => {
      const producer = new Producer(later);
      if (i > 0) return producer.send({ topic: 't', value: 'x', partition: 0 });
      const batch = producer.createBatch();
      batch.append({ value: 'x' });
      return producer.sendBatch(batch, 't', 0);
    }))();
    const flushed = (() => new Producer(later).flush())();
    await collect();
    console.log((await Promise.all(sent)).map(({ offset }) => offset).join(), await flushed);
    await collect();
    console.log(used()[0] - before[0] < 5);`), '0,0,0,0,0 undefined\ntrue');
});

test('a transaction in which nothing is owed goes on', () => {
  assert.strictEqual(outputOf(`
    const result = (() => new Producer(MOCK).transaction(async () => { await collect(); return 5; }))();
    console.log(await result);`), '5');
});

test('who waits for readiness is told', () => {
  assert.strictEqual(outputOf(`
    const stop = new AbortController();
    const [sent, readiness] = (() => {
      const producer = new Producer({ 'bootstrap.servers': '127.0.0.1:1' }, { highWaterMark: 2 });
      const records = [1, 2].map(() => producer.send({ topic: 't', value: 'x' }, stop));
      return [Promise.allSettled(records), producer.ready()];
    })();
    stop.abort();
    await sent;
    await collect();
    console.log(await readiness);`), 'undefined');
});

test('a closed one is left alone', () => {
  assert.strictEqual(outputOf(`
    await (async () => { for (let i = 0; i < 5; i++) await new Producer(MOCK).close(); })();
    await collect();
    const producer = new Producer({ 'test.mock.num.brokers': 1 });
    console.log((await producer.send({ topic: 't', value: 'x' })).offset);`), '0');
});

test('the collection of one that is idle does not hold the process', () => {
  assert.strictEqual(outputOf(`
    new Producer(MOCK);
    gc();
    console.log('done');`), 'done');
});
