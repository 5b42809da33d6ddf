"""One producer of the library in an event loop: its handle, its wake-up descriptor, and the futures of what it owes."""

from __future__ import annotations

import asyncio
import copy
import os
import threading
from ctypes import byref, c_int32, c_uint32, c_void_p
from typing import Any, Callable, Optional

from . import _library
from ._failures import exception, from_failure
from ._library import KIND_BATCH, KIND_OPERATION, KIND_RECORD, KIND_WRITABLE
from ._reports import CAPACITY, Entry, Reports, metadata
from .errors import Cancelled, KafkaError


class Driver:
    """Belongs to one thread, the loop's. A call of the library lets other threads run, and in one of them the garbage
    collector may find the producer that has this. So it is ended by the loop, between two calls, or when nobody can
    make a call any more: the loop is closed, or this object is forgotten itself."""

    def __init__(self, properties: list[tuple[str, str]], loop: asyncio.AbstractEventLoop) -> None:
        self.library = _library.load()
        self._unreleased = _library.load_unreleased()
        self.loop = loop
        self._process = os.getpid()
        # Taken by who ends it.
        self._ended = threading.Lock()
        self._wake: Optional[int] = None
        try:
            self.handle, (max_block_ms, self.max_request_size) = _library.create(
                properties, ("max.block.ms", "max.request.size")
            )
        except _library.Failure as failure:
            raise _refused(failure) from None
        self.max_block = max_block_ms / 1000
        # What each tag's entry resolves: those of records and batches, and of operations. They share the tags.
        self.futures: dict[int, asyncio.Future[Any]] = {}
        self._operations: dict[int, asyncio.Future[int]] = {}
        self.next_tag = 1
        self.topics: dict[int, str] = {}
        self.on_writable: Callable[[], None] = _nothing
        self.on_polled: Callable[[], None] = _nothing
        self.on_trouble: Callable[[Exception, int], None] = _no_trouble
        self._count = c_int32()
        self._to_count = byref(self._count)
        self._reports = Reports()
        self._detail: tuple[int, str] = (0, "")

    def attach(self) -> None:
        """From now on the loop takes the reports."""
        fd = c_int32()
        self.check(self.library.kprod_wake_fd(self.handle, byref(fd)))
        self._wake = fd.value
        self.loop.add_reader(fd.value, self._woken)

    def is_inherited(self) -> bool:
        """Whether this is the child of a fork, whose loop's copy shares its epoll object with the parent: what is taken
        out of it there is taken from the parent."""
        return os.getpid() != self._process

    def destroy(self) -> None:
        """Ends it at once; what is still owed fails. Again is nothing. In the loop's thread, unless the loop is
        closed."""
        if not self.handle:
            return
        if self._wake is not None and not self.loop.is_closed():
            self.loop.remove_reader(self._wake)
        self._release()
        self.fail_all(exception(_library.CLOSED, "the producer was ended before there was an outcome"))

    def _release(self) -> None:
        """Once: the garbage collector may come by while the loop does it."""
        if not self._ended.acquire(blocking=False):
            return
        handle, self.handle = self.handle, c_void_p()
        if self._wake is not None:
            os.close(self._wake)
            self._wake = None
        self.library.kprod_destroy(handle)

    def __del__(self) -> None:
        # A loop that may call it knows it. So its loop was closed, or is forgotten too, or has never known it.
        if getattr(self, "handle", None) and not self.is_inherited():
            self._release()

    def fail_all(self, error: Exception) -> None:
        """Fails what the library owes. It may have written any record by now."""
        if self.loop.is_closed():
            return
        for owed, persisted in ((self.futures, "possibly"), (self._operations, None)):
            futures = list(owed.values())
            owed.clear()
            for future in futures:
                fail(future, error, persisted)

    def topic(self, name: str) -> int:
        """The topic's handle."""
        self.check_alive()
        encoded = name.encode()
        handle = c_uint32()
        self.check(self.library.kprod_topic(self.handle, encoded, len(encoded), byref(handle)))
        self.topics[handle.value] = name
        return handle.value

    def partition_count(self, topic: int) -> int:
        """What the library knows of it now. Raises what is in the way if that is nothing yet."""
        code = self._unreleased.kprod_partitions_for(self.handle, topic, 0, self._to_count, None)
        if code == _library.OK:
            return self._count.value
        error = c_void_p()
        code = self._unreleased.kprod_partitions_for(self.handle, topic, 0, self._to_count, byref(error))
        if code == _library.OK:
            return self._count.value
        raise from_failure(_library.take_error(error, code))

    def create_batch(self) -> c_void_p:
        self.check_alive()
        batch, error = c_void_p(), c_void_p()
        code = self.library.kprod_create_batch(self.handle, byref(batch), byref(error))
        if code != _library.OK:
            raise from_failure(_library.take_error(error, code))
        return batch

    def operation(self, call: Callable[..., int], *arguments: Any) -> asyncio.Future[int]:
        """Makes an _async call, to which the handle and these arguments and a tag are given. The future gets the
        entry's count."""
        self.check_alive()
        code = call(self.handle, *arguments, self.next_tag)
        if code != _library.OK:
            raise exception(code)
        return self._expect(self._operations)

    def accepted(self) -> asyncio.Future[Any]:
        """The future of a batch that the library has accepted with the next tag."""
        return self._expect(self.futures)

    def _expect(self, owed: dict[int, asyncio.Future[Any]]) -> asyncio.Future[Any]:
        future: asyncio.Future[Any] = self.loop.create_future()
        owed[self.next_tag] = future
        self.next_tag += 1
        return future

    def refusal(self, code: int) -> Exception:
        """Why a call was refused with this code. What ended the library's producer for good says more than the code."""
        if code != _library.FATAL:
            return exception(code)
        error = c_void_p()
        code = self.library.kprod_fatal_error(self.handle, byref(error))
        return from_failure(_library.take_error(error, code or _library.FATAL))

    def check_alive(self) -> None:
        if not self.handle:
            raise exception(_library.CLOSED, "the producer is stopped")

    def check(self, code: int) -> None:
        if code != _library.OK:
            raise exception(code)

    def _woken(self) -> None:
        try:
            while len(os.read(self._wake, 512)) == 512:  # type: ignore[arg-type]
                pass
        except BlockingIOError:
            pass
        self._poll()

    def _poll(self) -> None:
        if not self.handle:
            return
        count = self.library.kprod_poll(self.handle, self._reports.buffer, CAPACITY, 0)
        if count > 0:
            if self._reports.are_deliveries(count):
                self._reports.deliver(count, self.futures, self.topics.__getitem__)
            else:
                for entry in self._reports.entries(count):
                    self._take(entry)
            self.on_polled()
        elif count < 0 and count != _library.CLOSED:
            # A library that cannot be polled any more resolves nothing.
            error = exception(count)
            self.fail_all(error)
            self.on_trouble(error, _library.FLAG_FATAL)
        if count == CAPACITY:
            self.loop.call_soon(self._poll)

    def _take(self, entry: Entry) -> None:
        kind, code, tag, topic, _, _, _, _, count, flags, detail, _ = entry
        if kind == KIND_WRITABLE:
            self.on_writable()
        if kind not in (KIND_RECORD, KIND_BATCH, KIND_OPERATION):
            return
        future: asyncio.Future[Any] = (self._operations if kind == KIND_OPERATION else self.futures).pop(tag)
        if code != _library.OK:
            error = exception(code, self._message(detail), flags, record=kind != KIND_OPERATION)
            if flags & (_library.FLAG_ABORTABLE | _library.FLAG_FATAL):
                self.on_trouble(error, flags)
            fail(future, error)
        # Its user may have cancelled it, which has no effect on what was done.
        elif not future.done():
            future.set_result(count if kind == KIND_OPERATION else metadata(self.topics[topic], entry))

    def _message(self, detail: int) -> Optional[str]:
        """What there is to tell of a failure. The records of a batch share it."""
        if detail == 0:
            return None
        if self._detail[0] != detail:
            error = c_void_p()
            code = self.library.kprod_error_detail(self.handle, detail, byref(error))
            if code != _library.OK:
                return None
            self._detail = (detail, _library.take_error(error, code).message)
        return self._detail[1]


def fail(future: asyncio.Future[Any], error: Exception, persisted: Optional[str] = None) -> None:
    """With an exception of its own, since each is raised, and gets its traceback, elsewhere; and with what holds of
    this record alone."""
    if not future.done():
        own = copy.copy(error)
        if isinstance(own, KafkaError) and persisted is not None:
            own.persisted = persisted
        future.set_exception(own)
        if isinstance(error, Cancelled):
            # Who aborts the transaction need not look at each record for asyncio to be content.
            future.exception()


def _refused(failure: _library.Failure) -> Exception:
    """Why a producer was not made. What is asked for and not there is a wrong value like others."""
    not_supported = -129
    if failure.code == not_supported:
        return ValueError(failure.message)
    return from_failure(failure)


def _nothing() -> None:
    pass


def _no_trouble(error: Exception, flags: int) -> None:
    pass
