// How goroutines wait for each other: the gate that keeps a producer alive while it is used, and broadcasts.

package kprod

import (
	"sync"
	"sync/atomic"
)

// gate lets calls in until it is shut, and then tells when the last has left: the library's producer may not be
// destroyed under a call.
type gate struct {
	calls    atomic.Int64
	shutting chan struct{}
	empty    chan struct{}
	once     sync.Once
}

// shut is added to the number of calls by whoever shuts the gate.
const shut = 1 << 40

func newGate() *gate { return &gate{shutting: make(chan struct{}), empty: make(chan struct{})} }

func (g *gate) enter() bool {
	if g.calls.Add(1) < shut {
		return true
	}
	g.leave()
	return false
}

func (g *gate) leave() {
	if g.calls.Add(-1) == shut {
		g.emptied()
	}
}

// close shuts the gate, once. Calls that wait see it in shutting; the last to leave closes empty.
func (g *gate) close() {
	close(g.shutting)
	if g.calls.Add(shut) == shut {
		g.emptied()
	}
}

// A call that comes too late and leaves again finds the gate empty once more.
func (g *gate) emptied() { g.once.Do(func() { close(g.empty) }) }

// broadcast wakes all who wait at the time.
type broadcast struct {
	waiting atomic.Int32
	mutex   sync.Mutex
	bell    chan struct{}
}

// listen gives a channel that is closed at the next ring. done must follow.
func (b *broadcast) listen() <-chan struct{} {
	b.waiting.Add(1)
	b.mutex.Lock()
	defer b.mutex.Unlock()
	if b.bell == nil {
		b.bell = make(chan struct{})
	}
	return b.bell
}

func (b *broadcast) done() { b.waiting.Add(-1) }

func (b *broadcast) ring() {
	if b.waiting.Load() == 0 {
		return
	}
	b.mutex.Lock()
	defer b.mutex.Unlock()
	if b.bell != nil {
		close(b.bell)
		b.bell = nil
	}
}
