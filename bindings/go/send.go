// Sending records one by one.

package kprod

// #include "bridge.h"
//
// #cgo noescape kprod_go_try_send
// #cgo nocallback kprod_go_try_send
import "C"

import (
	"context"
	"runtime"
	"sync"
	"time"
	"unsafe"
)

// Send sends a record without linger and waits for its outcome.
//
// It waits for metadata and for room up to max.block.ms; for room, those who wait are served in the order in which they
// came. When ctx ends before the record is accepted, it is never sent; afterwards it goes its way, and the error is an
// [ErrStillPending]. A record that still waits when the transaction in which it was to be sent is committed or aborted
// is refused with [ErrIllegalState].
func (p *Producer) Send(ctx context.Context, record *Record) (Report, error) {
	if err := mayWait("Send"); err != nil {
		return nowhere, err
	}
	answer := answers.Get().(chan Result)
	if err := p.send(ctx, record, waiting{results: answer, left: 1}); err != nil {
		answers.Put(answer)
		return nowhere, err
	}
	if p.lingers {
		p.hurry()
	}
	defer runtime.KeepAlive(p) // one that was dropped would be closed
	select {
	case result := <-answer:
		answers.Put(answer)
		return result.Report, result.Err
	case <-ctx.Done():
		return nowhere, interrupted(ctx, ErrStillPending, "the record was accepted and has no outcome yet")
	}
}

// answers has channels for those who wait in Send. One that was given up still gets its answer, so it does not return.
var answers = sync.Pool{New: func() any { return make(chan Result, 1) }}

// hurry sends everything that lingers.
func (p *Producer) hurry() {
	if p.enter() {
		C.kprod_flush(p.producer, 0, nil)
		p.leave()
	}
}

// SendAsync sends a record and returns when it is accepted: it waits for metadata and for room until ctx ends and up to
// max.block.ms, or until its transaction is committed or aborted, which refuses the record with [ErrIllegalState]. done
// gets the outcome, exactly once if and only if SendAsync returns nil, possibly before it returns; nil is for those who
// do not care. Within a function given to a send it waits for nothing, as TrySend. See the package's notes on callbacks.
func (p *Producer) SendAsync(ctx context.Context, record *Record, done func(Report, error)) error {
	return p.send(ctx, record, waiting{done: done, left: 1})
}

// SendChan is SendAsync that puts the outcome into a channel, with the record. A channel without room holds up all
// outcomes of the producer.
func (p *Producer) SendChan(ctx context.Context, record *Record, results chan<- Result) error {
	return p.send(ctx, record, waiting{results: results, record: record, left: 1})
}

// TrySend is SendAsync that never waits: without room, and while others wait for room, it returns [ErrQueueFull]. A
// record of a topic that is not known yet waits in buffer.memory.
func (p *Producer) TrySend(record *Record, done func(Report, error)) error {
	if err := record.check(); err != nil {
		return err
	}
	if !p.enter() {
		return refused(C.KPROD_ERR_CLOSED)
	}
	defer p.leave()
	in, err := p.steps.eras.now()
	if err != nil {
		return err
	}
	topic, err := p.topic(record.Topic)
	if err != nil {
		return err
	}
	place := p.table.take(waiting{done: done, left: 1})
	code := C.int32_t(C.KPROD_ERR_QUEUE_FULL)
	if p.mayTry() {
		code = p.try(in, topic, record, place)
	}
	if code != 0 {
		p.table.give(place, 1)
		return recordWaits.refused(code)
	}
	return nil
}

func (p *Producer) send(ctx context.Context, record *Record, who waiting) error {
	if err := record.check(); err != nil {
		return err
	}
	if err := goesOn(ctx, "the record was not sent"); err != nil {
		return err
	}
	if !p.enter() {
		return refused(C.KPROD_ERR_CLOSED)
	}
	defer p.leave()
	in, err := p.steps.eras.now()
	if err != nil {
		return err
	}
	topic, err := p.topic(record.Topic)
	if err != nil {
		return err
	}
	var until time.Time
	if !topic.known.Load() && !inCallback() {
		until = p.deadline()
		if err := p.known(ctx, in, topic, recordWaits); err != nil {
			return err
		}
	}
	place := p.table.take(who)
	code := C.int32_t(C.KPROD_ERR_QUEUE_FULL)
	if p.mayTry() {
		code = p.try(in, topic, record, place)
	}
	if code == 0 {
		return nil
	}
	if err = recordWaits.refused(code); full(code) && !inCallback() {
		err = p.whenRoom(ctx, wait{&p.room, in, until, recordWaits}, func() C.int32_t {
			return p.try(in, topic, record, place)
		})
	}
	if err != nil {
		p.table.give(place, 1)
	}
	return err
}

// mayTry tells whether a send may be tried before it waits for room: not while others wait for theirs. A callback cannot
// wait, and what it sends takes the place of what is done.
func (p *core) mayTry() bool { return !p.room.busy() || inCallback() }

// known waits until the brokers have told about a topic. Not so in a callback: its records wait in buffer.memory.
func (p *Producer) known(ctx context.Context, in *era, topic *topic, what *waitTexts) error {
	ctx, done := p.inTime(ctx)
	defer done()
	answer, err := p.ask(p.metadata(topic))
	if err != nil {
		return err
	}
	return p.getKnown(ctx, in, topic, answer, what)
}

// try hands a record to the library, if the era in which its call began is not over.
func (p *Producer) try(in *era, topic *topic, record *Record, place uint32) C.int32_t {
	var headers []byte
	if len(record.Headers) > 0 {
		headers = appendHeaders(nil, record.Headers)
	}
	if !in.enter() {
		return C.KPROD_ERR_ILLEGAL_STATE
	}
	defer in.leave()
	return C.kprod_go_try_send(p.producer, topic.handle, record.Partition.number(), record.timestamp(),
		pointer(record.Key), length(record.Key), pointer(record.Value), length(record.Value),
		pointer(headers), C.uint32_t(len(record.Headers)), tagOf(place, 0))
}

func pointer(bytes []byte) *C.uint8_t { return (*C.uint8_t)(unsafe.SliceData(bytes)) }
