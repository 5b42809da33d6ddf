// Batches that their user fills and sends to a partition.

package kprod

// #include "bridge.h"
//
// #cgo noescape kprod_go_batch_append
// #cgo nocallback kprod_go_batch_append
import "C"

import (
	"context"
	"errors"
	"runtime"
	"time"
)

// Batch is filled by its user with records for one partition, and sent as it is. Making and filling it does not touch
// the network. One goroutine uses it at a time.
type Batch struct {
	producer *Producer
	batch    *batchHandle
	size     int
	records  int
}

// batchHandle owns the library's batch until it is freed, at the latest when nobody can use it any more.
type batchHandle struct{ batch *C.kprod_batch_t }

func (h *batchHandle) free() {
	C.kprod_batch_free(h.batch)
	h.batch = nil
}

// Appended tells where a record stands in a batch.
type Appended struct {
	// Offset counts from 0, the batch's first record.
	Offset int64
	// Size is how many bytes of the batch the record takes.
	Size      int
	Timestamp time.Time
}

// NewBatch makes an empty batch, which may grow to batch.size.
func (p *Producer) NewBatch() (*Batch, error) {
	if !p.enter() {
		return nil, refused(C.KPROD_ERR_CLOSED)
	}
	defer p.leave()
	handle := &batchHandle{}
	var failure *C.kprod_error_t
	if code := C.kprod_create_batch(p.producer, &handle.batch, &failure); code != 0 {
		return nil, given(code, failure)
	}
	runtime.SetFinalizer(handle, (*batchHandle).free)
	b := &Batch{producer: p, batch: handle}
	b.measure()
	return b, nil
}

// Append adds a record; its Topic and Partition must be left empty. [ErrBatchFull] means that there is no room, and
// that the batch is closed now: send it. The first record is always taken.
func (b *Batch) Append(record *Record) (Appended, error) {
	if err := record.check(); err != nil {
		return Appended{}, err
	}
	if record.Topic != "" || record.Partition != (Partition{}) {
		return Appended{}, invalid("a batch's records have no topic and no partition of their own: SendAsync names them")
	}
	if b.batch == nil {
		return Appended{}, sent()
	}
	defer runtime.KeepAlive(b.batch)
	var headers []byte
	if len(record.Headers) > 0 {
		headers = appendHeaders(nil, record.Headers)
	}
	var appended C.kprod_batch_append_t
	code := C.kprod_go_batch_append(b.batch.batch, record.timestamp(), pointer(record.Key), length(record.Key),
		pointer(record.Value), length(record.Value), pointer(headers), C.uint32_t(len(record.Headers)), &appended)
	switch code {
	case 0:
	case C.KPROD_ERR_ILLEGAL_STATE:
		return Appended{}, &Error{Code: ErrIllegalState, Message: "the batch is closed: send it, and make a new one for the record"}
	default:
		return Appended{}, refused(code)
	}
	b.measure()
	return Appended{
		Offset:    int64(appended.offset),
		Size:      int(appended.size),
		Timestamp: time.UnixMilli(int64(appended.timestamp_ms)),
	}, nil
}

// Close lets the batch take no more records, neither from Append nor, once it is sent, from the producer's own sends to
// the same partition.
func (b *Batch) Close() error {
	if b.batch == nil {
		return sent()
	}
	defer runtime.KeepAlive(b.batch)
	if code := C.kprod_batch_close(b.batch.batch); code != 0 {
		return refused(code)
	}
	return nil
}

// Size is the batch's size in bytes, 61 when it is empty.
func (b *Batch) Size() int { return b.size }

// Len is the number of its records.
func (b *Batch) Len() int { return b.records }

func (b *Batch) measure() {
	b.size = int(C.kprod_batch_size(b.batch.batch))
	b.records = int(C.kprod_batch_record_count(b.batch.batch))
	runtime.KeepAlive(b.batch)
}

