"""The tracking server with production's workers and options, under requests.

A worker is replaced after many requests, which bounds slow memory growth. The
options are those of the accepted graph of production, with smaller numbers, so
that it happens within seconds.

The calls are those of MLflow's client. A worker that leaves closes what it
accepted and has not read yet, so a connection breaks once in a while; the client
asks again, and so does the gateway.
"""

import concurrent.futures
import contextlib
import subprocess
import sys
import time
from pathlib import Path

import pytest
import yaml
from conftest import ROOT, clean_env, free_port, stop, wait_for
from mlflow import MlflowClient

CALLS = 600

# Processes that end while they are looked at: that is what the test is about.
GONE = contextlib.suppress(FileNotFoundError, ProcessLookupError)


def production() -> dict:
    """The container of the tracking server in the graph of production."""
    graph = yaml.safe_load((ROOT / "tests" / "testdata" / "golden" / "production.yaml").read_text())
    server = next(node for node in graph if node["name"] == "mlflow-server")
    return server["inputs"]["spec"]["template"]["spec"]["containers"][0]


def descendants(pid: int) -> set[int]:
    found: set[int] = set()
    with GONE:
        for task in Path(f"/proc/{pid}/task").iterdir():
            for child in (task / "children").read_text().split():
                found |= {int(child)} | descendants(int(child))
    return found


def serving(pid: int) -> set[int]:
    """The descendants that are Python programs: the workers and what starts them."""
    found = set()
    for child in descendants(pid):
        with GONE:
            if b"python" in Path(f"/proc/{child}/cmdline").read_bytes():
                found.add(child)
    return found


@pytest.mark.parametrize("recycled", [True, False])
def test_workers_are_replaced_and_no_call_fails(recycled, postgres, migrated, tmp_path):
    """The twin has no limit, and keeps its workers."""
    container = production()
    options = next(e["value"] for e in container["env"] if e["name"] == "MLFLOW_UVICORN_OPTS")
    for production_number, small in (("20000", "60"), ("5000", "20")):
        assert options.count(production_number) == 1, options
        options = options.replace(production_number, small)
    if not recycled:
        options = options[: options.index("--limit-max-requests")]
    workers = container["command"][container["command"].index("--workers") + 1]
    assert int(workers) > 1
    port = free_port()
    with open(tmp_path / "log", "w") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(port), "--workers", workers],
            cwd=tmp_path, stdout=log, stderr=subprocess.STDOUT,
            env=clean_env(
                MLFLOW_BACKEND_STORE_URI=postgres.uri(postgres.database(migrated)), MLFLOW_UVICORN_OPTS=options,
                MLFLOW_ARTIFACTS_DESTINATION=tmp_path / "artifacts", MLFLOW_SERVER_ENABLE_JOB_EXECUTION="false",
                MLFLOW_SERVER_ALLOWED_HOSTS=f"127.0.0.1:{port}", TMPDIR=tmp_path,
            ),
        )
    try:
        address = f"http://127.0.0.1:{port}"
        wait_for(f"{address}/health", 240, process)
        before = serving(process.pid)
        with concurrent.futures.ThreadPoolExecutor(4) as pool:
            found = list(pool.map(lambda _: MlflowClient(address).search_experiments(max_results=1), range(CALLS)))
        assert all(len(experiments) == 1 for experiments in found)
        deadline = time.monotonic() + 60
        while recycled and not before - serving(process.pid):
            assert time.monotonic() < deadline, "no worker was replaced\n" + (tmp_path / "log").read_text()
            time.sleep(0.2)
        assert bool(before - serving(process.pid)) == recycled
        assert MlflowClient(address).search_experiments(max_results=1)
    finally:
        stop(process)
