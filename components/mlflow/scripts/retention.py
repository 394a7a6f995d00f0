"""Registry-aware retention: purges the old trash, then trashes what nothing needs.

Neither `mlflow gc` nor an age rule on the bucket looks at the model registry:
both happily delete the artifacts of the model called "champion". This file looks
first. It never deletes data that a registered model version needs, and what it
does delete stays in MLflow's trash for GC_OLDER_THAN_DAYS.

Kept for ever:
  - runs and LoggedModels that any version of any registered model refers to,
    by run, by model or by the path of its artifacts, and the run that produced
    such a model, together with every LoggedModel of such a run;
  - runs and LoggedModels tagged retention=keep, with the LoggedModels of such a
    run and the run of such a LoggedModel;
  - runs that are RUNNING or SCHEDULED, with their LoggedModels;
  - ancestors of every run that is kept: a child run shows up under its parent,
    so a tree of runs disappears from its leaves. A kept parent does not keep
    its children: the losing trials of a search are what retention is for.
Everything else goes to the trash once its run ended RETENTION_DAYS ago. A
LoggedModel goes with its run, but not before its own RETENTION_DAYS; one without
a run goes by its own age alone, because nothing records who loads it.

Undo: a restored run or experiment gets back the LoggedModels that this job
trashed, at its next run (MLflow restores the run only, and has no call for a
LoggedModel). They carry the tag retention.trashed. A LoggedModel that a person
trashed is brought back only if it is registered or tagged retention=keep itself,
but is not purged either while its run is outside the trash.

Each step decides on what it has just read:
  1. rescue: what is kept for ever, and the LoggedModels of restored runs, come
     back from the trash (an experiment comes back with all its runs; those
     nobody needs go again);
  2. purge what has been in the trash for GC_OLDER_THAN_DAYS. It uses the same
     store methods as `mlflow gc`, not the command, because the command cannot
     leave experiments out, orphans the artifacts of LoggedModels in a purged
     experiment, and stops at the first run whose artifacts are gone (Azure
     reports that as an error). What left the trash since the reading stays;
  3. trash, with what the purge left of MAX_DELETIONS.

Environment:
  MLFLOW_TRACKING_URI        the server, http://<fixed host>:<port> (required)
  MLFLOW_BACKEND_STORE_URI   its database (required, secret)
  RETENTION_DAYS             age for the trash, at least 1, default 180
  GC_OLDER_THAN_DAYS         days in the trash before the purge, at least 1, default 30
  MAX_DELETIONS              most deletions of one run of this job: purged and trashed
                             runs, LoggedModels and experiments together, in each
                             step the oldest first, default 1000; failures do not count
  DRY_RUN                    "true" (default) only reports; "false" deletes

Exit codes: 0 done, 1 failed, 2 configuration, 5 some items could not be rescued,
purged or trashed (the rest was; they are tried again next time).
The last line is a JSON object with what was done.
"""

import json
import os
import sys
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import sqlalchemy
from mlflow import MlflowClient
from mlflow.entities import LifecycleStage
from mlflow.store.artifact.artifact_repository_registry import get_artifact_repository
from mlflow.store.db.utils import _verify_schema
from mlflow.store.tracking.dbmodels.models import SqlLoggedModel, SqlLoggedModelTag
from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore
from retention_plan import MARK, keep_in_trash, plan_rescue, plan_trash, protected, read_inventory, with_ancestors

OK, FAILED, MISCONFIGURED, INCOMPLETE = 0, 1, 2, 5

DAY = 24 * 3600 * 1000  # milliseconds, the unit of MLflow's timestamps

# What may be purged. A restored run is out of the trash at once but its
# LoggedModels only at the next rescue; an experiment goes when it is empty.
TRASH = {
    "run": "SELECT deleted_time AS since, run_uuid AS id, artifact_uri AS uri FROM runs"
           " WHERE lifecycle_stage = 'deleted'",
    "model": "SELECT last_updated_timestamp_ms AS since, model_id AS id, artifact_location AS uri FROM logged_models m"
             " WHERE lifecycle_stage = 'deleted' AND NOT EXISTS"
             " (SELECT 1 FROM runs r WHERE r.run_uuid = m.source_run_id AND r.lifecycle_stage = 'active')",
    "experiment": "SELECT last_update_time AS since, experiment_id AS id, NULL AS uri FROM experiments e"
                  " WHERE lifecycle_stage = 'deleted'"
                  " AND NOT EXISTS (SELECT 1 FROM runs r WHERE r.experiment_id = e.experiment_id)"
                  " AND NOT EXISTS (SELECT 1 FROM logged_models m WHERE m.experiment_id = e.experiment_id)",
}


