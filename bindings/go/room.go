// Waiting for room: first come, first served.

package kprod

// #include <kprod.h>
import "C"

import (
	"container/list"
	"context"
	"sync"
	"sync/atomic"
	"time"
)

// line is where senders wait until it is their turn to try again: only the first does.
type line struct {
	length  atomic.Int32
	mutex   sync.Mutex
	waiting list.List // of channels, each closed when its owner is the first
}

// busy tells whether a newcomer has to join.
func (l *line) busy() bool { return l != nil && l.length.Load() > 0 }

// join gives a place at the end of the line, and a channel that is closed when that is the first. leave must follow.
func (l *line) join() (*list.Element, <-chan struct{}) {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	l.length.Add(1)
	turn := make(chan struct{})
	place := l.waiting.PushBack(turn)
	if l.waiting.Front() == place {
		close(turn)
	}
	return place, turn
}

func (l *line) leave(place *list.Element) {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	l.length.Add(-1)
	wasFirst := l.waiting.Front() == place
	l.waiting.Remove(place)
	if first := l.waiting.Front(); wasFirst && first != nil {
		close(first.Value.(chan struct{}))
	}
}

// lines are those of batches, one for each partition that some had to wait for.
type lines struct {
	mutex sync.Mutex
	of    map[partitionOf]*line
}

type partitionOf struct {
	topic     C.uint32_t
	partition int32
}

func (l *lines) busy(topic C.uint32_t, partition int32) bool {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	return l.of[partitionOf{topic, partition}].busy()
}

func (l *lines) line(topic C.uint32_t, partition int32) *line {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	of := partitionOf{topic, partition}
	if l.of == nil {
		l.of = map[partitionOf]*line{}
	}
	if l.of[of] == nil {
		l.of[of] = &line{}
	}
	return l.of[of]
}

// full tells whether a send was refused for want of room, which comes back.
func full(code C.int32_t) bool {
	return code == C.KPROD_ERR_QUEUE_FULL || code == C.KPROD_ERR_REPORT_QUEUE_FULL
}

// wait is how a send waits.
type wait struct {
	line *line
	// in is the era in which its call began.
	in *era
	// until is the end of the call's max.block.ms. These begin with the wait where the call has not waited before.
	until time.Time
	what  *waitTexts
}

// waitTexts are errors that say what became of that which was to be sent.
type waitTexts struct{ unknown, noRoom, tooLate, overtaken string }

var recordWaits = &waitTexts{
	unknown:   "the record was not sent, for want of its topic's metadata",
	noRoom:    "there was no room for the record, and it was not sent",
	tooLate:   "there was no room in buffer.memory within max.block.ms, and the record was not sent",
	overtaken: "the record was not sent, for its transaction was committed or aborted meanwhile: send it in the next one",
}

// refused is the error of a send that answered with a code.
func (t *waitTexts) refused(code C.int32_t) *Error {
	if code == C.KPROD_ERR_ILLEGAL_STATE {
		return &Error{Code: ErrIllegalState, Message: t.overtaken}
	}
	return refused(code)
}

// whenRoom tries again whenever there may be room and all who came before are served, until ctx ends and the call's
// max.block.ms are over.
func (p *Producer) whenRoom(ctx context.Context, how wait, try func() C.int32_t) error {
	if how.until.IsZero() {
		how.until = p.deadline()
	}
	limit := time.NewTimer(time.Until(how.until))
	defer limit.Stop()
	w := &waiter{what: how.what, ctx: ctx, limit: limit.C, overtaken: how.in.ends(), shutting: p.gate.shutting}
	place, turn := how.line.join()
	defer how.line.leave(place)
	if err := w.rest(turn, C.KPROD_ERR_QUEUE_FULL); err != nil {
		return err
	}
	for {
		code, err := p.tryThenWait(w, try)
		if !full(code) || err != nil {
			return err
		}
	}
}

// tryThenWait listens before it tries, so that no room is missed.
func (p *Producer) tryThenWait(w *waiter, try func() C.int32_t) (C.int32_t, error) {
	writable, polled := p.writable.listen(), p.polled.listen()
	defer p.writable.done()
	defer p.polled.done()
	switch code := try(); code {
	case 0:
		return 0, nil
	case C.KPROD_ERR_QUEUE_FULL:
		return code, w.rest(writable, code)
	case C.KPROD_ERR_REPORT_QUEUE_FULL:
		return code, w.rest(polled, code)
	default:
		return code, w.what.refused(code)
	}
}

// waiter is one who waits for room, and what ends that.
type waiter struct {
	what      *waitTexts
	ctx       context.Context
	limit     <-chan time.Time
	overtaken <-chan struct{}
	shutting  <-chan struct{}
}

// rest waits until it may try again. code is why it has to.
func (w *waiter) rest(wake <-chan struct{}, code C.int32_t) error {
	select {
	case <-wake:
		return nil
	case <-w.overtaken:
		return w.what.refused(C.KPROD_ERR_ILLEGAL_STATE)
	case <-w.shutting:
		return refused(C.KPROD_ERR_CLOSED)
	case <-w.ctx.Done():
		return interrupted(w.ctx, ErrTimedOut, w.what.noRoom)
	case <-w.limit:
	}
	err := refused(C.KPROD_ERR_TIMED_OUT)
	err.Message = w.what.tooLate
	if code == C.KPROD_ERR_REPORT_QUEUE_FULL {
		err.Message += ": " + errHeldUp.Error()
	}
	return err
}
