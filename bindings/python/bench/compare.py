"""Runs the contestants in turns, each against a broker of its own that only acknowledges, and prints the medians.

Those for asyncio are driven in several ways, for the way decides much: see client.py."""

from __future__ import annotations

import argparse
import json
import pathlib
import re
import statistics
import subprocess
import sys
from typing import Any

# Records per run: seconds for each.
CONTESTANTS = {"kprod": 1_000_000, "aiokafka": 100_000, "confluent-kafka": 500_000}
WAYS = ("steady", "windows", "tasks")
PARTITIONS = "4"


def run(contestant: str, way: str, broker_program: str, size: int, records: int) -> dict[str, Any]:
    broker = subprocess.Popen([broker_program, "broker", PARTITIONS], stdin=-1, stdout=-1, text=True)
    assert broker.stdin is not None and broker.stdout is not None
    servers = f"127.0.0.1:{broker.stdout.readline().strip()}"
    client = pathlib.Path(__file__).with_name("client.py")
    command = [sys.executable, str(client), contestant, way, servers, str(size), str(records)]
    try:
        said = subprocess.run(command, stdout=-1, text=True, check=True, timeout=600).stdout
    finally:
        broker.stdin.close()
        received = broker.stdout.read()
        broker.wait()
    sample: dict[str, Any] = json.loads(said)
    counted = re.search(r"records=(\d+)", received)
    # The warm-up, a tenth, is in the broker's count.
    assert counted and int(counted[1]) == records + records // 10, f"{contestant}: the broker says {received}"
    return sample


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--broker", required=True, help="the program kprod-bench, whose broker it is")
    parser.add_argument("--records", type=int, help="records per run, of all contestants")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--size", type=int, default=100, help="bytes of a value")
    parser.add_argument("--only", action="append", choices=CONTESTANTS)
    parser.add_argument("--way", action="append", choices=WAYS, help="of driving the clients for asyncio; all of them")
    options = parser.parse_args()
    samples: dict[tuple[str, str], list[dict[str, Any]]] = {
        (name, way): []
        for way in (*(options.way or WAYS), "callbacks")
        for name in options.only or CONTESTANTS
        if (name == "confluent-kafka") == (way == "callbacks")
    }
    for _ in range(options.rounds):
        for (name, way), of_contestant in samples.items():
            records = options.records or CONTESTANTS[name]
            of_contestant.append(run(name, way, options.broker, options.size, records))
    print("| way | contestant | version | records/s | min–max | cpu µs/record |")
    print("|---|---|---|---:|---:|---:|")
    for (name, way), of_contestant in samples.items():
        rates = sorted(sample["records"] / sample["wall"] for sample in of_contestant)
        cpu = statistics.median(sample["cpu"] / sample["records"] * 1e6 for sample in of_contestant)
        print(
            f"| {way} | {name} | {of_contestant[0]['version']} | {statistics.median(rates):.0f} "
            f"| {rates[0]:.0f}–{rates[-1]:.0f} | {cpu:.2f} |"
        )


main()
