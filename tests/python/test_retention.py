"""Retention against a real MLflow server, PostgreSQL and S3 store."""

import json
import time
from types import SimpleNamespace

import mlflow
import pytest
import retention
import retention_plan
from conftest import broken, call, load
from mlflow import MlflowClient
from mlflow.exceptions import MlflowException
from retention_plan import Inventory, Model, Run, make_plan

DAY = retention.DAY
NOW = int(time.time() * 1000)
OLD = NOW - 400 * DAY


class World:
    """Makes runs and models of any age in the server and looks at what is left of them."""

    def __init__(self, server, s3):
        self.server, self.s3 = server, s3
        self.client = MlflowClient(server.uri)
        self.experiment = self.client.create_experiment(f"experiment-{time.time_ns()}")

    def run(self, tags=None, status="FINISHED", experiment=None) -> str:
        run = self.client.create_run(experiment or self.experiment, start_time=OLD, tags=tags or {}).info.run_id
        self.client.log_text(run, "evidence", "evidence.txt")
        if status != "RUNNING":
            self.client.set_terminated(run, status, end_time=OLD)
        return run

    def model(self, run: str, tmp_path, tags=None, experiment=None) -> str:
        file = tmp_path / "weights.bin"
        file.write_bytes(b"weights")
        model = self.client.create_logged_model(experiment or self.experiment, source_run_id=run, tags=tags or {})
        self.client.log_model_artifact(model.model_id, str(file))
        self.client.finalize_logged_model(model.model_id, "READY")
        self.server.sql("UPDATE logged_models SET creation_timestamp_ms = %s WHERE model_id = %s", OLD, model.model_id)
        return model.model_id

    def register(self, name: str, source: str, run=None, model=None) -> str:
        self.client.create_registered_model(name)
        version = self.client.create_model_version(name, source, run_id=run, model_id=model)
        self.client.set_registered_model_alias(name, "champion", version.version)
        return version.version

    def age_trash(self) -> None:
        self.server.sql("UPDATE runs SET deleted_time = %s WHERE lifecycle_stage = 'deleted'", OLD)
        self.server.sql("UPDATE logged_models SET last_updated_timestamp_ms = %s WHERE lifecycle_stage = 'deleted'", OLD)
        self.server.sql("UPDATE experiments SET last_update_time = %s WHERE lifecycle_stage = 'deleted'", OLD)

    def objects(self, ident: str) -> int:
        """How many objects of a run or model are in the store."""
        pages = self.s3.get_paginator("list_objects_v2").paginate(Bucket=self.server.bucket)
        return sum(f"/{ident}/" in item["Key"] for page in pages for item in page.get("Contents", []))

    def stage(self, run: str) -> str:
        return self.client.get_run(run).info.lifecycle_stage

    def retain(self, module=retention, **env) -> tuple[int, dict, str]:
        settings = {"DRY_RUN": "false", **env}
        code, output = call(
            module, MLFLOW_TRACKING_URI=self.server.uri,
            **{"MLFLOW_BACKEND_STORE_URI": self.server.postgres.uri(self.server.database), **settings},
        )
        assert "s3cret-canary" not in output
        return code, json.loads(output.splitlines()[-1]), output

    def retain_and_purge(self, module=retention) -> None:
        for _ in range(2):
            code, _, output = self.retain(module)
            assert code == retention.OK, output
            self.age_trash()


@pytest.fixture
def world(server, s3):
    # What an earlier test left must not be found by this one.
    server.sql("TRUNCATE experiments, registered_models, runs, logged_models CASCADE")
    return World(server, s3)


