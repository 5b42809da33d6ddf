// The steps of transactions: one at a time, and one that its caller gave up is resumed by the same step.

package kprod

// #include <kprod.h>
import "C"

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"time"
)

const (
	stepBegin       = "Begin"
	stepSendOffsets = "SendOffsets"
	stepCommit      = "Commit"
	stepAbort       = "Abort"
)

// stepsOfC gives the library's names of the steps in its messages way to those of this package.
var stepsOfC = strings.NewReplacer(
	"kprod_begin_transaction", stepBegin,
	"kprod_send_offsets_to_transaction", stepSendOffsets,
	"kprod_commit_transaction", stepCommit,
	"kprod_abort_transaction", stepAbort,
)

// step is a transactional call of the library's, with what it was given.
type step struct {
	name string
	// of is the step's transaction, for Begin the one to come.
	of      *Transaction
	offsets []Offset
	group   Group
	begin   func(tag C.uint64_t) C.int32_t
	// awaited is set while a caller waits for the outcome.
	awaited bool
	// ended is closed when the library has answered, with err. It is nil while the library does not work for an answer:
	// before the step began, and after it took longer than max.block.ms.
	ended chan struct{}
	err   error
}

func (s *step) same(other *step) bool {
	return s.name == other.name && (s.of == other.of || s.name == stepBegin) && s.group == other.group &&
		slices.Equal(s.offsets, other.offsets)
}

func (s *step) endsTransaction() bool { return s.name == stepCommit || s.name == stepAbort }

// steps is the producer's transaction, and the step of it that has not ended or whose outcome nobody has asked for.
type steps struct {
	mutex   sync.Mutex
	open    *Transaction
	pending *step
	eras    eras
}

func (s *steps) isOver(t *Transaction) bool {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	return t.ended
}

func (s *steps) isCommitting(t *Transaction) bool {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	return s.pending != nil && s.pending.name == stepCommit && s.pending.of == t
}

func (s *steps) leave(t *Transaction) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	t.left = true
}

// leftOpen gives the open transaction, if nobody else is to end it.
func (s *steps) leftOpen() *Transaction {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	if s.open != nil && s.open.left {
		return s.open
	}
	return nil
}

// step takes a step, or resumes the same one, and waits for its outcome. It gives the step's transaction.
func (p *Producer) step(ctx context.Context, wanted *step) (*Transaction, error) {
	if ctx == nil {
		return nil, goesOn(ctx, "")
	}
	if err := mayWait(wanted.name); err != nil {
		return nil, err
	}
	if !p.enter() {
		return nil, refused(C.KPROD_ERR_CLOSED)
	}
	defer p.leave()
	until := p.deadline()
	again := false
	for {
		taken, ended, err := p.takeStep(ctx, wanted)
		if err != nil {
			return nil, err
		}
		resumed := taken != nil && taken != wanted && !again
		limit, done := p.inTime(ctx)
		if again {
			limit, done = context.WithDeadlineCause(ctx, until, errTookLonger)
		}
		err = p.stepEnds(limit, wanted.name, ended)
		done()
		if taken == nil { // it was the one before that ended
			if err != nil {
				return nil, err
			}
			continue
		}
		timedOut, err := p.steps.leaveStep(taken, err)
		if again = timedOut && resumed && time.Now().Before(until); again {
			continue // the library's time began before this call's
		}
		if err != nil {
			return nil, err
		}
		return taken.of, nil
	}
}

func (p *Producer) stepEnds(ctx context.Context, name string, ended <-chan struct{}) error {
	select {
	case <-ended:
		return nil
	case <-p.gate.shutting:
		return refused(C.KPROD_ERR_CLOSED)
	case <-ctx.Done():
	}
	select {
	case <-ended: // an outcome is worth more than the context's end
		return nil
	default:
		return interrupted(ctx, ErrTimedOut, name+" has not ended")
	}
}

