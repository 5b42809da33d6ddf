// Calls from within the functions given to sends: they hold up the goroutine that takes the outcomes, and so may not
// wait for any.

package kprod

import (
	"reflect"
	"runtime"
	"sync/atomic"
)

// calling is how many pollers are calling functions of the user's.
var calling atomic.Int32

// pollerEntry is where the function begins that stands at the end of a poller's stack.
var pollerEntry = reflect.ValueOf((*core).poll).Pointer()

// inCallback tells whether a poller's goroutine is the caller. The stack tells it, which costs nothing where nobody
// waits, and is not looked at while no poller calls anything.
func inCallback() bool {
	if calling.Load() == 0 {
		return false
	}
	var stack [64]uintptr
	for skip := 0; ; skip += len(stack) {
		depth := runtime.Callers(skip, stack[:])
		for _, returnsTo := range stack[:depth] {
			if function := runtime.FuncForPC(returnsTo - 1); function != nil && function.Entry() == pollerEntry {
				return true
			}
		}
		if depth < len(stack) {
			return false
		}
	}
}

// mayWait refuses a call that waits, where what it waits for cannot come.
func mayWait(name string) error {
	if !inCallback() {
		return nil
	}
	return &Error{Code: ErrInCallback, Message: name +
		" waits for an outcome, which cannot come before the function given to a send returns that called it: " +
		"call it in a goroutine of its own"}
}
