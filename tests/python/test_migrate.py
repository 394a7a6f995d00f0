"""The migration gate against a real PostgreSQL and MLflow's real migrations."""

import signal
import subprocess
import sys
import time

import migrate
import pytest
import sqlalchemy
from alembic import command
from alembic.script import ScriptDirectory
from conftest import SCRIPTS, broken, call, clean_env, free_port, load

MIGRATE = SCRIPTS / "migrate.py"
HEAD = migrate.this_release().head


def gate(postgres, database, module=migrate, **env):
    return call(module, MLFLOW_BACKEND_STORE_URI=postgres.uri(database), **env)


def start(postgres, database, script=MIGRATE):
    return subprocess.Popen(
        [sys.executable, str(script)], env=clean_env(MLFLOW_BACKEND_STORE_URI=postgres.uri(database)),
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )


def at_older_revision(postgres, steps: int) -> tuple[str, str]:
    """A database as an older MLflow left it, and its revision."""
    script = ScriptDirectory.from_config(migrate.alembic_config())
    older = [revision.revision for revision in script.walk_revisions()][steps]
    database = postgres.database()
    engine = sqlalchemy.create_engine(postgres.uri(database))
    migrate.InitialBase.metadata.create_all(engine)
    with engine.connect() as connection:
        config = migrate.alembic_config()
        config.attributes["connection"] = connection
        command.upgrade(config, older)
    engine.dispose()
    assert postgres.revision(database) == older
    return database, older


def wait_until(condition, what: str, timeout: float = 60) -> None:
    deadline = time.monotonic() + timeout
    while not condition():
        assert time.monotonic() < deadline, f"never happened: {what}"
        time.sleep(0.05)


def sessions(postgres, database, where: str = "true") -> int:
    return postgres.sql("postgres", "SELECT count(*) FROM pg_stat_activity WHERE datname = %s AND "
                        "application_name = 'mlflow-migrate' AND " + where, database)[0][0]


def test_empty_database_is_initialised_once(postgres):
    database = postgres.database()
    code, output = gate(postgres, database)
    assert code == 0, output
    assert "initialise" in output
    assert postgres.revision(database) == HEAD
    assert migrate.this_release().tables <= postgres.tables(database)
    code, output = gate(postgres, database)
    assert code == 0
    assert "nothing to do" in output


def test_older_schema_is_upgraded_and_keeps_its_data(postgres):
    database, older = at_older_revision(postgres, 5)
    postgres.sql(database, "INSERT INTO experiments (experiment_id, name, lifecycle_stage) VALUES (7, 'kept', 'active')")
    code, output = gate(postgres, database)
    assert code == 0, output
    assert f"{older} -> {HEAD}" in output
    assert postgres.revision(database) == HEAD
    assert postgres.sql(database, "SELECT name FROM experiments WHERE experiment_id = 7") == [("kept",)]


def test_three_at_once_all_succeed_and_one_migrates(postgres):
    database = postgres.database()
    processes = [start(postgres, database) for _ in range(3)]
    outputs = [process.communicate(timeout=120)[0] for process in processes]
    assert [process.returncode for process in processes] == [0, 0, 0], outputs
    assert sum("initialise" in output for output in outputs) == 1
    assert postgres.revision(database) == HEAD


@pytest.mark.parametrize("protected", [True, False])
def test_lock_keeps_a_second_migration_out(postgres, tmp_path, protected):
    database = postgres.database()
    module = migrate if protected else load(broken(
        tmp_path, "migrate.py", '    take_lock(connection, seconds("MIGRATE_LOCK_TIMEOUT", 900))\n', ""))
    holder = postgres.connect(database)
    holder.cursor().execute(f"SELECT pg_advisory_lock({migrate.LOCK_KEY})")
    code, output = gate(postgres, database, module, MIGRATE_LOCK_TIMEOUT=2)
    holder.close()
    if protected:
        assert code == migrate.TIMED_OUT, output
        assert postgres.tables(database) == set()
    else:
        assert postgres.tables(database), "without the lock it migrates beside the other one"


@pytest.mark.parametrize("protected", [True, False])
def test_kill_in_the_middle_leaves_nothing_behind(postgres, tmp_path, protected):
    database = postgres.database()
    script = MIGRATE if protected else broken(
        tmp_path, "migrate.py", "        InitialBase.metadata.create_all(connection)\n",
        "        InitialBase.metadata.create_all(connection)\n        connection.commit()\n")
    # The migration stops at its first ALTER TABLE until we let it go on.
    postgres.sql(database, """
        CREATE FUNCTION pause() RETURNS event_trigger LANGUAGE plpgsql AS
        $$ BEGIN PERFORM pg_advisory_lock(42); PERFORM pg_advisory_unlock(42); END $$;
        CREATE EVENT TRIGGER pause ON ddl_command_end WHEN TAG IN ('ALTER TABLE') EXECUTE FUNCTION pause()""")
    holder = postgres.connect(database)
    holder.cursor().execute("SELECT pg_advisory_lock(42)")
    process = start(postgres, database, script)
    wait_until(lambda: sessions(postgres, database, "wait_event = 'advisory'"), "the migration reaches its pause")
    process.send_signal(signal.SIGKILL)
    process.wait()
    # Its session lives on in the server, and so does its lock.
    code, output = gate(postgres, database, MIGRATE_LOCK_TIMEOUT=1)
    assert code == migrate.TIMED_OUT, output
    holder.close()
    wait_until(lambda: not sessions(postgres, database), "the dead migration's session ends")
    assert (postgres.tables(database) == set()) == protected
    postgres.sql(database, "DROP EVENT TRIGGER pause")
    code, output = gate(postgres, database)
    assert code == 0, output
    assert postgres.revision(database) == HEAD


