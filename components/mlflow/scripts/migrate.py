"""The migration gate: brings MLflow's PostgreSQL schema to this image's revision.

MLflow migrates an older schema silently when a server starts and finds a table
missing, and no setting forbids it. Two starts at once then race, and old
replicas keep writing to a schema they do not know. So one Job runs this file
before the rollout, and every server pod runs it as an init container in mode
"check", which changes nothing and holds the pod back until the schema fits.

The lock is an advisory lock of the very session that migrates, and the whole
migration is one transaction of that session. Killing this process at any moment
therefore rolls everything back before the lock becomes free, and a second run
starts from an intact schema. Concurrent runs queue; the later ones find nothing
to do.

Environment:
  MLFLOW_BACKEND_STORE_URI      database, postgresql+psycopg2://… (required, secret)
  MIGRATE_MODE                  "upgrade" (default) or "check"
  MIGRATE_CONNECT_TIMEOUT       seconds to wait for the database, default 300
  MIGRATE_LOCK_TIMEOUT          seconds to wait for another migration; in mode
                                "check" for the schema to fit. Default 900
  MIGRATE_STATEMENT_LOCK_TIMEOUT  seconds one statement waits for a table that a
                                still running server holds, default 120

Exit codes: 0 schema fits, 1 failed (schema unchanged), 2 configuration,
3 refused: the schema is newer or not MLflow's, 4 timed out.
"""

import json
import os
import sys
import time
from contextlib import contextmanager
from dataclasses import dataclass

import mlflow
import mlflow.store.db.utils  # registers every table with Base.metadata
import sqlalchemy
from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from mlflow.store.db.base_sql_model import Base
from mlflow.store.tracking.dbmodels.initial_models import Base as InitialBase
from sqlalchemy.pool import StaticPool

OK, FAILED, MISCONFIGURED, REFUSED, TIMED_OUT = range(5)

# Any constant works as long as every version of this file uses the same one.
LOCK_KEY = 0x6D6C666C6F77  # "mlflow" in ASCII


class Stop(Exception):
    """Ends the run with an exit code and a message for the operator."""

    def __init__(self, code: int, message: str):
        super().__init__(message)
        self.code = code


@dataclass(frozen=True)
class Schema:
    """What the database holds: its revision, its tables, and who migrated it."""

    revision: str | None
    tables: frozenset[str]
    version: str | None


@dataclass(frozen=True)
class Release:
    """What this MLflow expects: head revision, all revisions it knows, tables."""

    head: str
    known: frozenset[str]
    tables: frozenset[str]
    initial: frozenset[str]


def log(message: str) -> None:
    print(f"migrate: {message}", flush=True)


def seconds(name: str, default: int) -> int:
    value = os.environ.get(name, str(default))
    if not value.isdigit():
        raise Stop(MISCONFIGURED, f"{name} must be a number of seconds, got {value!r}")
    return int(value)


def alembic_config() -> Config:
    """Alembic pointed at MLflow's own migrations; the connection is handed over later."""
    location = os.path.join(os.path.dirname(mlflow.__file__), "store", "db_migrations")
    config = Config()
    config.set_main_option("script_location", location.replace("%", "%%"))
    return config


def this_release() -> Release:
    script = ScriptDirectory.from_config(alembic_config())
    return Release(
        head=script.get_current_head(),
        known=frozenset(revision.revision for revision in script.walk_revisions()),
        tables=frozenset(Base.metadata.tables),
        initial=frozenset(InitialBase.metadata.tables),
    )


def read_schema(connection) -> Schema:
    tables = frozenset(sqlalchemy.inspect(connection).get_table_names())
    revision, version = None, None
    if "alembic_version" in tables:
        revision = MigrationContext.configure(connection).get_current_revision()
        comment = connection.scalar(
            sqlalchemy.text("SELECT obj_description('alembic_version'::regclass, 'pg_class')")
        )
        version = stamped_version(comment)
    return Schema(revision, tables, version)


def stamped_version(comment: str | None) -> str | None:
    """The MLflow version that an earlier run left as a comment on alembic_version."""
    try:
        return json.loads(comment or "{}").get("mlflow")
    except (ValueError, AttributeError):
        return None


def decide(schema: Schema, release: Release) -> str:
    """Says what to do: initialise, upgrade or nothing; raises Stop to refuse."""
    if schema.revision is None:
        # alembic_version without a row is what a failed first start leaves behind.
        foreign = schema.tables - release.initial - {"alembic_version"}
        if foreign:
            raise Stop(
                REFUSED,
                "the database has no MLflow revision but holds other tables "
                f"({', '.join(sorted(foreign)[:5])}); give MLflow a database of its own",
            )
        return "initialise"
    if schema.revision not in release.known:
        made_by = f"MLflow {schema.version}" if schema.version else "a newer MLflow"
        raise Stop(
            REFUSED,
            f"downgrade refused: the schema is at revision {schema.revision}, written by {made_by}, "
            f"which MLflow {mlflow.__version__} (revision {release.head}) does not know; "
            "deploy the newer version again, or restore the backup taken before its migration",
        )
    if schema.revision != release.head:
        return "upgrade"
    if missing := release.tables - schema.tables:
        # A server would try to migrate this by itself and fail half way.
        raise Stop(
            FAILED,
            f"revision {schema.revision} is right but tables are missing "
            f"({', '.join(sorted(missing)[:5])}); restore the database from a backup",
        )
    return "nothing"