class Stop(Exception):
    """Ends the run with an exit code and a message for the operator."""

    def __init__(self, code: int, message: str):
        super().__init__(message)
        self.code = code


@dataclass(frozen=True)
class Settings:
    retention_days: int
    gc_days: int
    limit: int
    dry_run: bool


def log(message: str) -> None:
    print(f"retention: {message}", flush=True)


def load_settings() -> Settings:
    def number(name: str, default: int) -> int:
        value = os.environ.get(name, str(default))
        if not value.isdigit() or int(value) < 1:
            raise Stop(MISCONFIGURED, f"{name} must be a whole number of at least 1, got {value!r}")
        return int(value)

    for name in ("MLFLOW_TRACKING_URI", "MLFLOW_BACKEND_STORE_URI"):
        if not os.environ.get(name):
            raise Stop(MISCONFIGURED, f"{name} is not set")
    if not os.environ["MLFLOW_TRACKING_URI"].startswith(("http://", "https://")):
        raise Stop(MISCONFIGURED, "MLFLOW_TRACKING_URI must be the server's http(s) address")
    dry_run = os.environ.get("DRY_RUN", "true").lower()
    if dry_run not in ("true", "false"):
        raise Stop(MISCONFIGURED, f"DRY_RUN must be true or false, got {dry_run!r}")
    return Settings(
        number("RETENTION_DAYS", 180), number("GC_OLDER_THAN_DAYS", 30),
        number("MAX_DELETIONS", 1000), dry_run == "true",
    )


def ago(days: int) -> int:
    return int(time.time() * 1000) - days * DAY


def left(settings: Settings, done: Counter) -> int:
    """How many deletions remain. A failure is none, or a few hopeless items would use up every night."""
    return settings.limit - sum(done[f"{verb}_{kind}s"] for verb in ("purged", "deleted") for kind in TRASH)


def attempt(settings: Settings, done: Counter, counter: str, what: str, act: Callable[[], None]) -> bool:
    """Does one thing, or in a dry run reports it. One that fails, which is False, must not keep the rest."""
    log(f"{'would ' if settings.dry_run else ''}{what}")
    if not settings.dry_run:
        try:
            act()
        except Exception as error:
            log(f"could not {what}: {type(error).__name__}: {error}")
            done["failed"] += 1
            return False
    done[counter] += 1
    return True


def restore_model(store: SqlAlchemyStore, ident: str) -> None:
    """The opposite of trash_model; MLflow has no call for it."""
    with store.ManagedSessionMaker(read_only=False) as session:
        session.query(SqlLoggedModel).filter_by(model_id=ident, lifecycle_stage=LifecycleStage.DELETED).update(
            {"lifecycle_stage": LifecycleStage.ACTIVE, "last_updated_timestamp_ms": ago(0)})
        session.query(SqlLoggedModelTag).filter_by(model_id=ident, tag_key=MARK).delete()


def trash_model(client: MlflowClient, ident: str) -> None:
    client.set_logged_model_tags(ident, {MARK: "true"})
    client.delete_logged_model(ident)


def rescue(store: SqlAlchemyStore, client: MlflowClient, settings: Settings, done: Counter) -> None:
    """Takes out of the trash what must not be there."""
    inventory = read_inventory(client, store)
    needed_runs, needed_models = protected(inventory)
    done["protected_runs"], done["protected_models"] = len(needed_runs), len(needed_models)
    log(f"{len(inventory.runs)} runs, {len(inventory.models)} models; "
        f"protected: {len(needed_runs)} runs, {len(needed_models)} models")
    restore = {
        "experiment": client.restore_experiment, "run": client.restore_run,
        "model": lambda ident: restore_model(store, ident),
    }
    for kind, ident in plan_rescue(inventory, ago(settings.retention_days)):
        attempt(settings, done, f"rescued_{kind}s", f"rescue {kind} {ident}", lambda: restore[kind](ident))