@pytest.mark.parametrize("protected", [True, False])
def test_kill_during_an_upgrade_keeps_the_old_schema(postgres, tmp_path, protected):
    database, older = at_older_revision(postgres, 8)
    before = postgres.tables(database)
    script = MIGRATE if protected else broken(
        tmp_path, "migrate.py", '    command.upgrade(config, "heads")\n',
        '    command.upgrade(config, "+1")\n    connection.commit()\n    command.upgrade(config, "heads")\n')
    # The last thing a migration does is to write its revision: hold that up.
    postgres.sql(database, f"""
        CREATE FUNCTION pause() RETURNS trigger LANGUAGE plpgsql AS
        $$ BEGIN IF NEW.version_num = '{HEAD}' THEN PERFORM pg_advisory_lock(42); END IF; RETURN NEW; END $$;
        CREATE TRIGGER pause BEFORE UPDATE ON alembic_version FOR EACH ROW EXECUTE FUNCTION pause()""")
    holder = postgres.connect(database)
    holder.cursor().execute("SELECT pg_advisory_lock(42)")
    process = start(postgres, database, script)
    wait_until(lambda: sessions(postgres, database, "wait_event = 'advisory'"), "the migration reaches its pause")
    process.send_signal(signal.SIGKILL)
    process.wait()
    holder.close()
    wait_until(lambda: not sessions(postgres, database), "the dead migration's session ends")
    untouched = postgres.revision(database) == older and postgres.tables(database) == before
    assert untouched == protected
    postgres.sql(database, "DROP TRIGGER pause ON alembic_version")
    code, output = gate(postgres, database)
    assert code == 0, output
    assert postgres.revision(database) == HEAD


@pytest.mark.parametrize("mode", ["upgrade", "check"])
def test_newer_schema_is_refused_and_named(postgres, migrated, mode):
    database = postgres.database(migrated)
    postgres.sql(database, "UPDATE alembic_version SET version_num = 'feedfacecafe'")
    postgres.sql(database, """COMMENT ON TABLE alembic_version IS '{"mlflow": "9.1.0"}'""")
    code, output = gate(postgres, database, MIGRATE_MODE=mode)
    assert code == migrate.REFUSED, output
    for part in ("downgrade refused", "feedfacecafe", "MLflow 9.1.0", f"MLflow {migrate.mlflow.__version__}", HEAD):
        assert part in output
    assert postgres.revision(database) == "feedfacecafe"


def test_migrated_schema_says_who_wrote_it(postgres, migrated):
    comment = postgres.sql(postgres.database(migrated), "SELECT obj_description('alembic_version'::regclass)")[0][0]
    assert migrate.stamped_version(comment) == migrate.mlflow.__version__


def test_database_of_somebody_else_is_refused(postgres):
    database = postgres.database()
    postgres.sql(database, "CREATE TABLE invoices (id int)")
    code, output = gate(postgres, database)
    assert code == migrate.REFUSED
    assert "invoices" in output
    assert postgres.tables(database) == {"invoices"}


def test_missing_table_is_reported(postgres, migrated):
    database = postgres.database(migrated)
    postgres.sql(database, "DROP TABLE latest_metrics CASCADE")
    code, output = gate(postgres, database, MIGRATE_MODE="check")
    assert code == migrate.FAILED
    assert "latest_metrics" in output


def test_check_waits_and_changes_nothing(postgres):
    database = postgres.database()
    code, _ = gate(postgres, database, MIGRATE_MODE="check", MIGRATE_LOCK_TIMEOUT=1)
    assert code == migrate.TIMED_OUT
    assert postgres.tables(database) == set()


def test_check_passes_once_the_job_is_done(postgres):
    database = postgres.database()
    waiting = subprocess.Popen(
        [sys.executable, str(MIGRATE)], text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        env=clean_env(MLFLOW_BACKEND_STORE_URI=postgres.uri(database), MIGRATE_MODE="check"),
    )
    assert gate(postgres, database)[0] == 0
    output = waiting.communicate(timeout=60)[0]
    assert waiting.returncode == 0, output


@pytest.mark.parametrize(("uri", "code"), [
    ("", 2), ("not a uri s3cret-canary", 2), ("sqlite:////tmp/s3cret-canary.db", 2),
    ("postgresql+psycopg2://u:s3cret-canary@127.0.0.1:{port}/d", 4),
])
def test_bad_address_fails_without_showing_it(uri, code):
    found, output = call(migrate, MLFLOW_BACKEND_STORE_URI=uri.format(port=free_port()), MIGRATE_CONNECT_TIMEOUT=0)
    assert found == code, output
    assert "s3cret-canary" not in output
