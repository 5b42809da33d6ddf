"""The C library: where it is found, and its functions, structs and constants as `kprod.h` has them."""

from __future__ import annotations

import ctypes
import os
from ctypes import POINTER, byref, c_char_p, c_int32, c_int64, c_uint32, c_uint64, c_void_p
from functools import cache
from typing import Any, Optional

API_VERSION = 1
VERSION = (0, 1)
"""The library's version, as far as it has to be this one: before 1.0 another minor version may be incompatible."""

KIND_RECORD, KIND_BATCH, KIND_OPERATION, KIND_WRITABLE = 1, 2, 3, 5
FLAG_RETRIABLE, FLAG_ABORTABLE, FLAG_FATAL = 1, 2, 4
PERSISTENCE_SHIFT = 4
CONFIGURED = -1
NO_LENGTH = -1

OK = 0
AUTHENTICATION_FAILED = 58
CLOSED = -105
FORKED = -106
ILLEGAL_STATE = -108
TIMED_OUT = -109
QUEUE_FULL = -110
REPORT_QUEUE_FULL = -111
RECORD_TOO_LARGE = -113
FATAL = -124
ABORTED = -132
BATCH_FULL = -133

DELIVERY = "<IiQIiqqiII4xQq8x"
"""kprod_delivery_t for `struct`: kind, error, tag, topic, partition, offset, timestamp, timestamp type, count, flags,
detail, log start offset."""
DELIVERY_SIZE = 80


class Header(ctypes.Structure):
    """kprod_header_t"""

    _fields_ = [("key", c_void_p), ("key_len", c_int64), ("value", c_void_p), ("value_len", c_int64)]


class Record(ctypes.Structure):
    """kprod_record_t"""

    _fields_ = [
        ("key", c_void_p),
        ("key_len", c_int64),
        ("value", c_void_p),
        ("value_len", c_int64),
        ("headers", c_void_p),
        ("header_count", c_uint32),
        ("partition", c_int32),
        ("timestamp_ms", c_int64),
        ("tag", c_uint64),
        ("topic", c_uint32),
        ("reserved0", c_uint32),
        ("topic_name", c_char_p),
        ("topic_name_len", c_int64),
        ("reserved", c_uint64 * 2),
    ]


class BatchAppend(ctypes.Structure):
    """kprod_batch_append_t"""

    _fields_ = [
        ("timestamp_ms", c_int64),
        ("offset", c_int64),
        ("size", c_int64),
        ("reserved", c_uint64 * 3),
    ]


class GroupOffset(ctypes.Structure):
    """kprod_group_offset_t"""

    _fields_ = [
        ("topic_name", c_char_p),
        ("topic_name_len", c_int64),
        ("offset", c_int64),
        ("metadata", c_char_p),
        ("metadata_len", c_int64),
        ("partition", c_int32),
        ("leader_epoch", c_int32),
        ("reserved", c_uint64 * 2),
    ]


class GroupMetadata(ctypes.Structure):
    """kprod_group_metadata_t"""

    _fields_ = [
        ("group_id", c_char_p),
        ("group_id_len", c_int64),
        ("member_id", c_char_p),
        ("member_id_len", c_int64),
        ("group_instance_id", c_char_p),
        ("group_instance_id_len", c_int64),
        ("generation_id", c_int32),
        ("reserved0", c_uint32),
        ("reserved", c_uint64 * 3),
    ]


_POINTER = c_void_p
_ERROR = POINTER(c_void_p)

