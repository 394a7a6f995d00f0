"""Retention against a real MLflow server, PostgreSQL and S3 store."""

import json
import sys
import threading
import time
import urllib.request
from http.server import BaseHTTPRequestHandler, HTTPServer

import mlflow
import pytest
import retention
import retention_plan
from conftest import broken, call, load
from mlflow import MlflowClient
from mlflow.exceptions import MlflowException
from retention_plan import MARK, Inventory, Model, Run, keep_in_trash, plan_rescue, plan_trash

DAY = retention.DAY
NOW = int(time.time() * 1000)
OLD = NOW - 400 * DAY


class World:
    """Makes runs and models of any age in the server and looks at what is left of them."""

    def __init__(self, server):
        self.server = server
        # Of two servers the client sends artifacts to the one that was set last.
        mlflow.set_tracking_uri(server.uri)
        self.client = MlflowClient(server.uri)
        self.experiment = self.client.create_experiment(f"experiment-{time.time_ns()}")

    def run(self, tags=None, status="FINISHED", experiment=None) -> str:
        run = self.client.create_run(experiment or self.experiment, start_time=OLD, tags=tags or {}).info.run_id
        self.client.log_text(run, "evidence", "evidence.txt")
        if status != "RUNNING":
            self.client.set_terminated(run, status, end_time=OLD)
        return run

    def model(self, run: str | None, tmp_path, tags=None, experiment=None) -> str:
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

    def trashed_at(self, run: str, when: int) -> None:
        self.server.sql("UPDATE runs SET deleted_time = %s WHERE run_uuid = %s", when, run)

    def objects(self, ident: str) -> int:
        """How many objects of a run or model are in the store."""
        return sum(f"/{ident}/" in key for key in self.server.bucket.keys())

    def stage(self, run: str) -> str:
        return self.client.get_run(run).info.lifecycle_stage

    def keep_trashed(self, model: str) -> None:
        """As the documentation says: the server takes the tag, but MLflow's client wants to see the model first."""
        with pytest.raises(MlflowException):
            self.client.set_logged_model_tags(model, {"retention": "keep"})
        urllib.request.urlopen(urllib.request.Request(
            f"{self.server.uri}/api/2.0/mlflow/logged-models/{model}/tags", method="PATCH",
            headers={"Content-Type": "application/json"}, data=b'{"tags": [{"key": "retention", "value": "keep"}]}',
        )).close()

    def model_stage(self, model: str) -> str:
        return self.server.sql("SELECT lifecycle_stage FROM logged_models WHERE model_id = %s", model)[0][0]

    def store(self):
        return retention.open_store(self.server.postgres.uri(self.server.database))

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


def twin(tmp_path, script, old, new):
    """retention.py with a protection taken out of it or of the plan it uses."""
    main = broken(tmp_path, script, old, new).with_name("retention.py")
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(sys.modules, "retention_plan", load(main.with_name("retention_plan.py")))
        return load(main)


@pytest.fixture
def world(server):
    # What an earlier test left must not be found by this one.
    server.sql("TRUNCATE experiments, registered_models, runs, logged_models CASCADE")
    return World(server)


@pytest.mark.parametrize("protected", [True, False])
def test_champion_survives_and_junk_goes(world, tmp_path, protected):
    """The twin forgets the registry: then the champion's weights are lost."""
    champion_run, junk_run = world.run(), world.run()
    champion, junk = world.model(champion_run, tmp_path), world.model(junk_run, tmp_path)
    world.register("iris", f"models:/{champion}", champion_run, champion)
    module = retention if protected else twin(
        tmp_path, "retention_plan.py",
        '    return runs - {None, ""}, models - {None, ""}\n', "    return set(), set()\n")
    world.retain_and_purge(module)
    assert world.objects(junk_run) == world.objects(junk) == 0
    assert bool(world.objects(champion)) == protected
    assert bool(world.objects(champion_run)) == protected
    if protected:
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


