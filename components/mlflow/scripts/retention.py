"""Registry-aware retention: trashes what nothing needs, then purges the old trash.

Neither `mlflow gc` nor an age rule on the bucket looks at the model registry:
both happily delete the artifacts of the model called "champion". This file looks
first. It never deletes data that a registered model version needs, and what it
does delete stays in MLflow's trash for GC_OLDER_THAN_DAYS.

Kept for ever:
  - runs and LoggedModels that any version of any registered model refers to,
    by run, by model or by the path of its artifacts, and the run that produced
    such a model, together with every LoggedModel of such a run;
  - runs and LoggedModels tagged retention=keep;
  - runs that are RUNNING or SCHEDULED, with their LoggedModels;
  - ancestors of every run that is kept: a child run shows up under its parent,
    so a tree of runs disappears from its leaves. A kept parent does not keep
    its children: the losing trials of a search are what retention is for.
Everything else goes to the trash once its run ended RETENTION_DAYS ago; a
LoggedModel goes with its run.

Steps: 1. abort when a protected LoggedModel is in the trash (MLflow cannot
restore one by API); 2. rescue protected runs and experiments from the trash (an
experiment comes back with all its runs; those nobody needs go again next time);
3. soft-delete; 4. purge the trash. Step 4 uses the same store methods as
`mlflow gc`, not the command, because the command cannot leave experiments out,
orphans the artifacts of LoggedModels in a purged experiment, and stops at the
first run whose artifacts are gone (Azure reports that as an error). The purge
reads the registry once more and skips what became protected.

Environment:
  MLFLOW_TRACKING_URI        the server, http://<fixed host>:<port> (required)
  MLFLOW_BACKEND_STORE_URI   its database (required, secret)
  RETENTION_DAYS             age for the trash, at least 1, default 180
  GC_OLDER_THAN_DAYS         days in the trash before the purge, at least 1, default 30
  MAX_DELETIONS              most soft-deletions and most purges per run, oldest
                             first, default 1000
  DRY_RUN                    "true" (default) only reports; "false" deletes

Exit codes: 0 done, 1 failed, 2 configuration, 4 a protected LoggedModel is in
the trash (nothing was deleted), 5 some artifacts could not be purged (the rest
was; they are tried again next time).
The last line is a JSON object with what was done.
"""

import json
import os
import sys
import time
from collections import Counter
from dataclasses import dataclass

import sqlalchemy
from mlflow import MlflowClient
from mlflow.store.artifact.artifact_repository_registry import get_artifact_repository
from mlflow.store.db.utils import _verify_schema
from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore
from retention_plan import Plan, make_plan, protected, read_inventory, with_ancestors

OK, FAILED, MISCONFIGURED = 0, 1, 2
PROTECTED_IN_TRASH, INCOMPLETE = 4, 5

DAY = 24 * 3600 * 1000  # milliseconds, the unit of MLflow's timestamps


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


def trashed_models(engine) -> set[str]:
    # No API lists LoggedModels in the trash.
    query = sqlalchemy.text("SELECT model_id FROM logged_models WHERE lifecycle_stage = 'deleted'")
    with engine.connect() as connection:
        return set(connection.scalars(query))


def apply_plan(client: MlflowClient, plan: Plan, dry_run: bool, done: Counter) -> None:
    actions = [
        ("rescued_experiments", "rescue experiment", plan.rescue_experiments, client.restore_experiment),
        ("rescued_runs", "rescue run", plan.rescue_runs, client.restore_run),
        ("deleted_runs", "trash run", plan.delete_runs, client.delete_run),
        ("deleted_models", "trash model", plan.delete_models, client.delete_logged_model),
    ]
    for counter, verb, idents, act in actions:
        for ident in idents:
            log(f"{'would ' if dry_run else ''}{verb} {ident}")
            if not dry_run:
                act(ident)
            done[counter] += 1


def delete_artifacts(uri: str) -> None:
    """Deletes everything below uri; nothing being there is fine."""
    repository = get_artifact_repository(uri)
    try:
        repository.delete_artifacts()
    except Exception:
        # Azure answers "no such file" for a run without artifacts.
        if repository.list_artifacts():
            raise


