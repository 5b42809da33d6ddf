// The transaction that a send belongs to: it is accepted in that one, or not at all.

package kprod

// #include <kprod.h>
import "C"

import (
	"sync"
	"sync/atomic"
)

// era is the time in which a transaction takes records: from the success of Begin until Commit or Abort is called. A
// producer without transactions has the nil era, which never ends and costs nothing.
type era struct {
	// trying is held by those who hand something over, so that they all do so before the era's end.
	trying sync.RWMutex
	// over is closed at the end.
	over chan struct{}
}

// enter lets something be handed over, unless the era is over. leave must follow, soon.
func (e *era) enter() bool {
	if e == nil {
		return true
	}
	e.trying.RLock()
	if isClosed(e.over) {
		e.trying.RUnlock()
		return false
	}
	return true
}

func (e *era) leave() {
	if e != nil {
		e.trying.RUnlock()
	}
}

// ends gives a channel that is closed at the era's end.
func (e *era) ends() <-chan struct{} {
	if e == nil {
		return nil
	}
	return e.over
}

func (e *era) end() {
	e.trying.Lock()
	defer e.trying.Unlock()
	close(e.over)
}

// eras has a producer's present era. Whoever begins or ends one holds steps.mutex.
type eras struct {
	// needed is set for a producer with transactions, which takes nothing outside of them.
	needed  bool
	present atomic.Pointer[era]
}

// now gives the era of a call that begins.
func (s *eras) now() (*era, error) {
	if !s.needed {
		return nil, nil
	}
	if present := s.present.Load(); present != nil {
		return present, nil
	}
	return nil, &Error{Code: ErrIllegalState, Message: "a producer with a transactional.id takes records from the " +
		"return of Begin until Commit or Abort is called: begin a transaction first"}
}

// begin lets sends in again, after a Begin, or after a Commit or Abort that has left its transaction open.
func (s *eras) begin() {
	if s.present.Load() == nil {
		s.present.Store(&era{over: make(chan struct{})})
	}
}

// end waits for those who hand something over; all others are refused. It tells whether there was an era to end.
func (s *eras) end() bool {
	ended := s.present.Swap(nil)
	if ended != nil {
		ended.end()
	}
	return ended != nil
}

// begins gives the era of a call that begins.
func (p *Producer) begins() (*era, error) {
	if !p.steps.eras.needed {
		return nil, nil
	}
	if !p.enter() {
		return nil, refused(C.KPROD_ERR_CLOSED)
	}
	defer p.leave()
	return p.steps.eras.now()
}