@pytest.mark.parametrize("protected", [True, False])
def test_a_restored_run_gets_its_models_back(world, tmp_path, protected):
    """The documented undo. The twin does not look at the run: then the weights are lost."""
    module = retention if protected else twin(
        tmp_path, "retention_plan.py", "            return model.run in alive\n", "            return False\n")
    if not protected:  # the purge looks by itself, too; that is the twin of the next test
        module.TRASH = {**module.TRASH, "model": module.TRASH["model"].split(" AND NOT EXISTS")[0]}
    run = world.run()
    model = world.model(run, tmp_path)
    world.retain()
    assert (world.stage(run), world.model_stage(model)) == ("deleted", "deleted")
    world.client.restore_run(run)
    world.client.set_tag(run, "retention", "keep")
    world.age_trash()
    assert ("rescue model" in world.retain(module, DRY_RUN="true")[2]) == protected
    code, summary, output = world.retain(module)
    assert code == retention.OK, output
    assert bool(world.objects(model)) == protected
    if protected:
        assert summary["rescued_models"] == 1
        assert MARK not in world.client.get_logged_model(model).tags
        world.retain_and_purge()
        assert (world.stage(run), world.model_stage(model)) == ("active", "active")


def test_restored_without_a_tag_goes_again_as_a_whole(world, tmp_path):
    """Run and LoggedModel spend the same time in the trash, so that a second restore is as good as the first."""
    run = world.run()
    model = world.model(run, tmp_path)
    world.retain()
    world.client.restore_run(run)
    world.age_trash()
    _, summary, _ = world.retain()
    assert (summary["rescued_models"], summary["deleted_runs"], summary["deleted_models"]) == (1, 1, 1)
    assert (world.stage(run), world.model_stage(model)) == ("deleted", "deleted")
    world.retain()
    assert world.objects(run) == world.objects(model) == 1


def test_what_a_person_trashed_stays_there_until_its_run_goes(world, tmp_path):
    run = world.run(tags={"retention": "keep"})
    model = world.model(run, tmp_path)
    world.client.delete_logged_model(model)
    world.retain_and_purge()
    assert (world.model_stage(model), world.objects(model)) == ("deleted", 1)
    world.client.delete_tag(run, "retention")
    world.retain_and_purge()
    assert world.objects(model) == 0


def test_a_tag_brings_a_model_back(world, tmp_path):
    """Also the way back for a LoggedModel without a run."""
    tagged, alone = world.model(world.run(), tmp_path), world.model(None, tmp_path)
    world.retain()
    for model in (tagged, alone):
        assert world.model_stage(model) == "deleted"
        world.keep_trashed(model)
    world.age_trash()
    code, summary, output = world.retain()
    assert (code, summary["rescued_models"], summary["rescued_runs"]) == (retention.OK, 2, 1), output
    assert world.model_stage(tagged) == world.model_stage(alone) == "active"


def test_a_restored_experiment_gets_its_young_models_back(world, tmp_path):
    doomed = world.client.create_experiment(f"doomed-{time.time_ns()}")
    model = world.model(None, tmp_path, experiment=doomed)
    world.server.sql("UPDATE logged_models SET creation_timestamp_ms = %s WHERE model_id = %s", NOW, model)
    world.client.delete_experiment(doomed)
    world.retain()
    assert world.model_stage(model) == "deleted"
    world.client.restore_experiment(doomed)
    world.age_trash()
    world.retain_and_purge()
    assert (world.model_stage(model), world.objects(model)) == ("active", 1)


def test_a_run_restored_in_a_trashed_experiment_stays_with_its_model(world, tmp_path):
    doomed, bare = (world.client.create_experiment(f"doomed-{time.time_ns()}") for _ in range(2))
    run, lone = world.run(experiment=doomed), world.run(experiment=bare)
    model = world.model(run, tmp_path, experiment=doomed)
    for experiment in (doomed, bare):
        world.client.delete_experiment(experiment)
    world.retain()
    for restored in (run, lone):
        world.client.restore_run(restored)
    world.server.sql("UPDATE runs SET end_time = %s", NOW)
    world.age_trash()
    world.retain_and_purge()
    assert (world.stage(run), world.stage(lone), world.model_stage(model)) == ("active", "active", "active")
    assert [world.objects(i) for i in (run, lone, model)] == [1, 1, 1]


