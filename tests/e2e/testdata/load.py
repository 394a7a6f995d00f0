"""Logs metrics with the real client from several threads until stdin closes.

Usage: load.py CLIENTS EXPERIMENT

Every client has a run of its own and logs one value a step. Prints "ready" once
every client has logged, and at the end one JSON line: the number of calls, the
calls that failed after the client's own retries, the values that the server
does not have although the call succeeded, and the slowest call in seconds.
"""

import json
import sys
import threading
import time

from mlflow import MlflowClient


class Load:
    """One client with one run."""

    def __init__(self, experiment: str):
        self.client = MlflowClient()
        self.run = self.client.create_run(experiment).info.run_id
        self.calls = 0
        self.slowest = 0.0
        self.failures: list[str] = []
        self.logged: set[int] = set()

    def log(self, stop: threading.Event) -> None:
        while not stop.is_set():
            step, started = self.calls, time.monotonic()
            self.calls += 1
            try:
                self.client.log_metric(self.run, "step", float(step), step=step)
                self.logged.add(step)
            except Exception as error:
                self.failures.append(f"{type(error).__name__}: {error}"[:500])
            self.slowest = max(self.slowest, time.monotonic() - started)

    def lost(self) -> int:
        return len(self.logged - {metric.step for metric in self.client.get_metric_history(self.run, "step")})


def main() -> int:
    experiment = MlflowClient().create_experiment(sys.argv[2])
    stop = threading.Event()
    loads = [Load(experiment) for _ in range(int(sys.argv[1]))]
    threads = [threading.Thread(target=load.log, args=(stop,)) for load in loads]
    for thread in threads:
        thread.start()
    while not all(load.logged or load.failures for load in loads):
        time.sleep(0.1)
    print("ready", flush=True)
    sys.stdin.read()
    stop.set()
    for thread in threads:
        thread.join()
    print(json.dumps({
        "calls": sum(load.calls for load in loads),
        "failures": [failure for load in loads for failure in load.failures],
        "lost": sum(load.lost() for load in loads),
        "slowest": round(max(load.slowest for load in loads), 2),
    }), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
