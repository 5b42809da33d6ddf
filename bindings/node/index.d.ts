/// <reference lib="esnext.disposable" />

export type Bytes = string | Uint8Array | null;

/** What is used of an AbortSignal, of which the DOM's and Node's types are. */
export interface Signal {
  readonly aborted: boolean;
  readonly reason?: any;
  addEventListener(type: 'abort', listener: () => void, options?: { once?: boolean }): void;
  removeEventListener(type: 'abort', listener: () => void): void;
}

export interface Message {
  topic: string;
  key?: Bytes;
  value?: Bytes;
  headers?: Record<string, Bytes> | Iterable<[string, Bytes]>;
  partition?: number;
  /** Milliseconds since the epoch. */
  timestamp?: number;
}

export interface Metadata {
  topic: string;
  partition: number;
  /** Of a batch: its first record's. -1 with acks=0. */
  offset: number;
  timestamp: number;
  /** 0: the producer's time, 1: the broker's, -1: none. */
  timestampType: number;
  count: number;
  logStartOffset: number;
}

export interface Offset {
  topic: string;
  partition: number;
  offset: number;
  metadata?: string;
  leaderEpoch?: number;
}

export interface GroupMetadata {
  groupId: string;
  memberId?: string;
  generationId?: number;
  groupInstanceId?: string;
}

export class KprodError extends Error {
  private constructor();
  readonly code: number;
  readonly name: string;
  readonly retriable: boolean;
  readonly abortable: boolean;
  readonly fatal: boolean;
  /** Of a record or batch: whether it may stand in the log all the same. */
  readonly persisted?: 'no' | 'possibly' | 'yes';
  /** Of a commit: why a record of the transaction was refused. Of an abort: what led to it. */
  readonly cause?: unknown;
}

export class Batch {
  private constructor();
  /** null: no room, and the batch is closed now. */
  append(record: Omit<Message, 'topic' | 'partition'>): { offset: number; timestamp: number; size: number } | null;
  close(): void;
  readonly size: number;
  readonly recordCount: number;
  free(): void;
  readonly freed: boolean;
}

export class Producer {
  constructor(properties: Record<string, string | number | boolean>, options?: { highWaterMark?: number });
  start(): Promise<unknown>;
  /** The signal has an effect only until the library has accepted the record; then it is never sent. */
  send(message: Message, options?: { signal?: Signal }): Promise<Metadata>;
  /**
   * Resolves when more may be sent: buffer.memory has room, fewer than highWaterMark (4096) records are without an
   * outcome, and the event loop had its turn. Refused with CLOSED after close().
   */
  ready(): Promise<void>;
  partitionsFor(topic: string): Promise<number>;
  flush(): Promise<void>;
  createBatch(): Batch;
  /**
   * The signal has an effect only until the library has accepted the batch; then it is never sent, and freed. Refused
   * for any other reason, it may be sent again.
   */
  sendBatch(batch: Batch, topic: string, partition: number, options?: { signal?: Signal }): Promise<Metadata>;
  /** What is sent before it has resolved is refused with ILLEGAL_STATE, and does not count against the transaction. */
  beginTransaction(): Promise<void>;
  /** Refused, with the cause, after a record or batch of the transaction was refused: then abort. */
  commitTransaction(): Promise<void>;
  abortTransaction(): Promise<void>;
  sendOffsetsToTransaction(offsets: Offset[], group: string | GroupMetadata): Promise<void>;
  /**
   * Aborts whatever the body throws, and when a record failed: the promises of records need no handler. When only the
   * commit's time has passed (TIMED_OUT), it goes on, and commitTransaction() has its result.
   */
  transaction<T>(body: (producer: Producer) => Promise<T> | T): Promise<T>;
  close(): Promise<void>;
  /** Closes it, for `await using`. */
  [Symbol.asyncDispose](): Promise<void>;
}
