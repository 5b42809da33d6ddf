package kprod

import (
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
)

// Whoever was let in leaves before the end, and nobody is let in afterwards.
func TestAnEraEndsBetweenTries(t *testing.T) {
	for range 2000 {
		var present eras
		present.begin()
		in := present.present.Load()
		var over, begun atomic.Bool
		var tries sync.WaitGroup
		for range 4 {
			tries.Add(1)
			go func() {
				defer tries.Done()
				for in.enter() {
					begun.Store(true)
					runtime.Gosched()
					outlives := over.Load()
					in.leave()
					if outlives {
						t.Error("a try outlived the era")
						return
					}
				}
			}()
		}
		for !begun.Load() {
			runtime.Gosched()
		}
		if !present.end() || present.end() {
			t.Fatal("an era does not end once")
		}
		over.Store(true)
		tries.Wait()
		if t.Failed() {
			return
		}
		if in.enter() {
			t.Fatal("let in after the end")
		}
		<-in.ends()
	}
}
