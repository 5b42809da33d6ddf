'use strict';
// client.js NAME HOST:PORT RECORDS SIZE: sends records through one package to a broker that only acknowledges, after a
// tenth of them to warm up, and says what it took; then as many again, and says what the event loop's turns took. The
// script beside it runs all of them in turns.

const { watchTurns } = require('../tests/support/turns');

const TOPIC = 'bench';
/** Records whose promises are kept before they are awaited, as by a program that looks at each outcome. */
const WINDOW = 10000;

let acknowledged = 0;
function acknowledge(offset) {
  if (!(Number(offset) >= 0)) throw new Error(`no offset: ${offset}`);
  acknowledged++;
}

function kprod(servers) {
  const { Producer } = require('..');
  return new Producer({ 'bootstrap.servers': servers, acks: 1, 'linger.ms': 5 });
}

const contestants = {
  /** Does not wait for each outcome, but for readiness. */
  async kprod(servers, value) {
    const producer = kprod(servers);
    const told = ({ offset }) => acknowledge(offset);
    return {
      async send(records) {
        for (let i = 0; i < records; i++) {
          await producer.ready();
          producer.send({ topic: TOPIC, value }).then(told);
        }
        await producer.flush();
        await new Promise(setImmediate);
      },
      close: () => producer.close(),
    };
  },

  /** Keeps a window of promises, then awaits each. */
  async 'kprod-window'(servers, value) {
    const producer = kprod(servers);
    return {
      async send(records) {
        for (let left = records; left > 0; left -= WINDOW) {
          const window = [];
          for (let i = Math.min(left, WINDOW); i > 0; i--) window.push(producer.send({ topic: TOPIC, value }));
          for (const outcome of window) acknowledge((await outcome).offset);
        }
      },
      close: () => producer.close(),
    };
  },

  /** Its promises, in windows: the interface that its documents name first. */
  async 'kafka-javascript'(servers, value) {
    const { Kafka } = require('@confluentinc/kafka-javascript').KafkaJS;
    const kafka = new Kafka({ kafkaJS: { brokers: [servers], logLevel: 0 } });
    const producer = kafka.producer({ kafkaJS: { acks: 1 }, 'linger.ms': 5 });
    await producer.connect();
    return {
      async send(records) {
        for (let left = records; left > 0; left -= WINDOW) {
          const window = [];
          for (let i = Math.min(left, WINDOW); i > 0; i--) {
            window.push(producer.send({ topic: TOPIC, messages: [{ value }] }));
          }
          for (const outcome of window) acknowledge((await outcome)[0].baseOffset);
        }
      },
      close: () => producer.disconnect(),
    };
  },

  /** Its delivery reports as events: the interface of node-rdkafka, without promises. */
  async 'kafka-javascript-events'(servers, value) {
    const { Producer } = require('@confluentinc/kafka-javascript');
    const producer = new Producer({ 'bootstrap.servers': servers, acks: 1, 'linger.ms': 5, dr_cb: true });
    let wanted = 0;
    let all;
    producer.on('delivery-report', (error, report) => {
      if (error) throw error;
      acknowledge(report.offset);
      if (acknowledged === wanted) all();
    });
    await new Promise((resolve, reject) => {
      producer.connect({}, (error) => (error ? reject(error) : resolve()));
    });
    producer.setPollInterval(1);
    return {
      async send(records) {
        wanted = records;
        const done = new Promise((resolve) => { all = resolve; });
        for (let i = 0; i < records;) {
          try {
            producer.produce(TOPIC, null, value, null);
            if (++i % 1000 === 0) await new Promise(setImmediate);
          } catch (error) {
            if (error.code !== -184) throw error;
            producer.poll();
            await new Promise(setImmediate);
          }
        }
        producer.flush(60000);
        await done;
      },
      close: () => new Promise((resolve) => { producer.disconnect(resolve); }),
    };
  },

  /** A window is one call here: for each call it makes a request of its own. */
  async kafkajs(servers, value) {
    const { Kafka, Partitioners } = require('kafkajs');
    const kafka = new Kafka({ brokers: [servers], logLevel: 0 });
    const producer = kafka.producer({ createPartitioner: Partitioners.DefaultPartitioner });
    await producer.connect();
    return {
      async send(records) {
        for (let left = records; left > 0; left -= WINDOW) {
          const count = Math.min(left, WINDOW);
          const messages = Array.from({ length: count }, () => ({ value }));
          const answers = await producer.send({ topic: TOPIC, messages, acks: 1 });
          if (!answers.every(({ baseOffset }) => Number(baseOffset) >= 0)) throw new Error('no offset');
          acknowledged += count;
        }
      },
      close: () => producer.disconnect(),
    };
  },
};

async function main(name, servers, records, size) {
  const contestant = await contestants[name](servers, Buffer.alloc(size, 'x'));
  const run = async (count) => {
    acknowledged = 0;
    await contestant.send(count);
    if (acknowledged !== count) throw new Error(`${acknowledged} of ${count} records were acknowledged`);
  };
  await run(records / 10);
  const wall = process.hrtime.bigint();
  const cpu = process.cpuUsage();
  await run(records);
  const { user, system } = process.cpuUsage(cpu);
  const took = process.hrtime.bigint() - wall;
  // Not in the same run: the loop does not rest while its turns are watched.
  const watched = watchTurns();
  await run(records);
  const { long, uncollected, collections } = await watched();
  const total = records / 10 + records * 2;
  const told = { turns_over_5_ms: long.filter((turn) => turn > 5).length, longest_ms: (long[0] ?? 0).toFixed(1),
    without_gc_ms: (uncollected[0] ?? 0).toFixed(1), longest_gc_ms: (collections[0] ?? 0).toFixed(1) };
  console.log(`client=${name} records=${records} total=${total} wall_ns=${took} cpu_ns=${(user + system) * 1000} ` +
    Object.entries(told).map(([field, value]) => `${field}=${value}`).join(' '));
  await contestant.close();
}

const [, , name, servers, records, size] = process.argv;
main(name, servers, Number(records), Number(size)).catch((error) => {
  console.error(error);
  process.exit(1);
});