// takeStep gives the step to wait for, or none and the end of the one that has to end before.
func (p *Producer) takeStep(ctx context.Context, wanted *step) (*step, <-chan struct{}, error) {
	s := &p.steps
	s.mutex.Lock()
	defer s.mutex.Unlock()
	if wanted.name != stepBegin && s.open != wanted.of {
		return nil, nil, &Error{Code: ErrIllegalState, Message: wanted.name + ": the transaction has ended"}
	}
	taken := wanted
	if pending := s.pending; pending != nil {
		switch overtakes := wanted.name == stepAbort && pending.name == stepSendOffsets; {
		case overtakes && pending.ended != nil && !isClosed(pending.ended):
			return nil, pending.ended, nil
		case overtakes: // what is aborted needs no offsets
		case pending.awaited:
			return nil, nil, pending.refuse(wanted, ", and its caller waits for it")
		case !pending.same(wanted):
			return nil, nil, pending.refuse(wanted, ": call it again, with the same arguments, for its outcome first")
		default:
			taken = pending
			if taken.ended != nil && isClosed(taken.ended) && unfinished(taken.err) {
				taken.ended = nil // that was no outcome: the same step asks the library again
			}
		}
	}
	if wanted.name == stepBegin && s.open != nil { // the library would refuse it, but it would be in the way until then
		return nil, nil, &Error{Code: ErrIllegalState, Message: "Begin: a transaction is open: commit or abort it first"}
	}
	if taken.ended == nil {
		if err := goesOn(ctx, wanted.name+" was not begun, or not resumed"); err != nil {
			return nil, nil, err
		}
		if err := p.beginStep(taken); err != nil {
			return nil, nil, err
		}
	}
	s.pending, taken.awaited = taken, true
	return taken, taken.ended, nil
}

func (p *Producer) beginStep(s *step) error {
	answered := make(chan struct{})
	place := p.table.take(waiting{left: 1, done: func(_ Report, err error) {
		if failure, failed := err.(*Error); failed {
			failure.Message = stepsOfC.Replace(failure.Message)
		}
		s.err = err
		close(answered)
	}})
	// Before the library can end the transaction, so that nothing of it is accepted in the next.
	ended := s.endsTransaction() && p.steps.eras.end()
	if code := s.begin(tagOf(place, 0)); code != 0 {
		if ended {
			p.steps.eras.begin()
		}
		p.table.give(place, 1)
		return s.notBegun(code)
	}
	s.ended = answered
	return nil
}

// leaveStep is the end of the wait for a step: with its outcome, or with an error of the wait. timedOut tells whether the
// library has answered that the step goes on.
func (s *steps) leaveStep(left *step, err error) (timedOut bool, failure error) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	left.awaited = false
	if err != nil {
		return false, err
	}
	if unfinished(left.err) {
		left.ended = nil // the same step asks the library again
		return true, left.err
	}
	if s.pending == left {
		s.pending = nil
	}
	switch {
	case left.endsTransaction() && left.err == nil:
		s.open, left.of.ended = nil, true
	case left.endsTransaction(): // the library tells why the transaction takes no more
		s.eras.begin()
	case left.name == stepBegin && left.err == nil:
		s.open = left.of
		s.eras.begin()
	}
	return false, left.err
}

// notBegun is the error of a step that the library refused.
func (s *step) notBegun(code C.int32_t) *Error {
	e := refused(code)
	switch e.Code {
	case ErrIllegalState:
		e.Message = s.name + ": the producer has no transactional.id, without which there are no transactions"
	case ErrInvalidArg:
		e.Message = s.name + ": the Group needs an ID and a Generation that is not below -1; every Offset needs a Partition " +
			"and an Offset from 0, and a LeaderEpoch from -1; and texts have to be UTF-8 of up to 32767 bytes"
	}
	return e
}

func (s *step) refuse(other *step, why string) error {
	return &Error{Code: ErrIllegalState, Message: other.name + ": " + s.name + " has not ended" + why}
}

// unfinished tells whether a step goes on after an error. A commit that fails for a record's time is over.
func unfinished(err error) bool {
	var failure *Error
	return errors.As(err, &failure) && failure.Code == ErrTimedOut && !failure.Abortable()
}

func isClosed(channel <-chan struct{}) bool {
	select {
	case <-channel:
		return true
	default:
		return false
	}
}