def purge(store: SqlAlchemyStore, client: MlflowClient, settings: Settings, done: Counter) -> None:
    """Deletes for good what has been in the trash long enough."""
    older_than = settings.gc_days * DAY
    runs = store._get_deleted_runs(older_than=older_than)
    models = store._get_deleted_logged_models(older_than=older_than)
    inventory = read_inventory(client)
    needed_runs, needed_models = protected(inventory)
    # A run that produced a protected model is among the needed ones, and the
    # registry was read after the trash: what was registered meanwhile stays.
    needed_runs = with_ancestors(inventory.runs, needed_runs)
    items = [("runs", i, store.get_run, store._hard_delete_run) for i in runs if i not in needed_runs]
    items += [
        ("models", i, lambda i: store.get_logged_model(i, allow_deleted=True), store._hard_delete_logged_model)
        for i in models if i not in needed_models
    ]
    for kind, ident, get, drop in items[: settings.limit]:
        log(f"{'would ' if settings.dry_run else ''}purge {kind[:-1]} {ident}")
        if not settings.dry_run:
            try:
                entity = get(ident)
                delete_artifacts(entity.info.artifact_uri if kind == "runs" else entity.artifact_location)
                drop(ident)
            except Exception as error:  # one broken item must not keep the rest
                log(f"could not purge {kind[:-1]} {ident}: {type(error).__name__}: {error}")
                done["failed_purges"] += 1
                continue
        done[f"purged_{kind}"] += 1
    purge_experiments(store, settings, done)


def purge_experiments(store: SqlAlchemyStore, settings: Settings, done: Counter) -> None:
    """Drops old trashed experiments that hold neither runs nor LoggedModels any more."""
    query = sqlalchemy.text(
        "SELECT experiment_id FROM experiments e WHERE lifecycle_stage = 'deleted' AND last_update_time < :before"
        " AND NOT EXISTS (SELECT 1 FROM runs r WHERE r.experiment_id = e.experiment_id)"
        " AND NOT EXISTS (SELECT 1 FROM logged_models m WHERE m.experiment_id = e.experiment_id)"
        " ORDER BY experiment_id"
    )
    before = int(time.time() * 1000) - settings.gc_days * DAY
    with store.engine.connect() as connection:
        empty = list(connection.scalars(query, {"before": before}))
    for ident in empty:
        log(f"{'would ' if settings.dry_run else ''}purge experiment {ident}")
        if not settings.dry_run:
            store._hard_delete_experiment(str(ident))
        done["purged_experiments"] += 1


def open_store(uri: str) -> SqlAlchemyStore:
    # The store would migrate a schema older than this image; only the
    # migration Job may do that.
    engine = sqlalchemy.create_engine(uri)
    _verify_schema(engine)
    engine.dispose()
    # The artifact root is not used: every run carries its own location.
    return SqlAlchemyStore(uri, "mlflow-artifacts:/")


def retain(settings: Settings, done: Counter) -> None:
    client = MlflowClient()
    store = open_store(os.environ["MLFLOW_BACKEND_STORE_URI"])
    inventory = read_inventory(client)
    needed_runs, needed_models = protected(inventory)
    done["protected_runs"], done["protected_models"] = len(needed_runs), len(needed_models)
    log(f"{len(inventory.runs)} runs, {len(inventory.models)} models; "
        f"protected: {len(needed_runs)} runs, {len(needed_models)} models")
    if lost := sorted(trashed_models(store.engine) & needed_models):
        raise Stop(
            PROTECTED_IN_TRASH,
            f"LoggedModels {', '.join(lost)} are in the trash but a registered model needs them; restore them with "
            "UPDATE logged_models SET lifecycle_stage = 'active' WHERE model_id IN (…), or delete the model versions",
        )
    cutoff = int(time.time() * 1000) - settings.retention_days * DAY
    apply_plan(client, make_plan(inventory, cutoff, settings.limit), settings.dry_run, done)
    purge(store, client, settings, done)


def main() -> int:
    done: Counter = Counter()
    code, problem = OK, None
    try:
        settings = load_settings()
        done["dry_run"] = settings.dry_run
        retain(settings, done)
        if done["failed_purges"]:
            code, problem = INCOMPLETE, f"{done['failed_purges']} items could not be purged"
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