def test_registered_model_is_rescued_from_the_trash(world, tmp_path):
    run = world.run()
    model = world.model(run, tmp_path)
    world.register("broken", f"models:/{model}", run, model)
    world.client.delete_logged_model(model)
    world.age_trash()
    code, summary, output = world.retain()
    assert (code, summary["rescued_models"]) == (retention.OK, 1), output
    mlflow.set_tracking_uri(world.server.uri)
    mlflow.artifacts.download_artifacts("models:/broken@champion", dst_path=str(tmp_path / "back"))
    assert (tmp_path / "back" / "weights.bin").read_bytes() == b"weights"


def test_one_limit_caps_everything_and_the_oldest_goes_first(world, tmp_path):
    """To purge: a LoggedModel, two runs, two empty experiments; to trash: a run with its LoggedModel, and a run."""
    void, empty = (world.client.create_experiment(f"empty-{time.time_ns()}") for _ in range(2))
    for experiment in (void, empty):
        world.client.delete_experiment(experiment)
    second, first = world.run(), world.run()
    for run in (first, second):
        world.client.delete_run(run)
    zeroth = world.model(None, tmp_path)
    world.client.delete_logged_model(zeroth)
    world.age_trash()
    world.server.sql("UPDATE logged_models SET last_updated_timestamp_ms = %s", OLD - 3)
    world.server.sql("UPDATE experiments SET last_update_time = %s WHERE experiment_id = %s", OLD - 9, int(empty))
    world.trashed_at(first, OLD - 2)
    world.trashed_at(second, OLD - 1)
    third, fourth = world.run(), world.run()
    model = world.model(third, tmp_path)
    world.client.set_terminated(third, "FINISHED", end_time=OLD - 1)
    steps = [
        f"purge model {zeroth}", f"purge run {first}", f"purge run {second}",
        f"purge experiment {empty}", f"purge experiment {void}",
        f"trash run {third}", f"trash model {model}", f"trash run {fourth}",
    ]
    for limit in range(1, len(steps) + 2):
        output = world.retain(DRY_RUN="true", MAX_DELETIONS=str(limit))[2]
        said = [line.removeprefix("retention: would ") for line in output.splitlines() if "would" in line]
        assert said == steps[:limit]
    _, summary, _ = world.retain(MAX_DELETIONS="6")
    counts = {key: value for key, value in summary.items() if key.startswith(("purged_", "deleted_"))}
    assert counts == {"purged_models": 1, "purged_runs": 2, "purged_experiments": 2, "deleted_runs": 1}
    assert (world.stage(third), world.model_stage(model), world.stage(fourth)) == ("deleted", "active", "active")


@pytest.mark.parametrize("counted", [False, True])
def test_hopeless_items_do_not_use_up_the_limit(world, monkeypatch, tmp_path, counted):
    """The twin counts failures: then the hopeless item is all that is ever tried."""
    module = retention if not counted else twin(
        tmp_path, "retention.py", '            done["failed"] += 1\n            return False\n',
        '            done["failed"] += 1\n')
    bad, good, junk = world.run(), world.run(), world.run()
    for run in (bad, good):
        world.client.delete_run(run)
    world.age_trash()
    world.trashed_at(bad, OLD - 1)
    real = module.delete_artifacts

    def fail(uri):
        if bad in uri:
            raise OSError("the store says no")
        real(uri)

    monkeypatch.setattr(module, "delete_artifacts", fail)
    code, summary, output = world.retain(module, MAX_DELETIONS="2")
    assert code == retention.INCOMPLETE
    assert summary["failed"] == 1
    assert "1 items failed" in summary["problem"]
    assert f"could not purge run {bad}: OSError: the store says no" in output
    assert (world.stage(bad), world.objects(bad), world.objects(good)) == ("deleted", 1, 0)
    assert world.stage(junk) == ("active" if counted else "deleted")


