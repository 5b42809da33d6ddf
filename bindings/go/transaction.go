// Transactions: records and consumed offsets that become visible together, or not at all.

package kprod

// #include "bridge.h"
import "C"

import (
	"context"
	"errors"
	"unsafe"
)

// Transaction is what a producer sends between Begin and Commit. The producer needs a transactional.id, and has one
// transaction at a time: whatever is sent through it meanwhile belongs to the transaction.
//
// A step whose context ended is unfinished: nothing but the same step is allowed then, which waits for its end.
type Transaction struct {
	producer *Producer
	ended    bool
}

// Begin begins a transaction. The first one also waits until the transactional.id is this producer's alone.
func (p *Producer) Begin(ctx context.Context) (*Transaction, error) {
	err := p.call(ctx, "Begin", func(tag C.uint64_t) C.int32_t {
		return C.kprod_begin_transaction_async(p.producer, tag)
	})
	if err != nil {
		return nil, err
	}
	return &Transaction{producer: p}, nil
}

// Commit waits for the outcomes of all that was sent in the transaction, and commits it. When one of them failed,
// Commit does, with an error that is Abortable.
func (t *Transaction) Commit(ctx context.Context) error {
	if t.ended {
		return &Error{Code: ErrIllegalState, Message: "the transaction has ended"}
	}
	p := t.producer
	return t.end(p.call(ctx, "Commit", func(tag C.uint64_t) C.int32_t {
		return C.kprod_commit_transaction_async(p.producer, tag)
	}))
}

// Abort drops what was not sent, whose outcome is [ErrAborted], and makes the rest invisible to readers of committed
// records. After a successful Commit or Abort it does nothing, so that it can be deferred.
func (t *Transaction) Abort(ctx context.Context) error {
	if t.ended {
		return nil
	}
	p := t.producer
	return t.end(p.call(ctx, "Abort", func(tag C.uint64_t) C.int32_t {
		return C.kprod_abort_transaction_async(p.producer, tag)
	}))
}

func (t *Transaction) end(err error) error {
	t.ended = t.ended || err == nil
	return err
}

// Transact runs work in a transaction, and commits it if work returns nil. If it returns an error or panics, or if ctx
// has ended, the transaction is aborted, and so it is when the commit fails. Once begun, the commit does not heed ctx,
// but takes max.block.ms at most.
func (p *Producer) Transact(ctx context.Context, work func(*Transaction) error) (err error) {
	t, err := p.Begin(ctx)
	if err != nil {
		return err
	}
	defer func() {
		if !t.ended {
			limit, cancel := context.WithTimeout(context.WithoutCancel(ctx), p.maxBlock)
			defer cancel()
			if failure := t.Abort(limit); failure != nil {
				err = errors.Join(err, failure)
			}
		}
	}()
	if err = work(t); err != nil {
		return err
	}
	if ctx.Err() != nil {
		return interrupted(ctx, ErrAborted, "the transaction was aborted")
	}
	limit, cancel := context.WithTimeout(context.WithoutCancel(ctx), p.maxBlock)
	defer cancel()
	return t.Commit(limit)
}

// Offset is how far a consumer group has consumed a partition.
type Offset struct {
	Topic     string
	Partition int32
	// Offset is that of the next record to consume.
	Offset   int64
	Metadata string
	// LeaderEpoch is that of the last record consumed, or -1.
	LeaderEpoch int32
}

// Group is a consumer's membership of its group. Of a consumer that manages its partitions itself, only ID is set.
type Group struct {
	ID         string
	MemberID   string
	InstanceID string
	// Generation is the member's generation or epoch. Without a MemberID there is none.
	Generation int32
}

// SendOffsets makes consumed offsets part of the transaction: they are committed with it, or not at all.
func (t *Transaction) SendOffsets(ctx context.Context, offsets []Offset, group Group) error {
	p := t.producer
	return p.call(ctx, "SendOffsets", func(tag C.uint64_t) C.int32_t {
		var memory arena
		defer memory.free()
		var metadata C.kprod_group_metadata_t
		C.kprod_group_metadata_init(&metadata)
		metadata.group_id, metadata.group_id_len = memory.text(group.ID)
		metadata.member_id, metadata.member_id_len = memory.text(group.MemberID)
		if group.InstanceID != "" {
			metadata.group_instance_id, metadata.group_instance_id_len = memory.text(group.InstanceID)
		}
		metadata.generation_id = C.int32_t(group.Generation)
		if group.MemberID == "" && group.Generation == 0 {
			metadata.generation_id = -1
		}
		all := memory.offsets(offsets)
		return C.kprod_send_offsets_to_transaction_async(p.producer, all, C.uint64_t(len(offsets)), &metadata, tag)
	})
}

// arena holds what C is shown for one call.
type arena []unsafe.Pointer

func (a *arena) free() {
	for _, memory := range *a {
		C.free(memory)
	}
}

func (a *arena) text(text string) (*C.char, C.int64_t) {
	memory := C.CString(text)
	*a = append(*a, unsafe.Pointer(memory))
	return memory, C.int64_t(len(text))
}

func (a *arena) offsets(offsets []Offset) *C.kprod_group_offset_t {
	memory := C.calloc(C.size_t(len(offsets)+1), C.sizeof_kprod_group_offset_t)
	*a = append(*a, memory)
	for i, offset := range offsets {
		entry := &unsafe.Slice((*C.kprod_group_offset_t)(memory), len(offsets))[i]
		entry.topic_name, entry.topic_name_len = a.text(offset.Topic)
		entry.metadata, entry.metadata_len = a.text(offset.Metadata)
		entry.offset = C.int64_t(offset.Offset)
		entry.partition = C.int32_t(offset.Partition)
		entry.leader_epoch = C.int32_t(offset.LeaderEpoch)
	}
	return (*C.kprod_group_offset_t)(memory)
}
