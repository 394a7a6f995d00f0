"""What retention decides: reads the server, protects what is needed, plans the rest.

Reading and deciding are apart from deleting (retention.py) so that the decision
is a function of plain data. See retention.py for the rules.
"""

import re
from dataclasses import dataclass, field

from mlflow import MlflowClient
from mlflow.entities import LifecycleStage, ViewType
from mlflow.store.tracking.dbmodels.models import SqlLoggedModel
from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore
from sqlalchemy.orm import selectinload

RUN_ID = re.compile(r"(?<![0-9a-f-])[0-9a-f]{32}(?![0-9a-f])")
MODEL_ID = re.compile(r"(?<![0-9a-z])m-[0-9a-f]{32}(?![0-9a-f])")

# The tag on a LoggedModel that retention put into the trash. Restoring a run must
# bring back what went with it, and not what a person threw away.
MARK = "retention.trashed"


@dataclass(frozen=True)
class Run:
    id: str
    experiment: str
    active: bool
    unfinished: bool
    keep: bool
    ended: int  # milliseconds; the start for runs that never ended
    parent: str | None


@dataclass(frozen=True)
class Model:
    id: str
    experiment: str
    run: str | None
    active: bool
    keep: bool
    marked: bool
    created: int


@dataclass
class Inventory:
    """Everything in the server that retention decides about, the trash included."""

    runs: dict[str, Run] = field(default_factory=dict)
    models: dict[str, Model] = field(default_factory=dict)
    trashed_experiments: set[str] = field(default_factory=set)
    registered_runs: set[str] = field(default_factory=set)
    registered_models: set[str] = field(default_factory=set)


# What to do, in this order: the kind (experiment, run, model) and the id.
Steps = list[tuple[str, str]]


def pages(search, **query):
    """Yields every item of a paged MLflow search."""
    token = None
    while True:
        page = search(page_token=token, **query)
        yield from page
        token = page.token
        if not token:
            return


def read_registry(client: MlflowClient) -> tuple[set[str], set[str]]:
    """Ids of the runs and LoggedModels that any registered model version refers to."""
    runs, models = set(), set()
    for version in pages(client.search_model_versions, filter_string="", max_results=500):
        # A copied version names another version as its source; only the
        # server knows which artifacts that means, even after the other is gone.
        paths = [version.source or "", client.get_model_version_download_uri(version.name, version.version) or ""]
        runs.add(version.run_id)
        models.add(getattr(version, "model_id", None))
        for path in paths:
            models.update(MODEL_ID.findall(path))
            runs.update(RUN_ID.findall(path))
    return runs - {None, ""}, models - {None, ""}


def read_trashed_models(store: SqlAlchemyStore) -> list[Model]:
    # No API lists LoggedModels in the trash.
    with store.ManagedSessionMaker() as session:
        rows = session.query(SqlLoggedModel).options(selectinload(SqlLoggedModel.tags))
        return [
            a_model(row.model_id, row.experiment_id, row.source_run_id, False,
                    {tag.tag_key: tag.tag_value for tag in row.tags}, row.creation_timestamp_ms)
            for row in rows.filter(SqlLoggedModel.lifecycle_stage == LifecycleStage.DELETED)
        ]


def a_model(ident: str, experiment, run: str | None, active: bool, tags: dict[str, str], created: int) -> Model:
    return Model(ident, str(experiment), run, active, tags.get("retention") == "keep", MARK in tags, created)


def read_inventory(client: MlflowClient, store: SqlAlchemyStore) -> Inventory:
    inventory = Inventory()
    # First the content, then the registry: a version registered while this
    # reads is then still seen.
    for experiment in pages(client.search_experiments, view_type=ViewType.ALL, max_results=1000):
        ident = experiment.experiment_id
        if experiment.lifecycle_stage == "deleted":
            inventory.trashed_experiments.add(ident)
        for run in pages(client.search_runs, experiment_ids=[ident], run_view_type=ViewType.ALL, max_results=1000):
            inventory.runs[run.info.run_id] = Run(
                id=run.info.run_id, experiment=ident, active=run.info.lifecycle_stage == "active",
                unfinished=run.info.status in ("RUNNING", "SCHEDULED"),
                keep=run.data.tags.get("retention") == "keep",
                ended=run.info.end_time or run.info.start_time or 0,
                parent=run.data.tags.get("mlflow.parentRunId"),
            )
        for model in pages(client.search_logged_models, experiment_ids=[ident], max_results=50):
            inventory.models[model.model_id] = a_model(
                model.model_id, ident, model.source_run_id, True, model.tags, model.creation_timestamp)
    inventory.models |= {model.id: model for model in read_trashed_models(store)}
    inventory.registered_runs, inventory.registered_models = read_registry(client)
    return inventory


