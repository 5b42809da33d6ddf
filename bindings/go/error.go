// Errors, as every function of the package returns them.

package kprod

// #include <kprod.h>
import "C"

import (
	"context"
	"errors"
	"fmt"
)

// Error says what failed and what to do. [errors.As] finds it in every error that this package returns, but those of a
// context; [errors.Is] compares its code:
//
//	var failure *kprod.Error
//	if errors.As(err, &failure) && failure.Retriable() { … }
//	if errors.Is(err, kprod.ErrRecordTooLarge) { … }
type Error struct {
	// Code tells which error it is.
	Code Code
	// Message names the topic, broker or property, and the remedy.
	Message string

	flags uint32
	cause error
}

// Error gives the code's name and the message.
func (e *Error) Error() string { return "kprod: " + e.Code.Name() + ": " + e.Message }

// Unwrap gives the code, and the context's error where that was the reason.
func (e *Error) Unwrap() []error {
	if e.cause == nil {
		return []error{e.Code}
	}
	return []error{e.Code, e.cause}
}

// Retriable tells whether sending or calling again may succeed.
func (e *Error) Retriable() bool { return e.flags&C.KPROD_FLAG_RETRIABLE != 0 }

// Abortable tells whether the transaction must be aborted.
func (e *Error) Abortable() bool { return e.flags&C.KPROD_FLAG_ABORTABLE != 0 }

// Fatal tells whether the producer is of no more use: close it and make a new one.
func (e *Error) Fatal() bool { return e.flags&C.KPROD_FLAG_FATAL != 0 }

// Persistence tells whether the record stands in the log.
func (e *Error) Persistence() Persistence { return persistence(e.flags) }

// refused is the error of a call that answered with a code and nothing else.
func refused(code C.int32_t) *Error {
	e := &Error{Code: Code(code), Message: Code(code).text()}
	switch e.Code {
	case ErrTimedOut, ErrQueueFull, ErrReportQueueFull:
		e.flags = C.KPROD_FLAG_RETRIABLE
	case ErrFatal, ErrInternal:
		e.flags = C.KPROD_FLAG_FATAL
	}
	return e
}

func invalid(format string, arguments ...any) *Error {
	return &Error{Code: ErrInvalidArg, Message: fmt.Sprintf(format, arguments...)}
}

// goesOn refuses a call without a context, or with one that has ended.
func goesOn(ctx context.Context, otherwise string) error {
	if ctx == nil {
		return invalid("the context is nil: context.Background() never ends")
	}
	if ctx.Err() != nil {
		return interrupted(ctx, ErrTimedOut, otherwise)
	}
	return nil
}

// noRecord refuses a nil record.
func noRecord() error { return invalid("the record is nil") }

// given is the error that a call handed out, which it frees.
func given(code C.int32_t, object *C.kprod_error_t) *Error {
	if object == nil {
		return refused(code)
	}
	defer C.kprod_error_free(object)
	e := &Error{Code: Code(code), Message: C.GoString(C.kprod_error_message(object))}
	if C.kprod_error_is_retriable(object) != 0 {
		e.flags |= C.KPROD_FLAG_RETRIABLE
	}
	if C.kprod_error_is_abortable(object) != 0 {
		e.flags |= C.KPROD_FLAG_ABORTABLE
	}
	if C.kprod_error_is_fatal(object) != 0 {
		e.flags |= C.KPROD_FLAG_FATAL
	}
	return e
}

// interrupted is the error of a call that a context ended; code says what became of its work.
func interrupted(ctx context.Context, code Code, message string) error {
	cause := context.Cause(ctx)
	if cause != errHeldUp && cause != errTookLonger && !errors.Is(cause, ctx.Err()) {
		cause = errors.Join(ctx.Err(), cause)
	}
	return &Error{Code: code, Message: message + ": " + cause.Error(), cause: cause}
}
