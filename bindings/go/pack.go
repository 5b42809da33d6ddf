// Many records handed over in one call.

package kprod

// #include "bridge.h"
//
// #cgo noescape kprod_go_send_packed
// #cgo nocallback kprod_go_send_packed
import "C"

import (
	"context"
	"math"
	"slices"
	"sync"
	"time"
)

// Pack collects records, of any topics, to be handed over in one call: a copy of their bytes and no more for each of
// them. It may be used again after it was sent. One goroutine uses it at a time.
type Pack struct {
	producer *Producer
	bytes    []byte
	records  []C.kprod_packed_t
	// unknown has the records whose topic was not known yet, in their order.
	unknown []recordOf
}

// recordOf is a record's number, and its topic.
type recordOf struct {
	number int
	topic  *topic
}

// NewPack makes an empty Pack.
func (p *Producer) NewPack() *Pack { return &Pack{producer: p, bytes: someBytes()} }

// someBytes are never at nil, which C would take for a missing key or value.
func someBytes() []byte { return make([]byte, 0, 512) }

// Len is the number of records.
func (k *Pack) Len() int { return len(k.records) }

// Size is the number of their bytes.
func (k *Pack) Size() int { return len(k.bytes) }

// Reset empties the pack and keeps its memory.
func (k *Pack) Reset() {
	k.bytes = k.bytes[:0]
	k.records = k.records[:0]
	clear(k.unknown)
	k.unknown = k.unknown[:0]
}

// maxPack is as far as a record's place in a pack can be told.
const maxPack = math.MaxInt32

// Append copies a record into the pack. On an error, of which a topic's name or too many bytes (2 GiB) may be the
// reason, nothing is appended.
func (k *Pack) Append(record *Record) error {
	if err := record.check(); err != nil {
		return err
	}
	if !k.producer.enter() {
		return refused(C.KPROD_ERR_CLOSED)
	}
	defer k.producer.leave()
	return k.append(record)
}

func (k *Pack) append(record *Record) error {
	to, err := k.producer.topic(record.Topic)
	if err != nil {
		return err
	}
	start := len(k.bytes)
	k.bytes = append(append(k.bytes, record.Key...), record.Value...)
	headers := len(k.bytes)
	if len(record.Headers) > 0 {
		k.bytes = appendHeaders(k.bytes, record.Headers)
	}
	if len(k.bytes) > maxPack {
		k.bytes = k.bytes[:start]
		return invalid("a pack holds at most %d bytes: send it, then append the record", maxPack)
	}
	if !to.known.Load() {
		k.unknown = append(k.unknown, recordOf{len(k.records), to})
	}
	k.records = append(k.records, C.kprod_packed_t{
		timestamp_ms: record.timestamp(),
		topic:        to.handle,
		partition:    record.Partition.number(),
		offset:       C.uint32_t(start),
		key_len:      C.int32_t(length(record.Key)),
		value_len:    C.int32_t(length(record.Value)),
		headers_len:  C.uint32_t(len(k.bytes) - headers),
		header_count: C.uint32_t(len(record.Headers)),
	})
	return nil
}

// Send hands the records over, in their order, and returns when all are accepted: it waits for metadata and for room
// until ctx ends and up to max.block.ms, for all of them together. accepted is how many of them, from the first, were:
// on an error those behind are refused, and the error tells why the first of them was. done gets the outcome of each
// accepted record, with its number; nil is for those who do not care. Within a function given to a send it does not
// wait: [ErrQueueFull] tells that there is no room for more. All of them belong to the transaction in which Send was
// called: those that still wait when it is committed or aborted are refused with [ErrIllegalState]. The pack keeps its
// records until Reset.
func (k *Pack) Send(ctx context.Context, done func(number int, report Report, err error)) (accepted int, err error) {
	var in *era
	if len(k.records) > 0 {
		if in, err = k.producer.begins(); err != nil {
			return 0, err
		}
	}
	return k.send(ctx, in, done)
}