@pytest.mark.parametrize("protected", [True, False])
def test_one_item_that_cannot_be_trashed_does_not_keep_the_rest(world, monkeypatch, tmp_path, protected):
    """But what belongs to it stays with it. The twin forgets what failed."""
    module = retention if protected else twin(tmp_path, "retention.py", "if run in stay or not left", "if not left")
    parent, good = world.run(), world.run()
    bad = world.run(tags={"mlflow.parentRunId": parent})
    model = world.model(bad, tmp_path)
    for run in (parent, bad):
        world.client.set_terminated(run, "FINISHED", end_time=OLD - 1)
    real = MlflowClient.delete_run

    def fail(client, run):
        if run == bad:
            raise MlflowException("the server says no")
        real(client, run)

    monkeypatch.setattr(MlflowClient, "delete_run", fail)
    code, summary, output = world.retain(module, MAX_DELETIONS="1" if protected else "3")
    assert (code, summary["failed"], summary["deleted_runs"]) == (retention.INCOMPLETE, 1, 1 if protected else 2), output
    assert (world.stage(bad), world.stage(good)) == ("active", "deleted")
    stage = "active" if protected else "deleted"
    assert (world.stage(parent), world.model_stage(model)) == (stage, stage)


@pytest.mark.parametrize(("tries", "patient"), [(None, False), ("7", True)])
def test_a_failing_deletion_is_given_up_soon(monkeypatch, tries, patient):
    """MLflow's own default, the twin, waits four minutes."""
    class Refuse(BaseHTTPRequestHandler):
        def do_DELETE(self):
            self.send_response(500)
            self.send_header("Content-Length", "0")
            self.end_headers()

        do_GET = do_DELETE

        def log_message(self, *args):
            pass

    waited = []
    monkeypatch.setattr(time, "sleep", waited.append)
    monkeypatch.setattr(retention, "open_store", lambda uri: None)
    with HTTPServer(("127.0.0.1", 0), Refuse) as server:
        uri = f"mlflow-artifacts://127.0.0.1:{server.server_port}/1/run"
        monkeypatch.setattr(retention, "rescue", lambda *args: retention.delete_artifacts(uri))
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        env = {"MLFLOW_HTTP_REQUEST_MAX_RETRIES": tries} if tries else {}
        code, output = call(retention, MLFLOW_TRACKING_URI=f"http://127.0.0.1:{server.server_port}",
                            MLFLOW_BACKEND_STORE_URI="x", **env)
        server.shutdown()
        thread.join()
    assert code == retention.FAILED
    assert "500" in output
    assert waited
    assert (sum(waited) > 60) == patient


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


def purge_while(world, monkeypatch, name: str, meanwhile, module=retention) -> dict:
    """Purges, and does something else right after one of the purge's own functions returned."""
    monkeypatch.setenv("MLFLOW_TRACKING_URI", world.server.uri)
    real, once = getattr(module, name), [meanwhile]

    def interrupted(*args):
        result = real(*args)
        while once and (name != "old_trash" or args[1] == "model"):
            once.pop()()
        return result

    monkeypatch.setattr(module, name, interrupted)
    done = retention.Counter()
    module.purge(world.store(), world.client, retention.Settings(180, 30, 100, False), done)
    assert not once
    return done


def test_registered_between_listing_and_purge_is_kept(world, monkeypatch):
    late, junk = world.run(), world.run()
    for run in (late, junk):
        world.client.delete_run(run)
    world.age_trash()
    done = purge_while(world, monkeypatch, "old_trash", lambda: world.register("late", f"runs:/{late}/model", late))
    assert done == {"purged_runs": 1}
    assert world.stage(late) == "deleted"
    assert (world.objects(late), world.objects(junk)) == (1, 0)


