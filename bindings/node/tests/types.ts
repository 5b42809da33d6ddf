import { Producer, KprodError, Metadata } from '..';

export async function use(): Promise<number> {
  const producer = new Producer({ 'bootstrap.servers': 'localhost:9092', 'linger.ms': 5, 'enable.idempotence': true });
  const metadata: Metadata = await producer.send({ topic: 't', value: 'x', headers: [['k', null]] });
  await producer.send({ topic: 't', headers: new Map([['k', 'v']]) }, { signal: AbortSignal.timeout(5) });
  const batch = producer.createBatch();
  const appended = batch.append({ key: null, value: new Uint8Array(3) });
  await producer.sendBatch(batch, 't', 0);
  await producer.sendBatch(batch, 't', 0, { signal: AbortSignal.timeout(5) });
  await using other = new Producer({});
  await other.start();
  await producer.transaction(async (transaction) => (await transaction.send({ topic: 't' })).offset);
  try {
    await producer.close();
  } catch (error) {
    if (error instanceof KprodError && error.retriable) return error.code;
  }
  // @ts-expect-error a topic is needed
  await producer.send({ value: 'x' });
  return metadata.offset + (appended?.size ?? 0);
}