def protected(inventory: Inventory) -> tuple[set[str], set[str]]:
    """Ids of the runs and of the LoggedModels that must never be deleted."""
    runs = inventory.registered_runs | {r.id for r in inventory.runs.values() if r.keep or (r.unfinished and r.active)}
    models = inventory.registered_models | {m.id for m in inventory.models.values() if m.keep}
    runs |= {m.run for m in inventory.models.values() if m.id in models and m.run}
    return runs, models


def with_ancestors(runs: dict[str, Run], kept: set[str]) -> set[str]:
    result, queue = set(kept), list(kept)
    while queue:
        run = runs.get(queue.pop())
        if run and run.parent and run.parent not in result:
            result.add(run.parent)
            queue.append(run.parent)
    return result


def keep_in_trash(inventory: Inventory, cutoff: int) -> tuple[set[str], set[str]]:
    """Ids of the runs and of the LoggedModels that must not be purged even if they are in the trash."""
    runs, (needed_runs, needed_models) = inventory.runs, protected(inventory)
    kept_runs = with_ancestors(runs, needed_runs)
    alive = kept_runs | {r.id for r in runs.values() if r.active}

    def belongs(model: Model) -> bool:
        if model.run in runs:
            return model.run in alive
        # Without a run: it went with its experiment, and that was restored.
        return model.marked and model.created >= cutoff and model.experiment not in inventory.trashed_experiments

    return kept_runs, needed_models | {m.id for m in inventory.models.values() if not m.active and belongs(m)}


def rescued_experiments(inventory: Inventory) -> set[str]:
    needed_runs, needed_models = protected(inventory)
    needed = [inventory.runs[i] for i in with_ancestors(inventory.runs, needed_runs) if i in inventory.runs]
    needed += [inventory.models[i] for i in needed_models if i in inventory.models]
    return {item.experiment for item in needed} & inventory.trashed_experiments


def plan_rescue(inventory: Inventory, cutoff: int) -> Steps:
    """Decides what comes back from the trash."""
    kept_runs, kept_models = keep_in_trash(inventory, cutoff)
    _, needed_models = protected(inventory)
    runs = [inventory.runs[i] for i in sorted(kept_runs) if i in inventory.runs]
    models = [inventory.models[i] for i in sorted(kept_models) if i in inventory.models]
    return [
        *(("experiment", i) for i in sorted(rescued_experiments(inventory))),
        # A restored experiment brings its runs back itself.
        *(("run", r.id) for r in runs if not r.active and r.experiment not in inventory.trashed_experiments),
        *(("model", m.id) for m in models if not m.active and (m.marked or m.id in needed_models)),
    ]


def tree_ends(runs: dict[str, Run]) -> dict[str, int]:
    """When the last of each run and the runs below it ended."""
    ends = {r.id: r.ended for r in runs.values()}
    for run in runs.values():
        above = runs.get(run.parent)
        while above and ends[above.id] < run.ended:
            ends[above.id] = run.ended
            above = runs.get(above.parent)
    return ends


def plan_trash(inventory: Inventory, cutoff: int) -> Steps:
    """Decides what goes to the trash, the oldest first.

    Whoever stops early leaves no child without its parent and no LoggedModel in the
    trash without its run: a parent is as old as the last of its children and comes
    after them, a LoggedModel is as old as its run and comes after it.
    """
    runs = inventory.runs
    needed_runs, needed_models = protected(inventory)
    doomed_experiments = inventory.trashed_experiments - rescued_experiments(inventory)
    young = {r.id for r in runs.values() if r.active and r.ended >= cutoff}
    kept = with_ancestors(runs, needed_runs | young)
    old = [r for r in runs.values() if r.active and r.id not in kept]
    gone = {r.id for r in old} | {r.id for r in runs.values() if not r.active} - with_ancestors(runs, needed_runs)

    def goes(model: Model) -> bool:
        if not model.active or model.id in needed_models or (model.run in runs and model.run not in gone):
            return False
        # Purging an experiment drops the rows of its LoggedModels, and with them
        # the only trace of their artifacts: those go first, whatever their age.
        return model.created < cutoff or model.experiment in doomed_experiments

    ends = tree_ends(runs)
    steps = [(ends[r.id], 0, -len(with_ancestors(runs, {r.id})), "run", r.id) for r in old]
    steps += [(ends.get(m.run, m.created), 1, 0, "model", m.id) for m in inventory.models.values() if goes(m)]
    return [(kind, ident) for *_, kind, ident in sorted(steps)]