@pytest.mark.parametrize("protected", [True, False])
def test_restored_between_listing_and_purge_is_kept(world, monkeypatch, tmp_path, protected):
    """The twin does not look again before it deletes: then what was restored is lost."""
    module = retention if protected else twin(
        tmp_path, "retention.py", "    if not old_trash(store, item.kind, before, item.id):\n", "    if False:\n")
    restored, junk = world.run(), world.run()
    # A LoggedModel restored itself, and one whose run is restored.
    itself, its = world.model(junk, tmp_path), world.model(restored, tmp_path)
    for run in (restored, junk):
        world.client.delete_run(run)
    for model in (itself, its):
        world.client.delete_logged_model(model)
    world.age_trash()

    def restore():
        world.client.restore_run(restored)
        retention.restore_model(world.store(), itself)

    done = purge_while(world, monkeypatch, "read_inventory", restore, module)
    assert [bool(world.objects(i)) for i in (restored, itself, its)] == [protected] * 3
    assert world.objects(junk) == 0
    if protected:
        assert done == {"purged_runs": 1}
        assert (world.stage(restored), world.model_stage(itself), world.model_stage(its)) == (
            "active", "active", "deleted")


def test_restored_experiment_is_not_purged(world, monkeypatch):
    empty = world.client.create_experiment(f"empty-{time.time_ns()}")
    world.client.delete_experiment(empty)
    world.age_trash()
    real = retention.old_trash

    def listed(store, kind, before, ident=None):
        found = real(store, kind, before, ident)
        if kind == "experiment" and ident is None:
            world.client.restore_experiment(empty)
        return found

    monkeypatch.setattr(retention, "old_trash", listed)
    code, summary, output = world.retain()
    assert (code, summary.get("purged_experiments", 0)) == (retention.OK, 0), output
    assert world.client.get_experiment(empty).lifecycle_stage == "active"


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


def a_model(ident, run=None, created=OLD, active=True, keep=False, marked=False, experiment="1"):
    return Model(ident, experiment, run, active, keep, marked, created)


def inventory(*runs, models=(), **more):
    return Inventory({r.id: r for r in runs}, {m.id: m for m in models}, **more)


CUTOFF = NOW - 180 * DAY


def planned(kind, *runs, models=(), **more):
    return [ident for k, ident in plan_trash(inventory(*runs, models=models, **more), CUTOFF) if k == kind]


def test_running_kept_and_young_runs_stay():
    assert planned("run", a_run("running", unfinished=True), a_run("kept", keep=True), a_run("young", ended=NOW),
                   a_run("old")) == ["old"]


def test_a_tree_disappears_from_its_leaves():
    """Parents of what is kept stay, siblings go; a parent waits for its children."""
    assert planned("run", a_run("parent"), a_run("winner", parent="parent"), a_run("loser", parent="parent"),
                   registered_runs={"winner"}) == ["loser"]
    # The leaf comes first although the root is older, as old as it, or younger.
    for ended in (OLD - 1, OLD, OLD + 1):
        assert planned("run", a_run("a-root", ended=ended), a_run("b-node", ended=OLD - 2, parent="a-root"),
                       a_run("c-leaf", parent="b-node"), a_run("d-lone", ended=OLD + 2)) == [
            "c-leaf", "b-node", "a-root", "d-lone"]


def test_parents_that_name_each_other_end():
    assert planned("run", a_run("a", parent="b"), a_run("b", ended=OLD + 1, parent="a")) == ["a", "b"]


def test_models_go_and_stay_with_their_run():
    models = [a_model(f"m-{run}", run) for run in ("old", "young", "purged", "registered", None)]
    models += [a_model("m-trashed", "trashed"), a_model("m-gone", "old", active=False), a_model("m-new", "old", NOW)]
    runs = [a_run("old"), a_run("young", ended=NOW), a_run("registered"), a_run("trashed", active=False)]
    assert planned("model", *runs, models=models, registered_runs={"registered"}) == [
        "m-None", "m-old", "m-purged", "m-trashed"]


def test_a_model_follows_its_run_and_not_its_own_age():
    plan = plan_trash(inventory(a_run("first"), a_run("second", ended=OLD + 2), models=[
        a_model("m-second", "second", created=OLD - 9), a_model("m-first", "first", created=OLD + 9),
        a_model("m-alone", created=OLD + 1)]), CUTOFF)
    assert [ident for _, ident in plan] == ["first", "m-first", "m-alone", "second", "m-second"]


