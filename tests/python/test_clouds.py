"""MLflow with its artifacts in Azure's Blob Storage and in Google's Cloud Storage: what clients do, and the clean-up."""

import hashlib
import os

import mlflow
import pytest
import retention
from conftest import make_bucket, serve
from mlflow.exceptions import MlflowException
from test_retention import World, twin


@pytest.fixture(scope="module", params=["azure", "gcs"])
def cloud(request):
    return request.param


@pytest.fixture(scope="module")
def cloud_server(request, cloud, postgres, migrated, tmp_path_factory):
    yield from serve(postgres, migrated, make_bucket(request, cloud, "artifacts"), tmp_path_factory.mktemp("mlflow"))


@pytest.fixture
def world(cloud_server):
    cloud_server.sql("TRUNCATE experiments, registered_models, runs, logged_models CASCADE")
    return World(cloud_server)


def test_artifacts_go_there_and_come_back(world, tmp_path):
    run = world.run()
    # Larger than a request of the clients' libraries, and the name has to be quoted.
    content = os.urandom(70 * 1024 * 1024)
    (tmp_path / "große datei+1.bin").write_bytes(content)
    world.client.log_artifact(run, str(tmp_path / "große datei+1.bin"), "a/b")
    assert [file.path for file in world.client.list_artifacts(run, "a/b")] == ["a/b/große datei+1.bin"]
    back = mlflow.artifacts.download_artifacts(run_id=run, artifact_path="a/b/große datei+1.bin", dst_path=str(tmp_path / "back"))
    with open(back, "rb") as file:
        assert hashlib.file_digest(file, "sha256").hexdigest() == hashlib.sha256(content).hexdigest()


def test_champion_survives_and_junk_goes(world, tmp_path):
    champion_run, junk_run = world.run(), world.run()
    champion, junk = world.model(champion_run, tmp_path), world.model(junk_run, tmp_path)
    world.register("iris", f"models:/{champion}", champion_run, champion)
    world.retain_and_purge()
    assert world.objects(junk_run) == world.objects(junk) == 0
    assert world.objects(champion) and world.objects(champion_run)


@pytest.mark.parametrize("protected", [True, False])
def test_a_run_without_artifacts_is_purged(cloud, world, tmp_path, protected):
    """MLflow's store for Azure has no such file then, and the twin, as `mlflow gc`, stops at it (mlflow/mlflow#19467).
    On Google it deletes what it lists, which is nothing."""
    empty = world.client.create_run(world.experiment, start_time=1).info.run_id
    world.client.set_terminated(empty, "FINISHED", end_time=1)
    module = retention if protected else twin(
        tmp_path, "retention.py", "        if repository.list_artifacts():\n            raise\n", "        raise\n")
    code, _, output = world.retain(module)
    assert code == retention.OK, output
    world.age_trash()
    code, report, output = world.retain(module)
    purged = protected or cloud == "gcs"
    assert (code == retention.OK) == purged, output
    if purged:
        with pytest.raises(MlflowException):
            world.client.get_run(empty)
    else:
        assert report["failed"] == 1
