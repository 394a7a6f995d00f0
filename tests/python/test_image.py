"""The check of the image, in an environment that has MLflow and the driver."""

import importlib.metadata
import importlib.util
import os
import pathlib
import subprocess
import sys

import pytest

SCRIPT = pathlib.Path(__file__).parents[2] / "components" / "mlflow" / "scripts" / "image.py"


def check(want: str, *python_flags: str, store: str = "s3") -> subprocess.CompletedProcess:
    return subprocess.run(
        [sys.executable, *python_flags, str(SCRIPT)],
        env={**os.environ, "WANT_VERSION": want, "WANT_STORE": store}, capture_output=True, text=True, check=False,
    )


@pytest.mark.parametrize("store", ["s3", "gs", "wasbs"])
def test_the_promised_image_passes(store):
    result = check(importlib.metadata.version("mlflow"), store=store)
    assert (result.returncode, result.stdout) == (0, "image: it is what the settings say\n")


def test_another_release_is_refused():
    result = check("1.2.3")
    have = importlib.metadata.version("mlflow")
    assert (result.returncode, result.stdout) == (1, f"image: the image has {have}; want MLflow 1.2.3, as mlflow.version says\n")


def test_an_image_without_anything_is_refused():
    # -S leaves out the installed packages, -I what the environment may add.
    result = check("3.18.0", "-S", "-I")
    assert result.returncode == 1
    assert "the image has no MLflow at all; want MLflow 3.18.0" in result.stdout
    assert "the image has no psycopg2; want the driver of PostgreSQL" in result.stdout
    assert "the image has no boto3; want the driver of the bucket" in result.stdout


@pytest.mark.parametrize(("store", "drivers"), [("gs", ["google.cloud.storage"]), ("wasbs", ["azure.storage.blob", "azure.identity"])])
def test_an_image_without_a_clouds_drivers_is_refused_there_only(store, drivers):
    result = check("3.18.0", "-S", "-I", store=store)
    refused = [line for line in result.stdout.splitlines() if line.endswith("; want the driver of the bucket")]
    assert refused == [f"image: the image has no {driver}; want the driver of the bucket" for driver in drivers]
