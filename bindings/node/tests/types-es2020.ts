// The types need neither the DOM's nor Node's.
import { Producer, type Signal } from '..';

const signal: Signal = { aborted: false, reason: undefined, addEventListener() {}, removeEventListener() {} };

export async function use(): Promise<number> {
  const producer = new Producer({ 'bootstrap.servers': 'localhost:9092' });
  const { offset } = await producer.send({ topic: 't', value: new Uint8Array(3) }, { signal });
  await producer.sendBatch(producer.createBatch(), 't', 0, { signal });
  await producer.close();
  // @ts-expect-error that is no signal
  await producer.send({ topic: 't' }, { signal: { aborted: false } });
  return offset;
}