// send is Send for a call that began in an era.
func (k *Pack) send(ctx context.Context, in *era, done func(int, Report, error)) (accepted int, err error) {
	p := k.producer
	if err := goesOn(ctx, "the records were not sent"); err != nil {
		return 0, err
	}
	if !p.enter() {
		return 0, refused(C.KPROD_ERR_CLOSED)
	}
	defer p.leave()
	if len(k.records) == 0 {
		return 0, nil
	}
	if done == nil {
		done = func(int, Report, error) {}
	}
	place := p.table.take(waiting{many: done, left: uint32(len(k.records))})
	for i := range k.records {
		k.records[i].tag = tagOf(place, i)
	}
	if k.isKnown() || inCallback() { // where the records wait for metadata in buffer.memory
		err = k.handOver(ctx, wait{&p.room, in, time.Time{}, recordWaits}, len(k.records), &accepted)
	} else {
		err = k.handOverWhenKnown(ctx, in, &accepted)
	}
	if left := len(k.records) - accepted; left > 0 {
		p.table.give(place, left)
	}
	return accepted, err
}

// handOver hands over the records from accepted up to another, and waits for room.
func (k *Pack) handOver(ctx context.Context, how wait, end int, accepted *int) error {
	if *accepted == end {
		return nil
	}
	try := func() C.int32_t {
		if !how.in.enter() {
			return C.KPROD_ERR_ILLEGAL_STATE
		}
		defer how.in.leave()
		var why C.int32_t
		got := C.kprod_go_send_packed(k.producer.producer, pointer(k.bytes), C.uint64_t(len(k.bytes)),
			&k.records[*accepted], C.uint64_t(end-*accepted), &why)
		*accepted += int(got)
		return why
	}
	code := C.int32_t(C.KPROD_ERR_QUEUE_FULL)
	if k.producer.mayTry() {
		code = try()
	}
	if code == 0 {
		return nil
	}
	if full(code) && !inCallback() {
		return k.producer.whenRoom(ctx, how, try)
	}
	return how.what.refused(code)
}

// isKnown tells whether no record has to wait for its topic's metadata.
func (k *Pack) isKnown() bool {
	return !slices.ContainsFunc(k.unknown, func(of recordOf) bool { return !of.topic.known.Load() })
}

// handOverWhenKnown asks for all topics at once, so that their answers all come within max.block.ms, and waits for each
// only when the records before its first are handed over.
func (k *Pack) handOverWhenKnown(ctx context.Context, in *era, accepted *int) error {
	p := k.producer
	how := wait{&p.room, in, p.deadline(), recordWaits}
	limit, cancel := p.inTime(ctx)
	defer cancel()
	answers := map[*topic]<-chan Result{}
	for _, of := range k.unknown {
		if answers[of.topic] == nil && !of.topic.known.Load() {
			answer, err := p.ask(p.metadata(of.topic))
			if err != nil {
				return err
			}
			answers[of.topic] = answer
		}
	}
	for _, of := range k.unknown {
		answer := answers[of.topic]
		if answer == nil {
			continue
		}
		delete(answers, of.topic)
		if err := k.handOver(ctx, how, of.number, accepted); err != nil {
			return err
		}
		if err := p.getKnown(limit, in, of.topic, answer, recordWaits); err != nil {
			return err
		}
	}
	return k.handOver(ctx, how, len(k.records), accepted)
}

// packs has those of SendMany.
var packs = sync.Pool{New: func() any { return &Pack{bytes: someBytes()} }}

// packAtATime is how many bytes SendMany copies before it hands them over.
const packAtATime = 256 << 10

// SendMany sends records as a [Pack] does, all of them in one transaction too, and spares its user the Pack. It may take
// max.block.ms for every 256 KiB.
func (p *Producer) SendMany(ctx context.Context, records []Record,
	done func(number int, report Report, err error)) (accepted int, err error) {
	if len(records) == 0 {
		return 0, nil
	}
	in, err := p.begins()
	if err != nil {
		return 0, err
	}
	pack := packs.Get().(*Pack)
	defer packs.Put(pack)
	pack.producer = p
	defer func() { pack.Reset(); pack.producer = nil }()
	for first := 0; first < len(records); {
		pack.Reset()
		next := first
		for ; next < len(records) && pack.Size() < packAtATime; next++ {
			if err = pack.Append(&records[next]); err != nil {
				break
			}
		}
		from := first
		got, refusal := pack.send(ctx, in, func(number int, report Report, err error) {
			if done != nil {
				done(from+number, report, err)
			}
		})
		accepted += got
		if refusal != nil {
			return accepted, refusal
		}
		if err != nil {
			return accepted, err
		}
		first = next
	}
	return accepted, nil
}
