'use strict';
// Clusters for the tests: the library's mock cluster, and Apache Kafka where its files are. What is in them is read by
// another client, kcat.

const { execFile, spawnSync } = require('node:child_process');
const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');
const { promisify } = require('node:util');
const koffi = require('koffi');

const SCRIPTS = path.join(__dirname, '../../../../script');
const UP = 0;
const CRASHED = 1;
/** Numbers of APIs. */
const INIT_PRODUCER_ID = 22;
const END_TXN = 26;
const TXN_OFFSET_COMMIT = 28;
/** The size of kprod_mock_fault_t, and where in it the numbers are. */
const FAULT = 48;
const [API, DELAY] = [0, 36];

/** The lines that kcat writes of a topic's records. The mock cluster is in this process, but not in this thread. */
async function consume(bootstrap, topic, format, isolation = 'read_committed') {
  const { stdout } = await promisify(execFile)('kcat', ['-C', '-b', bootstrap, '-t', topic, '-e', '-q', '-f',
    `${format}\n`, '-X', `isolation.level=${isolation}`], { encoding: 'utf8', timeout: 60000, maxBuffer: 1 << 28 });
  return stdout.split('\n').slice(0, -1);
}

class MockCluster {
  constructor() {
    const library = koffi.load(process.env.KPROD_LIBRARY || 'libkprod.so.0');
    const create = library.func('int32_t kprod_mock_create(int32_t, void *, void *)');
    this._createTopic = library.func('int32_t kprod_mock_create_topic(void *, const char *, int32_t)');
    this._setState = library.func('int32_t kprod_mock_set_broker_state(void *, int32_t, int32_t)');
    this._faultInit = library.func('void kprod_mock_fault_init(void *)');
    this._inject = library.func('int32_t kprod_mock_inject(void *, void *)');
    this._requestCount = library.func('int64_t kprod_mock_request_count(void *, int32_t)');
    this._destroy = library.func('void kprod_mock_destroy(void *)');
    const out = Buffer.alloc(8);
    if (create(1, out, null) !== 0) throw new Error('the mock cluster was not made');
    this._mock = out.readBigUInt64LE(0);
    this.bootstrap = library.func('const char *kprod_mock_bootstrap(void *)')(this._mock);
  }

  createTopic(name, partitions) {
    if (this._createTopic(this._mock, name, partitions) !== 0) throw new Error('the topic was not made');
  }

  setBroker(state) {
    if (this._setState(this._mock, 1, state) !== 0) throw new Error('the broker has no such state');
  }

  /** The answer to the next request of this kind comes late. */
  delay(api, milliseconds) {
    const fault = Buffer.alloc(FAULT);
    this._faultInit(fault);
    fault.writeInt32LE(api, API);
    fault.writeInt32LE(milliseconds, DELAY);
    if (this._inject(this._mock, fault) !== 0) throw new Error('the fault was not taken');
  }

  requests(api) {
    return Number(this._requestCount(this._mock, api));
  }

  consume(...what) {
    return consume(this.bootstrap, ...what);
  }

  destroy() {
    this._destroy(this._mock);
  }
}

/** Why there is no Apache Kafka for the tests, or false. */
function kafkaIsMissing() {
  const { status } = spawnSync('bash', ['-c', '. "$0/lib/kafka.sh" && kafka_ready "$kafka_default"', SCRIPTS]);
  return status === 0 ? false : 'the files of Apache Kafka are missing: script/setup --kafka';
}

class Kafka {
  constructor() {
    this._directory = fs.mkdtempSync(path.join(os.tmpdir(), 'kprod-node-'));
    const { status, stdout, stderr } = this._script('start');
    if (status !== 0) throw new Error(stderr);
    this.bootstrap = stdout.trim();
  }

  consume(...what) {
    return consume(this.bootstrap, ...what);
  }

  stop() {
    this._script('stop');
  }

  _script(what) {
    return spawnSync(path.join(SCRIPTS, 'kafka'), [what, '--dir', this._directory], { encoding: 'utf8' });
  }
}

module.exports = { MockCluster, Kafka, kafkaIsMissing, UP, CRASHED, INIT_PRODUCER_ID, END_TXN, TXN_OFFSET_COMMIT };
