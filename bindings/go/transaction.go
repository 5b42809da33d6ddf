// Transactions: records and consumed offsets that become visible together, or not at all.

package kprod

// #include "bridge.h"
import "C"

import (
	"context"
	"errors"
	"slices"
	"unsafe"
)

// Transaction is what a producer sends between Begin and Commit. The producer needs a transactional.id, and has one
// transaction at a time: whatever is sent through it meanwhile belongs to the transaction.
//
// A send belongs to the transaction in which its call began, and to no other: one that still waits, for metadata or for
// room, when Commit or Abort is called is refused with [ErrIllegalState], as is one that is called while none is open.
//
// A step whose context ended, or that took longer than max.block.ms, is unfinished ([ErrTimedOut]): nothing but the same
// step with the same arguments is allowed then, which waits for its end and gives its outcome. Only Abort need not wait
// for the outcome of SendOffsets to be asked for.
type Transaction struct {
	producer *Producer
	// ended is set by a successful Commit or Abort; left, when only the next Begin can end it. steps.mutex guards both.
	ended, left bool
}

// Begin begins a transaction. The first one also waits until the transactional.id is this producer's alone. After one
// whose context ended, the next takes over what that began. While a transaction is open, or another caller waits for its
// Begin, it is refused with [ErrIllegalState] and changes nothing.
func (p *Producer) Begin(ctx context.Context) (*Transaction, error) {
	if err := p.endWhatWasLeft(ctx); err != nil {
		return nil, err
	}
	return p.step(ctx, &step{name: stepBegin, of: &Transaction{producer: p}, begin: func(tag C.uint64_t) C.int32_t {
		return C.kprod_begin_transaction_async(p.producer, tag)
	}})
}

// Commit waits for the outcomes of all that was sent in the transaction, and commits it. When one of them failed,
// Commit does, with an error that is Abortable. From its call on the transaction takes no more, not even from the
// functions that are called with those outcomes.
func (t *Transaction) Commit(ctx context.Context) error {
	p := t.producer
	_, err := p.step(ctx, &step{name: stepCommit, of: t, begin: func(tag C.uint64_t) C.int32_t {
		return C.kprod_commit_transaction_async(p.producer, tag)
	}})
	return err
}

// Abort drops what was not sent, whose outcome is [ErrAborted], and makes the rest invisible to readers of committed
// records. After a successful Commit or Abort it does nothing, so that it can be deferred. Behind a SendOffsets that was
// given up it first waits for the end of that, up to max.block.ms: when ctx ends meanwhile, the abort was not begun.
func (t *Transaction) Abort(ctx context.Context) error {
	p := t.producer
	if p.steps.isOver(t) {
		return nil
	}
	_, err := p.step(ctx, &step{name: stepAbort, of: t, begin: func(tag C.uint64_t) C.int32_t {
		return C.kprod_abort_transaction_async(p.producer, tag)
	}})
	return err
}

// Transact runs work in a transaction, and commits it if work returns nil. If it returns an error or panics, or if ctx
// has ended, the transaction is aborted, and so it is when the commit fails. Where work has committed or aborted it itself,
// there is nothing left to do. Once begun, commit and abort do not heed ctx, but take max.block.ms each at most; before
// the abort, a SendOffsets under way may take as long. What has not ended by then ([ErrTimedOut]) goes on, and the next
// Begin waits for it. Where Begin is refused, work is not called: one Transact does not wait for another.
//
// An [ErrTimedOut] may be Begin's, before work was called; the commit's, whose outcome is not known then; or work's own,
// such as a SendOffsets', of a transaction that is aborted. The Transaction that work was given tells, until the next
// Begin discards it: its Commit waits for the commit's outcome, and is refused with [ErrIllegalState] after an abort.
func (p *Producer) Transact(ctx context.Context, work func(*Transaction) error) (err error) {
	t, err := p.Begin(ctx)
	if err != nil {
		return err
	}
	unfinishedCommit := false
	defer func() {
		var failure error
		if !unfinishedCommit {
			failure = t.undo(context.WithoutCancel(ctx))
		}
		if unfinishedCommit || failure != nil {
			p.steps.leave(t)
		}
		if failure != nil {
			err = errors.Join(err, failure)
		}
	}()
	if err = work(t); err != nil || p.steps.isOver(t) {
		return err
	}
	if ctx.Err() != nil {
		return interrupted(ctx, ErrAborted, "the transaction was aborted")
	}
	err = t.Commit(context.WithoutCancel(ctx))
	unfinishedCommit = unfinished(err)
	return err
}

// undo aborts the transaction. A commit under way can only be waited for.
func (t *Transaction) undo(ctx context.Context) error {
	if t.producer.steps.isCommitting(t) {
		if err := t.Commit(ctx); err == nil || unfinished(err) {
			return err
		}
	}
	return t.Abort(ctx)
}

// endWhatWasLeft ends the transaction that a Transact had no time to end.
func (p *Producer) endWhatWasLeft(ctx context.Context) error {
	if t := p.steps.leftOpen(); t != nil {
		return t.undo(ctx)
	}
	return nil
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
	offsets = slices.Clone(offsets) // an unfinished step outlives the call
	_, err := p.step(ctx, &step{name: stepSendOffsets, of: t, offsets: offsets, group: group, begin: func(tag C.uint64_t) C.int32_t {
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
	}})
	return err
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
