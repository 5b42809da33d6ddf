// What goes in and what comes back: records, their headers, and reports.

package kprod

// #include <kprod.h>
import "C"

import (
	"encoding/binary"
	"math"
	"time"
)

// Record is a record to send. Everything but Topic may be left out.
type Record struct {
	Topic string
	// Key places the record: equal keys go to the same partition. nil is no key, which is not the same as an empty one.
	Key []byte
	// Value is the record's content. nil is none, a tombstone in a compacted topic.
	Value   []byte
	Headers []Header
	// Partition is left to the partitioner unless set: Partition: kprod.To(3).
	Partition Partition
	// Timestamp is the time of the send if zero.
	Timestamp time.Time
}

// Header is one of a record's headers. Keys may repeat; a nil value is none, which is not the same as an empty one.
type Header struct {
	Key   string
	Value []byte
}

// Partition is a partition that a record asks for; the zero Partition leaves the choice to the partitioner.
type Partition struct{ next int32 }

// To asks for a partition. One that the topic does not have is refused with [ErrUnknownPartition], a negative one with
// [ErrInvalidArg].
func To(partition int32) Partition {
	if partition < 0 {
		partition = -2 // which every send refuses, whatever the number was
	}
	return Partition{partition + 1}
}

func (p Partition) number() C.int32_t { return C.int32_t(p.next - 1) }

// Report is the outcome of a record, or of a batch: where it stands in the log.
type Report struct {
	Topic     string
	Partition int32
	// Offset is the record's place in the partition, a batch's first record's; -1 where none is known (acks=0).
	Offset int64
	// LogStartOffset is the first offset that the partition still holds; -1 where the broker did not say.
	LogStartOffset int64
	// Records is how many records the report is about: 1, or a batch's number.
	Records int
	// TimestampType tells whose Timestamp is.
	TimestampType TimestampType

	timestamp int64
	flags     uint32
}

// nowhere is the report of what was refused, or has no outcome yet.
var nowhere = Report{Partition: -1, Offset: -1, LogStartOffset: -1, TimestampType: NoTimestamp}

// Timestamp is the record's time, the producer's or the broker's; the zero Time if none is known.
func (r Report) Timestamp() time.Time {
	if r.TimestampType == NoTimestamp {
		return time.Time{}
	}
	return time.UnixMilli(r.timestamp)
}

// Persistence tells whether the record stands in the log.
func (r Report) Persistence() Persistence { return persistence(r.flags) }

// TimestampType tells whose a timestamp is.
type TimestampType int32

// The types of timestamps.
const (
	NoTimestamp   TimestampType = C.KPROD_TIMESTAMP_NONE
	CreateTime    TimestampType = C.KPROD_TIMESTAMP_CREATE_TIME
	LogAppendTime TimestampType = C.KPROD_TIMESTAMP_LOG_APPEND_TIME
)

// Persistence tells whether a record stands in the log.
type Persistence uint32

// What is known of a record's place in the log.
const (
	NotPersisted      Persistence = C.KPROD_PERSISTED_NOT
	PossiblyPersisted Persistence = C.KPROD_PERSISTED_POSSIBLY
	Persisted         Persistence = C.KPROD_PERSISTED_YES
)

func persistence(flags uint32) Persistence { return Persistence(flags & C.KPROD_PERSISTENCE_MASK) }

// String gives "not persisted", "possibly persisted" or "persisted".
func (p Persistence) String() string {
	switch p {
	case NotPersisted:
		return "not persisted"
	case PossiblyPersisted:
		return "possibly persisted"
	default:
		return "persisted"
	}
}

func (r *Record) timestamp() C.int64_t {
	if r.Timestamp.IsZero() {
		return C.KPROD_TIMESTAMP_NOW
	}
	milliseconds := r.Timestamp.UnixMilli()
	if milliseconds == C.KPROD_TIMESTAMP_NOW {
		milliseconds = math.MinInt64 // before 1970, and so refused, not taken for now
	}
	return C.int64_t(milliseconds)
}

// length is that of a key or a value, of which nil is none.
func length(bytes []byte) C.int64_t {
	if bytes == nil {
		return C.KPROD_NULL
	}
	return C.int64_t(len(bytes))
}

// check refuses what is no record, what asks for no partition, and what is larger than any can be, before lengths become
// C's.
func (r *Record) check() error {
	if r == nil {
		return noRecord()
	}
	if r.Partition.next < 0 {
		return invalid("the record's Partition is negative: To takes a partition's number, and numbers begin at 0")
	}
	if len(r.Key)|len(r.Value) > math.MaxInt32 || len(r.Headers) > 0 && r.isTooLarge() {
		return refused(C.KPROD_ERR_RECORD_TOO_LARGE)
	}
	return nil
}

func (r *Record) isTooLarge() bool {
	left := math.MaxInt32 - len(r.Headers)
	for i := range r.Headers {
		for _, size := range []int{len(r.Headers[i].Key), len(r.Headers[i].Value)} {
			if size > left {
				return true
			}
			left -= size
		}
	}
	return left < 0
}

// appendHeaders appends them as bridge.h reads them.
func appendHeaders(to []byte, headers []Header) []byte {
	for i := range headers {
		header := &headers[i]
		to = binary.NativeEndian.AppendUint32(to, uint32(len(header.Key)))
		to = append(to, header.Key...)
		to = binary.NativeEndian.AppendUint32(to, uint32(int32(length(header.Value))))
		to = append(to, header.Value...)
	}
	return to
}
