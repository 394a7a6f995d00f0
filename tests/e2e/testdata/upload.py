"""Uploads one artifact of SIZE MiB with the real client and reads it back.

Usage: upload.py SIZE

The client has its default settings: no variable tells it how to transfer.
Prints "identical", or what a user of the client gets to see.
"""

import filecmp
import os
import sys
import tempfile

import mlflow
from mlflow import MlflowClient


def main() -> int:
    client = MlflowClient()
    experiment = client.get_experiment_by_name("uploads")
    ident = experiment.experiment_id if experiment else client.create_experiment("uploads")
    run = client.create_run(ident).info.run_id
    with tempfile.TemporaryDirectory() as directory:
        file = os.path.join(directory, "large.bin")
        with open(file, "wb") as handle:
            handle.truncate(int(sys.argv[1]) * 1024 * 1024)
        try:
            client.log_artifact(run, file)
            copy = mlflow.artifacts.download_artifacts(
                run_id=run, artifact_path="large.bin", dst_path=os.path.join(directory, "copy"))
            print("identical" if filecmp.cmp(file, copy, shallow=False) else "different")
        except Exception as error:
            print(f"{type(error).__name__}: {error}"[:2000])
            return 1
        finally:
            client.set_terminated(run)
    return 0


if __name__ == "__main__":
    sys.exit(main())