@contextmanager
def session(uri: str, timeout: int):
    """Waits for the database and yields the one session everything runs in."""
    # StaticPool hands the same session to Alembic, which opens "its own"
    # connection from the engine: the lock and the migration stay together.
    engine = sqlalchemy.create_engine(uri, poolclass=StaticPool)
    if engine.dialect.name != "postgresql":
        raise Stop(MISCONFIGURED, f"MLFLOW_BACKEND_STORE_URI must be PostgreSQL, got {engine.dialect.name}")
    deadline = time.monotonic() + timeout
    while True:
        try:
            connection = engine.connect()
            break
        except sqlalchemy.exc.OperationalError as error:
            reason = str(error.orig).strip().splitlines()[0]
            if time.monotonic() >= deadline:
                raise Stop(TIMED_OUT, f"no connection to the database within {timeout} s: {reason}") from None
            log(f"waiting for the database: {reason}")
            time.sleep(2)
    try:
        connection.execute(sqlalchemy.text("SET application_name = 'mlflow-migrate'"))
        connection.commit()
        yield connection
    finally:
        connection.close()
        engine.dispose()  # ends the session, and with it the lock


def take_lock(connection, timeout: int) -> None:
    deadline = time.monotonic() + timeout
    waiting = False
    while True:
        taken = connection.scalar(
            sqlalchemy.text("SELECT pg_try_advisory_lock(:key)"), {"key": LOCK_KEY}
        )
        # End the transaction: a waiting one would block the migration it waits for.
        connection.commit()
        if taken:
            return
        if time.monotonic() >= deadline:
            raise Stop(TIMED_OUT, f"another migration has held the lock for {timeout} s")
        if not waiting:
            log("another migration is running, waiting for its lock")
            waiting = True
        time.sleep(1)


def migrate(connection, release: Release, action: str) -> None:
    """Initialises or upgrades in one transaction; Alembic commits it."""
    config = alembic_config()
    config.attributes["connection"] = connection
    timeout = seconds("MIGRATE_STATEMENT_LOCK_TIMEOUT", 120)
    connection.execute(sqlalchemy.text(f"SET lock_timeout = '{timeout}s'"))
    connection.commit()
    if action == "initialise":
        InitialBase.metadata.create_all(connection)
    command.upgrade(config, "heads")
    connection.commit()
    stamp = json.dumps({"mlflow": mlflow.__version__, "revision": release.head})
    connection.execute(sqlalchemy.text(f"COMMENT ON TABLE alembic_version IS '{stamp}'"))
    connection.commit()


def upgrade(connection, release: Release) -> None:
    take_lock(connection, seconds("MIGRATE_LOCK_TIMEOUT", 900))
    schema = read_schema(connection)
    connection.rollback()
    action = decide(schema, release)
    if action == "nothing":
        log(f"schema is at revision {release.head}, nothing to do")
        return
    log(f"{action}: revision {schema.revision or 'none'} -> {release.head} for MLflow {mlflow.__version__}")
    started = time.monotonic()
    migrate(connection, release, action)
    after = read_schema(connection)
    if decide(after, release) != "nothing":
        raise Stop(FAILED, f"after the migration the schema is at revision {after.revision}, not {release.head}")
    log(f"schema is at revision {release.head} after {time.monotonic() - started:.1f} s")


def check(connection, release: Release) -> None:
    timeout = seconds("MIGRATE_LOCK_TIMEOUT", 900)
    deadline = time.monotonic() + timeout
    while True:
        schema = read_schema(connection)
        connection.rollback()
        action = decide(schema, release)
        if action == "nothing":
            log(f"schema fits MLflow {mlflow.__version__} (revision {release.head})")
            return
        if time.monotonic() >= deadline:
            raise Stop(TIMED_OUT, f"the schema still needs to {action} after {timeout} s; did the migration Job fail?")
        log(f"schema is at revision {schema.revision or 'none'}, waiting for the migration to {release.head}")
        time.sleep(3)


def main() -> int:
    try:
        uri = os.environ.get("MLFLOW_BACKEND_STORE_URI", "")
        mode = os.environ.get("MIGRATE_MODE", "upgrade")
        if not uri:
            raise Stop(MISCONFIGURED, "MLFLOW_BACKEND_STORE_URI is not set")
        if mode not in ("upgrade", "check"):
            raise Stop(MISCONFIGURED, f"MIGRATE_MODE must be upgrade or check, got {mode!r}")
        with session(uri, seconds("MIGRATE_CONNECT_TIMEOUT", 300)) as connection:
            (upgrade if mode == "upgrade" else check)(connection, this_release())
        return OK
    except Stop as stop:
        log(str(stop))
        return stop.code
    except sqlalchemy.exc.ArgumentError:
        log("MLFLOW_BACKEND_STORE_URI is not a database URI")  # its text may hold the password
        return MISCONFIGURED
    except sqlalchemy.exc.SQLAlchemyError as error:
        reason = str(getattr(error, "orig", None) or type(error).__name__).strip().splitlines()[0]
        log(f"failed, the schema is unchanged: {reason}")
        return FAILED


if __name__ == "__main__":
    sys.exit(main())
