'use strict';
// What worker threads leave behind, however they end.

const { test } = require('node:test');
const assert = require('node:assert');
const { once } = require('node:events');
const fs = require('node:fs');
const path = require('node:path');
const { Worker } = require('node:worker_threads');
const { MockCluster } = require('./support/clusters');

/** Runs the program in a worker, to its end; it is terminated when it says so. Gives the exit's code. */
async function work(program, workerData) {
  const begin = `const { Producer } = require(${JSON.stringify(path.join(__dirname, '..'))});
    const { parentPort, workerData } = require('node:worker_threads');
    const bootstrap = { 'bootstrap.servers': workerData };
    const filled = (producer) => { const b = producer.createBatch(); b.append({ value: 'x'.repeat(9e5) }); return b; };`;
  const worker = new Worker(`${begin} (async () => { ${program} })();`, { eval: true, workerData });
  worker.on('message', () => worker.terminate());
  const [code] = await once(worker, 'exit');
  return code;
}

/** The library's threads and all descriptors of this process. */
function used() {
  const names = fs.readdirSync('/proc/self/task').map((id) => fs.readFileSync(`/proc/self/task/${id}/comm`, 'utf8'));
  return [names.filter((name) => name.startsWith('kprod')).length, fs.readdirSync('/proc/self/fd').length];
}

const resident = () => Number(/VmRSS:\s+(\d+)/.exec(fs.readFileSync('/proc/self/status', 'utf8'))[1]) >> 10;

/** Two producers, of which one has sent something and one has not. */
const TWO = `const idle = new Producer(bootstrap);
  const producer = new Producer(bootstrap);
  await producer.send({ topic: 't', value: 'x' });`;
const WAYS = {
  'by itself': ['', 0],
  'by itself, one closed': ['await idle.close();', 0],
  'by itself, both closed': ['await Promise.all([idle.close(), producer.close()]);', 0],
  'by process.exit()': ['process.exit(5);', 5],
  'by process.exit() with records on their way': [`for (let i = 0; i < 5000; i++) {
    producer.send({ topic: 't', value: 'x' });
  } await null; process.exit(5);`, 5],
  'by process.exit() while one is closed': ['producer.close(); process.exit(5);', 5],
  'by an exception': ['process.on("uncaughtException", () => process.exit(6)); throw new RangeError("mine");', 6],
  'by terminate()': ['parentPort.postMessage(""); setInterval(() => {}, 1000);', 1],
  'by terminate() amid records': [`parentPort.postMessage("");
    for (;;) { await producer.ready(); producer.send({ topic: 't', value: 'x' }).catch(() => {}); }`, 1],
  'by terminate() in a loop without turns': ['parentPort.postMessage(""); for (;;) producer.createBatch();', 1],
};

for (const [way, [program, code]] of Object.entries(WAYS)) {
  test(`a worker that ends ${way} leaves no thread or descriptor`, async () => {
    const cluster = new MockCluster();
    cluster.createTopic('t', 1);
    try {
      // What Node and the mock cluster keep for later is there by then.
      await work(TWO + program, cluster.bootstrap);
      const before = used();
      for (let i = 0; i < 3; i++) assert.strictEqual(await work(TWO + program, cluster.bootstrap), code);
      const [threads, descriptors] = used();
      assert.strictEqual(threads, before[0]);
      assert.ok(descriptors <= before[1], `${descriptors} descriptors, and there were ${before[1]}`);
    } finally {
      cluster.destroy();
    }
  });
}

test('a worker that ends leaves no batches', async () => {
  const fill = `const large = new Producer({ 'bootstrap.servers': '127.0.0.1:1', 'batch.size': 1000000 });
    globalThis.kept = Array.from({ length: 50 }, () => filled(large));
    kept.pop().free();`;
  await work(fill);
  const before = resident();
  for (let i = 0; i < 5; i++) await work(`${fill} if (${i} % 2) process.exit(0);`);
  assert.ok(resident() - before < 100, `${resident() - before} MiB more`);
});

test('the outcomes of what a worker has sent are waited for', async () => {
  const cluster = new MockCluster();
  cluster.createTopic('t', 1);
  try {
    const slow = "new Producer({ ...bootstrap, 'linger.ms': 200 })";
    await work(`${slow}.send({ topic: 't', value: 'sent' });`, cluster.bootstrap);
    assert.deepStrictEqual(await cluster.consume('t', '%s'), ['sent']);
  } finally {
    cluster.destroy();
  }
});
