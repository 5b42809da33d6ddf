"""The library's mock cluster, for the tests: brokers in this process that keep what they get."""

from __future__ import annotations

import ctypes
import subprocess
from ctypes import POINTER, byref, c_char_p, c_int32, c_int64, c_void_p
from typing import Any

from kprod import _library

PRODUCE, METADATA, ADD_PARTITIONS_TO_TXN, END_TXN, TXN_OFFSET_COMMIT = 0, 3, 24, 26, 28
ERROR, SWALLOW, SWALLOW_AFTER_WORK, DISCONNECT = 1, 3, 4, 5
UP, CRASHED = 0, 1


class Fault(ctypes.Structure):
    _fields_ = [
        ("api", c_int32),
        ("broker", c_int32),
        ("topic", c_char_p),
        ("partition", c_int32),
        ("times", c_int32),
        ("kind", c_int32),
        ("error", c_int32),
        ("argument", c_int32),
        ("delay_ms", c_int32),
        ("throttle_ms", c_int32),
    ]


_FUNCTIONS: dict[str, tuple[Any, list[Any]]] = {
    "kprod_mock_create": (c_int32, [c_int32, POINTER(c_void_p), c_void_p]),
    "kprod_mock_bootstrap": (c_char_p, [c_void_p]),
    "kprod_mock_create_topic": (c_int32, [c_void_p, c_char_p, c_int32]),
    "kprod_mock_set_broker_state": (c_int32, [c_void_p, c_int32, c_int32]),
    "kprod_mock_disconnect": (c_int32, [c_void_p, c_int32]),
    "kprod_mock_record_count": (c_int64, [c_void_p, c_char_p, c_int32]),
    "kprod_mock_request_count": (c_int64, [c_void_p, c_int32]),
    "kprod_mock_fault_init": (None, [POINTER(Fault)]),
    "kprod_mock_inject": (c_int32, [c_void_p, POINTER(Fault)]),
    "kprod_mock_clear_faults": (c_int32, [c_void_p]),
    "kprod_mock_destroy": (None, [c_void_p]),
}


class Cluster:
    def __init__(self, brokers: int = 1) -> None:
        self._library = _library.load()
        for name, (result, parameters) in _FUNCTIONS.items():
            function = getattr(self._library, name)
            function.restype, function.argtypes = result, parameters
        self._mock = c_void_p()
        assert self._library.kprod_mock_create(brokers, byref(self._mock), None) == 0
        self.bootstrap = self._library.kprod_mock_bootstrap(self._mock).decode()

    def create_topic(self, topic: str, partitions: int) -> None:
        assert self._library.kprod_mock_create_topic(self._mock, topic.encode(), partitions) == 0

    def set_broker_state(self, broker: int, state: int) -> None:
        assert self._library.kprod_mock_set_broker_state(self._mock, broker, state) == 0

    def disconnect(self, broker: int) -> None:
        assert self._library.kprod_mock_disconnect(self._mock, broker) == 0

    def record_count(self, topic: str, partition: int) -> int:
        return int(self._library.kprod_mock_record_count(self._mock, topic.encode(), partition))

    def request_count(self, api: int) -> int:
        return int(self._library.kprod_mock_request_count(self._mock, api))

    def inject(self, kind: int, **fields: Any) -> None:
        """Lets the next Produce request go wrong, or what the fields say."""
        fault = Fault()
        self._library.kprod_mock_fault_init(byref(fault))
        for name, value in {"kind": kind, **fields}.items():
            setattr(fault, name, value)
        assert self._library.kprod_mock_inject(self._mock, byref(fault)) == 0

    def clear_faults(self) -> None:
        assert self._library.kprod_mock_clear_faults(self._mock) == 0

    def consume(self, topic: str, form: str, isolation: str = "read_committed") -> list[str]:
        """What another client, kcat, reads: a line for each record, as `form` says."""
        command = ["kcat", "-C", "-b", self.bootstrap, "-t", topic, "-e", "-q", "-f", form + "\\n"]
        command += ["-X", f"isolation.level={isolation}"]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
        return done.stdout.splitlines()

    def destroy(self) -> None:
        self._library.kprod_mock_destroy(self._mock)
