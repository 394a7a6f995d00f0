"""What retention decides: reads the server, protects what is needed, plans the rest.

Reading and deciding are apart from deleting (retention.py) so that the decision
is a function of plain data. See retention.py for the rules.
"""

import re
from dataclasses import dataclass, field

from mlflow import MlflowClient
from mlflow.entities import ViewType

RUN_ID = re.compile(r"(?<![0-9a-f-])[0-9a-f]{32}(?![0-9a-f])")
MODEL_ID = re.compile(r"(?<![0-9a-z])m-[0-9a-f]{32}(?![0-9a-f])")


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
    keep: bool
    created: int


@dataclass
class Inventory:
    """Everything in the server that retention decides about."""

    runs: dict[str, Run] = field(default_factory=dict)
    models: dict[str, Model] = field(default_factory=dict)  # active ones only
    trashed_experiments: set[str] = field(default_factory=set)
    registered_runs: set[str] = field(default_factory=set)
    registered_models: set[str] = field(default_factory=set)


@dataclass
class Plan:
    rescue_experiments: list[str]
    rescue_runs: list[str]
    delete_runs: list[str]
    delete_models: list[str]


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


def read_inventory(client: MlflowClient) -> Inventory:
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
            inventory.models[model.model_id] = Model(
                id=model.model_id, experiment=ident, run=model.source_run_id,
                keep=model.tags.get("retention") == "keep", created=model.creation_timestamp,
            )
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


def make_plan(inventory: Inventory, cutoff: int, limit: int) -> Plan:
    """Decides, from the inventory alone, what to rescue and what to trash."""
    runs, trash = inventory.runs, inventory.trashed_experiments
    needed_runs, needed_models = protected(inventory)
    ancestors = with_ancestors(runs, needed_runs)

    experiments = {runs[i].experiment for i in ancestors if i in runs}
    experiments |= {inventory.models[i].experiment for i in needed_models if i in inventory.models}
    rescue_experiments = sorted(experiments & trash)
    rescue_runs = sorted(
        i for i in ancestors if i in runs and not runs[i].active and runs[i].experiment not in trash
    )

    young = {r.id for r in runs.values() if r.active and r.ended >= cutoff}
    kept = with_ancestors(runs, needed_runs | young)
    old = sorted((r for r in runs.values() if r.active and r.id not in kept), key=lambda r: (r.ended, r.id))
    # The limit cuts the newest; parents must not go before their children.
    delete_runs = [r.id for r in old][:limit]
    kept = with_ancestors(runs, kept | {r.id for r in old[limit:]})
    delete_runs = [i for i in delete_runs if i not in kept]

    gone = set(delete_runs) | {r.id for r in runs.values() if not r.active and r.id not in ancestors}
    delete_models = sorted(
        (m.created, m.id) for m in inventory.models.values()
        if m.id not in needed_models and m.created < cutoff
        and (m.run is None or m.run not in runs or m.run in gone)
    )
    # Purging an experiment drops the rows of its LoggedModels, and with them
    # the only trace of their artifacts: trash those first, whatever their age.
    delete_models += sorted(
        (m.created, m.id) for m in inventory.models.values()
        if m.id not in needed_models and m.created >= cutoff and m.experiment in trash
        and m.experiment not in rescue_experiments
    )
    return Plan(rescue_experiments, rescue_runs, delete_runs, [i for _, i in delete_models][:limit])