@pytest.mark.parametrize("protected", [True, False])
def test_champion_survives_and_junk_goes(world, tmp_path, protected):
    """The twin forgets the registry: then the champion's weights are lost."""
    champion_run, junk_run = world.run(), world.run()
    champion, junk = world.model(champion_run, tmp_path), world.model(junk_run, tmp_path)
    world.register("iris", f"models:/{champion}", champion_run, champion)
    module = retention
    if not protected:
        plan = broken(tmp_path, "retention_plan.py",
                      '    return runs - {None, ""}, models - {None, ""}\n', "    return set(), set()\n")
        module = load(plan.with_name("retention.py"))
        blind = load(plan)
        for name in ("make_plan", "protected", "read_inventory"):
            setattr(module, name, getattr(blind, name))
    world.retain_and_purge(module)
    assert world.objects(junk_run) == world.objects(junk) == 0
    assert bool(world.objects(champion)) == protected
    assert bool(world.objects(champion_run)) == protected
    if protected:
        mlflow.set_tracking_uri(world.server.uri)
        path = mlflow.artifacts.download_artifacts("models:/iris@champion", dst_path=str(tmp_path / "back"))
        assert (tmp_path / "back" / "weights.bin").read_bytes() == b"weights", path
        with pytest.raises(MlflowException):
            world.client.get_run(junk_run)


def test_version_registered_by_path_or_copied_is_protected(world, tmp_path):
    by_run, by_path, copied = world.run(), world.run(), world.run()
    model = world.model(copied, tmp_path)
    world.register("by-run", f"runs:/{by_run}/model", by_run)
    world.register("by-path", f"mlflow-artifacts:/{world.experiment}/{by_path}/artifacts/model", by_path)
    version = world.register("original", f"models:/{model}", copied, model)
    world.client.copy_model_version(f"models:/original/{version}", "copy")
    world.client.delete_registered_model("original")
    # Older servers made versions that name their run in the path only.
    world.server.sql("UPDATE model_versions SET run_id = NULL")
    world.retain_and_purge()
    for run in (by_run, by_path, copied):
        assert world.stage(run) == "active"
    assert world.objects(model)


def test_dry_run_is_the_default_and_changes_nothing(world, tmp_path):
    junk = world.run()
    model = world.model(junk, tmp_path)
    code, summary, output = world.retain(DRY_RUN="true")
    assert code == retention.OK
    assert summary["dry_run"] is True
    assert f"would trash run {junk}" in output
    assert f"would trash model {model}" in output
    assert world.stage(junk) == "active"
    assert world.objects(model)
    _, default = call(retention, MLFLOW_TRACKING_URI=world.server.uri,
                      MLFLOW_BACKEND_STORE_URI=world.server.postgres.uri(world.server.database))
    assert json.loads(default.splitlines()[-1])["dry_run"] is True


def test_fresh_trash_is_not_purged(world):
    junk = world.run()
    assert world.retain()[1]["deleted_runs"] >= 1
    _, summary, _ = world.retain()
    assert world.stage(junk) == "deleted"
    assert world.objects(junk) == 1
    assert summary.get("purged_runs", 0) == 0


def test_protected_run_is_rescued_from_the_trash(world, tmp_path):
    champion, kept = world.run(), world.run(tags={"retention": "keep"})
    world.register("rescued", f"runs:/{champion}/model", champion)
    for run in (champion, kept):
        world.client.delete_run(run)
    world.age_trash()
    code, summary, output = world.retain()
    assert code == retention.OK, output
    assert summary["rescued_runs"] == 2
    assert world.stage(champion) == world.stage(kept) == "active"
    assert world.objects(champion) == 1


def test_protected_experiment_is_rescued_from_the_trash(world, tmp_path):
    doomed = world.client.create_experiment(f"doomed-{time.time_ns()}")
    run = world.run(experiment=doomed)
    model = world.model(run, tmp_path, experiment=doomed)
    world.register("inside", f"models:/{model}", run, model)
    world.client.delete_experiment(doomed)
    world.age_trash()
    world.retain_and_purge()
    assert world.client.get_experiment(doomed).lifecycle_stage == "active"
    assert world.objects(model)


