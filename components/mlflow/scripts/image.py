"""Says whether this image is what the stack's settings promise.

An upgrade deletes the running server before it migrates. An image that cannot be
pulled, is another release or lacks a driver has to be found before
that, which is why a Job runs this file first.

Environment:
  WANT_VERSION  the release of the settings, mlflow.version
  WANT_STORE    what the bucket's URI begins with: s3, gs or wasbs

Exit codes: 0 it is, 1 it is not.
"""

import importlib.metadata
import importlib.util
import os
import sys


# What MLflow and the jobs import for a store.
STORES = {"s3": ["boto3"], "gs": ["google.cloud.storage"], "wasbs": ["azure.storage.blob", "azure.identity"]}


def present(module: str) -> bool:
    try:
        return importlib.util.find_spec(module) is not None
    except ModuleNotFoundError:  # of a package above it
        return False


def problems(want: str, store: str) -> list[str]:
    found = []
    try:
        have = importlib.metadata.version("mlflow")
    except importlib.metadata.PackageNotFoundError:
        have = "no MLflow at all"
    if have != want:
        found.append(f"the image has {have}; want MLflow {want}, as mlflow.version says")
    for driver, what in [("psycopg2", "PostgreSQL"), *((driver, "the bucket") for driver in STORES[store])]:
        if not present(driver):
            found.append(f"the image has no {driver}; want the driver of {what}")
    return found


def main() -> int:
    found = problems(os.environ["WANT_VERSION"], os.environ["WANT_STORE"])
    for problem in found:
        print(f"image: {problem}", flush=True)
    if not found:
        print("image: it is what the settings say", flush=True)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