// Send sends the batch and waits for its outcome. See SendAsync and [Producer.Send].
func (b *Batch) Send(ctx context.Context, topic string, partition int32) (Report, error) {
	if err := mayWait("Batch.Send"); err != nil {
		return nowhere, err
	}
	answer := make(chan Result, 1)
	if err := b.send(ctx, topic, partition, waiting{results: answer, left: 1}); err != nil {
		return nowhere, err
	}
	if b.producer.lingers {
		b.producer.hurry()
	}
	defer runtime.KeepAlive(b.producer) // one that was dropped would be closed
	select {
	case result := <-answer:
		return result.Report, result.Err
	case <-ctx.Done():
		return nowhere, interrupted(ctx, ErrStillPending, "the batch was accepted and has no outcome yet")
	}
}

// SendAsync sends the batch to a partition and returns when it is accepted: it waits for metadata, until the batches that
// came to the partition before are on their way, and for room, until ctx ends and up to max.block.ms. After an error the
// batch is as it was and may be sent again, unless ctx ended: then it is discarded. One that still waits when its
// transaction is committed or aborted is refused with [ErrIllegalState]. done gets the one outcome of the whole batch,
// whose offset is that of its first record; nil is for those who do not care. An empty batch succeeds without a request.
// Within a function given to a send it does not wait: while the one before is not on its way, it returns [ErrQueueFull].
func (b *Batch) SendAsync(ctx context.Context, topic string, partition int32, done func(Report, error)) error {
	return b.send(ctx, topic, partition, waiting{done: done, left: 1})
}

func (b *Batch) send(ctx context.Context, name string, partition int32, who waiting) error {
	if b.batch == nil {
		return sent()
	}
	err := b.handOver(ctx, name, partition, who)
	if err == nil || ctx != nil && ctx.Err() != nil && errors.Is(err, ctx.Err()) {
		b.discard()
	}
	return err
}

var batchWaits = &waitTexts{
	unknown: "the batch was not sent, for want of its topic's metadata",
	noRoom:  "the batch was not accepted, and is discarded",
	tooLate: "the batch was not sent: within max.block.ms there was no room in buffer.memory, or one sent before did not " +
		"leave the partition's queue",
	overtaken: "the batch was not sent, for its transaction was committed or aborted meanwhile: send it in the next one",
}

func (b *Batch) handOver(ctx context.Context, name string, partition int32, who waiting) error {
	if err := goesOn(ctx, "the batch was not sent, and is discarded"); err != nil {
		return err
	}
	if partition < 0 {
		return invalid("the batch's partition is %d: a batch needs one of its topic's, whose numbers begin at 0", partition)
	}
	p := b.producer
	if !p.enter() {
		return refused(C.KPROD_ERR_CLOSED)
	}
	defer p.leave()
	in, err := p.steps.eras.now()
	if err != nil {
		return err
	}
	to, err := p.topic(name)
	if err != nil {
		return err
	}
	var until time.Time
	if !to.known.Load() && b.records > 0 && !inCallback() {
		until = p.deadline()
		if err := p.known(ctx, in, to, batchWaits); err != nil {
			return err
		}
	}
	place := p.table.take(who)
	try := func() C.int32_t {
		if !in.enter() {
			return C.KPROD_ERR_ILLEGAL_STATE
		}
		defer in.leave()
		return C.kprod_try_send_batch(p.producer, b.batch.batch, to.handle, C.int32_t(partition), tagOf(place, 0))
	}
	code := C.int32_t(C.KPROD_ERR_QUEUE_FULL)
	if !p.batches.busy(to.handle, partition) || inCallback() {
		code = try()
	}
	if code == 0 {
		return nil
	}
	if err = batchWaits.refused(code); full(code) && !inCallback() {
		err = p.whenRoom(ctx, wait{p.batches.line(to.handle, partition), in, until, batchWaits}, try)
	}
	if err != nil {
		p.table.give(place, 1)
	}
	return err
}

func (b *Batch) discard() {
	b.batch.free()
	runtime.SetFinalizer(b.batch, nil)
	b.batch = nil
}

func sent() error {
	return &Error{Code: ErrIllegalState, Message: "the batch was sent or discarded: make a new one"}
}