def test_trashed_experiment_goes_with_its_artifacts(world, tmp_path):
    doomed = world.client.create_experiment(f"doomed-{time.time_ns()}")
    run = world.run(experiment=doomed)
    model = world.model(run, tmp_path, experiment=doomed)
    world.client.delete_experiment(doomed)
    world.age_trash()
    world.retain_and_purge()
    assert world.objects(run) == world.objects(model) == 0
    with pytest.raises(MlflowException):
        world.client.get_experiment(doomed)


def test_protected_model_in_the_trash_aborts(world, tmp_path):
    run, junk = world.run(), world.run()
    model = world.model(run, tmp_path)
    world.register("broken", f"models:/{model}", run, model)
    world.client.delete_logged_model(model)
    world.age_trash()
    code, summary, _ = world.retain()
    assert code == retention.PROTECTED_IN_TRASH
    assert model in summary["problem"]
    assert world.stage(junk) == "active"
    assert world.objects(model)


def test_limit_caps_the_deletions(world):
    for _ in range(3):
        world.run()
    assert world.retain(MAX_DELETIONS="2")[1]["deleted_runs"] == 2


def test_one_broken_item_does_not_keep_the_rest(world, monkeypatch):
    bad, good = world.run(), world.run()
    world.retain()
    world.age_trash()
    real = retention.delete_artifacts

    def fail(uri):
        if bad in uri:
            raise OSError("the store says no")
        real(uri)

    monkeypatch.setattr(retention, "delete_artifacts", fail)
    code, summary, _ = world.retain()
    assert code == retention.INCOMPLETE
    assert summary["failed_purges"] == 1
    assert world.stage(bad) == "deleted"
    with pytest.raises(MlflowException):
        world.client.get_run(good)


def test_missing_artifacts_are_no_failure(monkeypatch):
    """Azure raises for a run without artifacts; other errors must not pass for that."""
    class Repository:
        def __init__(self, left):
            self.left = left

        def delete_artifacts(self):
            raise MlflowException("No such file or directory: 'x'")

        def list_artifacts(self):
            return self.left

    monkeypatch.setattr(retention, "get_artifact_repository", lambda uri: Repository([]))
    retention.delete_artifacts("wasbs://c@a/x")
    monkeypatch.setattr(retention, "get_artifact_repository", lambda uri: Repository(["still there"]))
    with pytest.raises(MlflowException):
        retention.delete_artifacts("wasbs://c@a/x")