def trash(store: SqlAlchemyStore, client: MlflowClient, settings: Settings, done: Counter) -> None:
    """Moves to the trash what nothing needs any more."""
    delete = {"run": client.delete_run, "model": lambda ident: trash_model(client, ident)}
    inventory, stay = read_inventory(client, store), set()
    for kind, ident in plan_trash(inventory, ago(settings.retention_days)):
        run = ident if kind == "run" else inventory.models[ident].run
        if run in stay or not left(settings, done):
            continue
        if not attempt(settings, done, f"deleted_{kind}s", f"trash {kind} {ident}", lambda: delete[kind](ident)):
            # Its parents and its LoggedModels go no sooner than a run itself.
            stay |= with_ancestors(inventory.runs, {run}) if kind == "run" else set()


def delete_artifacts(uri: str) -> None:
    """Deletes everything below uri; nothing being there is fine."""
    repository = get_artifact_repository(uri)
    try:
        repository.delete_artifacts()
    except Exception:
        # Azure answers "no such file" for a run without artifacts.
        if repository.list_artifacts():
            raise


class Trashed(NamedTuple):
    since: int
    kind: str
    id: str
    uri: str | None


def old_trash(store: SqlAlchemyStore, kind: str, before: int, ident: str | None = None) -> list[Trashed]:
    """What of a kind, or whether one of it, is in the trash since before a time."""
    query = f"SELECT * FROM ({TRASH[kind]}) AS trash WHERE since <= :before" + (" AND id = :id" if ident else "")
    with store.engine.connect() as connection:
        rows = connection.execute(sqlalchemy.text(query), {"before": before, "id": ident})
        return [Trashed(row.since, kind, row.id, row.uri) for row in rows]


def purge_one(store: SqlAlchemyStore, item: Trashed, before: int, settings: Settings, done: Counter) -> None:
    drop = {
        "run": store._hard_delete_run, "model": store._hard_delete_logged_model,
        "experiment": lambda ident: store._hard_delete_experiment(str(ident)),
    }

    def act() -> None:
        if item.uri:
            delete_artifacts(item.uri)
        drop[item.kind](item.id)

    # The store deletes an active run, too: who restored it since the listing must not lose it.
    if not old_trash(store, item.kind, before, item.id):
        log(f"{item.kind} {item.id} left the trash and stays")
        return
    attempt(settings, done, f"purged_{item.kind}s", f"purge {item.kind} {item.id}", act)


def purge(store: SqlAlchemyStore, client: MlflowClient, settings: Settings, done: Counter) -> None:
    """Deletes for good what has been in the trash long enough."""
    before = ago(settings.gc_days)
    # The trash first, then what protects: what was registered or tagged meanwhile stays.
    items = sorted(old_trash(store, "run", before) + old_trash(store, "model", before))
    kept = set.union(*keep_in_trash(read_inventory(client, store), ago(settings.retention_days)))
    for item in items:
        if item.id not in kept and left(settings, done):
            purge_one(store, item, before, settings, done)
    for item in sorted(old_trash(store, "experiment", before)):
        if left(settings, done):
            purge_one(store, item, before, settings, done)


def open_store(uri: str) -> SqlAlchemyStore:
    # The store would migrate a schema older than this image; only the
    # migration Job may do that.
    engine = sqlalchemy.create_engine(uri)
    _verify_schema(engine)
    engine.dispose()
    # The artifact root is not used: every run carries its own location.
    return SqlAlchemyStore(uri, "mlflow-artifacts:/")


def main() -> int:
    # A deletion that fails is tried again the next night. MLflow's seven tries take
    # four minutes, with which sixty failures would fill this one.
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "3")
    done: Counter = Counter()
    code, problem = OK, None
    try:
        settings = load_settings()
        done["dry_run"] = settings.dry_run
        store, client = open_store(os.environ["MLFLOW_BACKEND_STORE_URI"]), MlflowClient()
        for step in (rescue, purge, trash):
            step(store, client, settings, done)
        if done["failed"]:
            code, problem = INCOMPLETE, f"{done['failed']} items failed, see the lines 'could not'"
    except Stop as stop:
        code, problem = stop.code, str(stop)
    except Exception as error:  # a stack trace could show the database's address
        code, problem = FAILED, f"{type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''}"
    if problem:
        log(problem)
    print(json.dumps({"exit_code": code, "problem": problem, **done}), flush=True)
    return code


if __name__ == "__main__":
    sys.exit(main())