# Result and parameters. Deadlines are never waited for here: what waits has an asynchronous twin.
_FUNCTIONS: dict[str, tuple[Any, list[Any]]] = {
    "kprod_version": (c_uint32, []),
    "kprod_version_string": (c_char_p, []),
    "kprod_api_version": (c_uint32, []),
    "kprod_err_name": (c_char_p, [c_int32]),
    "kprod_err_str": (c_char_p, [c_int32]),
    "kprod_error_code": (c_int32, [_POINTER]),
    "kprod_error_message": (c_char_p, [_POINTER]),
    "kprod_error_free": (None, [_POINTER]),
    "kprod_error_detail": (c_int32, [_POINTER, c_uint64, _ERROR]),
    "kprod_fatal_error": (c_int32, [_POINTER, _ERROR]),
    "kprod_config_new": (_POINTER, []),
    "kprod_config_set": (c_int32, [_POINTER, c_char_p, c_char_p, _ERROR]),
    "kprod_config_get": (c_int32, [_POINTER, c_char_p, POINTER(c_char_p), _ERROR]),
    "kprod_config_free": (None, [_POINTER]),
    "kprod_create": (c_int32, [_POINTER, c_uint32, POINTER(c_void_p), _ERROR]),
    "kprod_destroy": (c_int32, [_POINTER]),
    "kprod_topic": (c_int32, [_POINTER, c_char_p, c_int64, POINTER(c_uint32)]),
    "kprod_wake_fd": (c_int32, [_POINTER, POINTER(c_int32)]),
    "kprod_poll": (c_int64, [_POINTER, _POINTER, c_uint64, c_int32]),
    "kprod_send_packed": (c_int64, [_POINTER, c_char_p, c_uint64, _POINTER, c_uint64, POINTER(c_int32)]),
    "kprod_start_async": (c_int32, [_POINTER, c_uint64]),
    "kprod_partitions_for": (c_int32, [_POINTER, c_uint32, c_int32, POINTER(c_int32), _ERROR]),
    "kprod_partitions_for_async": (c_int32, [_POINTER, c_uint32, c_uint64]),
    "kprod_flush_async": (c_int32, [_POINTER, c_uint64]),
    "kprod_record_init": (None, [_POINTER]),
    "kprod_create_batch": (c_int32, [_POINTER, POINTER(c_void_p), _ERROR]),
    "kprod_batch_append": (c_int32, [_POINTER, _POINTER, _POINTER]),
    "kprod_batch_close": (c_int32, [_POINTER]),
    "kprod_batch_size": (c_int64, [_POINTER]),
    "kprod_batch_record_count": (c_int64, [_POINTER]),
    "kprod_try_send_batch": (c_int32, [_POINTER, _POINTER, c_uint32, c_int32, c_uint64]),
    "kprod_batch_free": (None, [_POINTER]),
    "kprod_begin_transaction_async": (c_int32, [_POINTER, c_uint64]),
    "kprod_commit_transaction_async": (c_int32, [_POINTER, c_uint64]),
    "kprod_abort_transaction_async": (c_int32, [_POINTER, c_uint64]),
    "kprod_group_metadata_init": (None, [_POINTER]),
    "kprod_send_offsets_to_transaction_async": (c_int32, [_POINTER, _POINTER, c_uint64, _POINTER, c_uint64]),
    "kprod_close_async": (c_int32, [_POINTER, c_uint64]),
}


@cache
def load() -> Any:
    """The library named by the environment's KPROD_LIBRARY, else libkprod.so.0 as the system finds it.

    Raises ImportError when there is none, or one that is too old or too new.
    """
    name = os.environ.get("KPROD_LIBRARY") or "libkprod.so.0"
    try:
        # It releases Python's global lock around each call.
        library = ctypes.CDLL(name)
    except OSError as error:
        raise ImportError(
            f"libkprod cannot be loaded ({error}): install it, or name its file in the environment's KPROD_LIBRARY"
        ) from error
    _declare(library, name, ["kprod_version", "kprod_api_version"])
    version = library.kprod_version()
    found = (version >> 24, version >> 16 & 0xFF)
    if found != VERSION or library.kprod_api_version() < API_VERSION:
        raise ImportError(
            f"{name} is libkprod {found[0]}.{found[1]} with API version {library.kprod_api_version()}: this package "
            f"needs {VERSION[0]}.{VERSION[1]} with API version {API_VERSION}"
        )
    _declare(library, name, list(_FUNCTIONS))
    return library


@cache
def load_unreleased() -> Any:
    """The library for calls that are too short, and come too often, to release Python's global lock around them:
    another thread might keep it for long."""
    library = load()
    unreleased = ctypes.PyDLL(library._name, handle=library._handle)
    _declare(unreleased, library._name, ["kprod_partitions_for"])
    return unreleased


def _declare(library: Any, name: str, functions: list[str]) -> None:
    for function in functions:
        try:
            entry = getattr(library, function)
        except AttributeError:
            raise ImportError(f"{name} has no {function}: it is not libkprod, or too old") from None
        entry.restype, entry.argtypes = _FUNCTIONS[function]


class Failure(Exception):
    """A call of the library that failed, with its code and message."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


def describe(code: int) -> str:
    """What an error code means and what to do."""
    return str(load().kprod_err_str(code).decode())


def take_error(error: c_void_p, code: int) -> Failure:
    """The error object that a call has left, freed, or what is known of the code if it left none."""
    if not error:
        return Failure(code, describe(code))
    library = load()
    failure = Failure(library.kprod_error_code(error), library.kprod_error_message(error).decode())
    library.kprod_error_free(error)
    return failure


def check(code: int, error: Optional[c_void_p] = None) -> None:
    """Raises the Failure of a result that is not 0."""
    if code != OK:
        raise take_error(error, code) if error is not None else Failure(code, describe(code))


def create(properties: list[tuple[str, str]], settings: tuple[str, ...]) -> tuple[c_void_p, list[int]]:
    """A producer with these properties, and the values of some settings that are numbers. Raises Failure."""
    library = load()
    config = library.kprod_config_new()
    producer, error, value = c_void_p(), c_void_p(), c_char_p()
    try:
        for key, text in properties:
            check(library.kprod_config_set(config, key.encode(), text.encode(), byref(error)), error)
        values = []
        for key in settings:
            check(library.kprod_config_get(config, key.encode(), byref(value), byref(error)), error)
            values.append(int(value.value or b"0"))
        check(library.kprod_create(config, API_VERSION, byref(producer), byref(error)), error)
    finally:
        library.kprod_config_free(config)
    return producer, values