def test_a_model_in_use_stays():
    """In use is what can be known: registered, tagged, or of a run that stays. Loading one leaves no trace."""
    models = [a_model("m-registered"), a_model("m-kept", keep=True), a_model("m-unknown")]
    assert planned("model", models=models, registered_models={"m-registered"}) == ["m-unknown"]


def test_what_a_report_would_rescue_it_does_not_trash():
    """In a dry run nothing has come back yet."""
    models = [a_model("m-run", "registered"), a_model("m-experiment", created=NOW, experiment="2")]
    assert planned("model", a_run("registered", active=False), a_run("other", experiment="2", active=False, keep=True),
                   models=models, registered_runs={"registered"}, trashed_experiments={"2"}) == []


def test_a_kept_model_keeps_its_run():
    assert plan_trash(inventory(a_run("source"), models=[a_model("m-1", "source", keep=True)]), CUTOFF) == []


def test_a_young_child_keeps_its_old_parent():
    """A parent waits for the last of its children."""
    assert planned("run", a_run("root"), a_run("leaf", ended=NOW, parent="root")) == []


def test_young_models_of_a_trashed_experiment_go_unless_their_run_is_restored():
    models = [a_model("m-alone", created=NOW), a_model("m-run", "restored", NOW), a_model("m-trashed", "trashed", NOW)]
    runs = [a_run("restored", ended=NOW), a_run("trashed", ended=NOW - 1, active=False)]
    assert planned("model", *runs, models=models, trashed_experiments={"1"}) == ["m-trashed", "m-alone"]
    assert planned("model", *runs, models=models) == []


@pytest.mark.parametrize(("model", "kept", "rescued"), [
    (a_model("m", "active", active=False, marked=True), True, True),
    (a_model("m", "needed", active=False, marked=True), True, True),
    (a_model("m", "trashed", active=False, marked=True), False, False),
    (a_model("m", "purged", active=False, marked=True), False, False),
    # A person's deletion: kept with its run, not undone.
    (a_model("m", "active", active=False), True, False),
    (a_model("m", "needed", active=False), True, False),
    (a_model("m", "trashed", active=False), False, False),
    # Without a run: undone with the experiment's deletion.
    (a_model("m", created=NOW, active=False, marked=True), True, True),
    (a_model("m", created=NOW, active=False, marked=True, experiment="trashed"), False, False),
    (a_model("m", created=NOW, active=False), False, False),
    (a_model("m", active=False, marked=True), False, False),
    # The tag and the registry count whoever deleted it.
    (a_model("m", active=False, keep=True), True, True),
    (a_model("m-registered", active=False), True, True),
    # What is not in the trash is neither.
    (a_model("m", "active", marked=True), False, False),
], ids=str)
def test_which_models_come_back(model, kept, rescued):
    world = inventory(
        a_run("active"), a_run("needed", active=False), a_run("trashed", active=False), models=[model],
        registered_runs={"needed"}, registered_models={"m-registered"}, trashed_experiments={"trashed"})
    assert (model.id in keep_in_trash(world, CUTOFF)[1]) == kept
    assert (("model", model.id) in plan_rescue(world, CUTOFF)) == rescued


def test_a_trashed_model_that_is_needed_brings_its_run_back():
    world = inventory(a_run("source", active=False), models=[a_model("m", "source", active=False, keep=True)])
    assert plan_rescue(world, CUTOFF) == [("run", "source"), ("model", "m")]
    assert keep_in_trash(world, CUTOFF)[0] == {"source"}


def test_ids_are_found_in_any_kind_of_path():
    run, model = "0" * 31 + "a", "m-" + "0" * 31 + "b"
    for path in (f"runs:/{run}/model", f"s3://b/1/{run}/artifacts/model", f"mlflow-artifacts:/1/{run}/artifacts"):
        assert retention_plan.RUN_ID.findall(path) == [run]
    for path in (f"models:/{model}", f"s3://b/1/models/{model}/artifacts"):
        assert retention_plan.MODEL_ID.findall(path) == [model]
        assert retention_plan.RUN_ID.findall(path) == []