def test_registered_between_plan_and_purge_is_kept(world, monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", world.server.uri)
    late, junk = world.run(), world.run()
    world.client.delete_run(late)
    world.client.delete_run(junk)
    world.age_trash()
    store = retention.open_store(world.server.postgres.uri(world.server.database))
    trashed = store._get_deleted_runs

    def listed(older_than):
        found = trashed(older_than=older_than)
        assert late in found
        # The registration happens right after the purge has listed the trash.
        world.register("late", f"runs:/{late}/model", late)
        return found

    fake = SimpleNamespace(**{name: getattr(store, name) for name in (
        "_get_deleted_logged_models", "get_run", "get_logged_model", "_hard_delete_run",
        "_hard_delete_logged_model", "engine", "_hard_delete_experiment")}, _get_deleted_runs=listed)
    done = retention.Counter()
    retention.purge(fake, world.client, retention.Settings(180, 30, 100, False), done)
    assert done == {"purged_runs": 1}
    assert world.stage(late) == "deleted"
    assert (world.objects(late), world.objects(junk)) == (1, 0)


def test_older_schema_is_not_migrated(world, postgres, migrated):
    database = postgres.database(migrated)
    postgres.sql(database, "UPDATE alembic_version SET version_num = '451aebb31d03'")
    postgres.sql(database, "DROP TABLE jobs CASCADE")  # what makes MLflow migrate by itself
    code, _, output = world.retain(MLFLOW_BACKEND_STORE_URI=postgres.uri(database))
    assert code == retention.FAILED
    assert "out-of-date" in output
    assert postgres.revision(database) == "451aebb31d03"


@pytest.mark.parametrize(("name", "value"), [
    ("RETENTION_DAYS", "0"), ("GC_OLDER_THAN_DAYS", "0"), ("RETENTION_DAYS", "-1"), ("MAX_DELETIONS", "many"),
    ("DRY_RUN", "no"), ("MLFLOW_TRACKING_URI", "postgresql://x"), ("MLFLOW_BACKEND_STORE_URI", ""),
])
def test_bad_settings_are_refused(name, value):
    env = {"MLFLOW_TRACKING_URI": "http://127.0.0.1:1", "MLFLOW_BACKEND_STORE_URI": "x", name: value}
    code, output = call(retention, **env)
    assert code == retention.MISCONFIGURED
    assert name in output


def a_run(ident, ended=OLD, parent=None, active=True, unfinished=False, keep=False, experiment="1"):
    return Run(ident, experiment, active, unfinished, keep, ended, parent)


def inventory(*runs, models=(), **more):
    return Inventory({r.id: r for r in runs}, {m.id: m for m in models}, **more)


def test_running_kept_and_young_runs_stay():
    plan = make_plan(inventory(
        a_run("running", unfinished=True), a_run("kept", keep=True), a_run("young", ended=NOW), a_run("old")
    ), NOW - 180 * DAY, 100)
    assert plan.delete_runs == ["old"]


def test_a_tree_disappears_from_its_leaves():
    """Parents of what is kept stay, siblings go; a parent waits for its children."""
    tree = inventory(a_run("parent"), a_run("winner", parent="parent"), a_run("loser", parent="parent"),
                     registered_runs={"winner"})
    assert make_plan(tree, NOW - 180 * DAY, 100).delete_runs == ["loser"]
    capped = inventory(a_run("root"), a_run("leaf", ended=OLD + 1, parent="root"))
    assert make_plan(capped, NOW - 180 * DAY, 1).delete_runs == []
    assert make_plan(capped, NOW - 180 * DAY, 2).delete_runs == ["root", "leaf"]


def test_models_go_and_stay_with_their_run():
    models = [Model(f"m-{run}", "1", run, False, OLD) for run in ("old", "young", "purged", "registered")]
    plan = make_plan(inventory(
        a_run("old"), a_run("young", ended=NOW), a_run("registered"), models=models, registered_runs={"registered"}
    ), NOW - 180 * DAY, 100)
    assert sorted(plan.delete_models) == ["m-old", "m-purged"]


def test_a_kept_model_keeps_its_run():
    model = Model("m-1", "1", "source", True, OLD)
    plan = make_plan(inventory(a_run("source"), models=[model]), NOW - 180 * DAY, 100)
    assert plan.delete_runs == plan.delete_models == []


def test_a_young_child_keeps_its_old_parent():
    """A parent waits for the last of its children."""
    plan = make_plan(inventory(a_run("root"), a_run("leaf", ended=NOW, parent="root")), NOW - 180 * DAY, 100)
    assert plan.delete_runs == []


def test_what_must_stay_does_not_use_up_the_limit():
    plan = make_plan(inventory(
        a_run("root"), a_run("leaf", ended=NOW, parent="root"), a_run("lone", ended=OLD + 1)
    ), NOW - 180 * DAY, 1)
    assert plan.delete_runs == ["lone"]


def test_ids_are_found_in_any_kind_of_path():
    run, model = "0" * 31 + "a", "m-" + "0" * 31 + "b"
    for path in (f"runs:/{run}/model", f"s3://b/1/{run}/artifacts/model", f"mlflow-artifacts:/1/{run}/artifacts"):
        assert retention_plan.RUN_ID.findall(path) == [run]
    for path in (f"models:/{model}", f"s3://b/1/models/{model}/artifacts"):
        assert retention_plan.MODEL_ID.findall(path) == [model]
        assert retention_plan.RUN_ID.findall(path) == []
