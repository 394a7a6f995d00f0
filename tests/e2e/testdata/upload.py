"""Uploads one artifact of SIZE MiB with the real client.

Usage: upload.py SIZE

Prints "uploaded", or what a user of the client gets to see.
"""

import os
import sys
import tempfile

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
        except Exception as error:
            print(f"{type(error).__name__}: {error}")
            return 1
        finally:
            client.set_terminated(run)
    print("uploaded")
    return 0


if __name__ == "__main__":
    sys.exit(main())
