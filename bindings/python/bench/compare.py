"""Runs the contestants in turns, each against a broker of its own that only acknowledges, and prints the medians."""

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
PARTITIONS = "4"


def run(contestant: str, broker_program: str, size: int, records: int) -> dict[str, Any]:
    broker = subprocess.Popen([broker_program, "broker", PARTITIONS], stdin=-1, stdout=-1, text=True)
    assert broker.stdin is not None and broker.stdout is not None
    servers = f"127.0.0.1:{broker.stdout.readline().strip()}"
    client = pathlib.Path(__file__).with_name("client.py")
    command = [sys.executable, str(client), contestant, servers, str(size), str(records)]
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
    options = parser.parse_args()
    samples: dict[str, list[dict[str, Any]]] = {name: [] for name in options.only or CONTESTANTS}
    for _ in range(options.rounds):
        for name, of_contestant in samples.items():
            of_contestant.append(run(name, options.broker, options.size, options.records or CONTESTANTS[name]))
    print("| contestant | version | records/s | cpu µs/record | min–max |")
    print("|---|---|---:|---:|---:|")
    for name, of_contestant in samples.items():
        rate = statistics.median(sample["records"] / sample["wall"] for sample in of_contestant)
        cpu = sorted(sample["cpu"] / sample["records"] * 1e6 for sample in of_contestant)
        print(
            f"| {name} | {of_contestant[0]['version']} | {rate:.0f} | {statistics.median(cpu):.2f} "
            f"| {cpu[0]:.2f}–{cpu[-1]:.2f} |"
        )


main()
