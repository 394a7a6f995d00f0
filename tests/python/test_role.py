"""The role of a managed database, made by an administrator with the rights that clouds give theirs."""

import base64
import hashlib
import hmac
import subprocess
import time

import psycopg2
import pytest
from conftest import ROOT, clean_env, pg_program

SCRIPT = ROOT / "components" / "postgres" / "role.sh"


def verifier(password: str) -> str:
    """What components/postgres/scram.go computes."""
    salt = b"0123456789abcdef"
    salted = hashlib.pbkdf2_hmac("sha256", password.encode(), salt, 4096)
    sign = lambda text: hmac.new(salted, text, hashlib.sha256).digest()  # noqa: E731
    encode = lambda raw: base64.b64encode(raw).decode()  # noqa: E731
    return f"SCRAM-SHA-256$4096:{encode(salt)}${encode(hashlib.sha256(sign(b'Client Key')).digest())}:{encode(sign(b'Server Key'))}"


@pytest.fixture
def managed(postgres):
    """A database as a cloud hands it over: its administrator is no superuser."""
    number = next(postgres.numbers)
    admin, role, database = f"admin{number}", f"mlflow{number}", f"managed{number}"
    postgres.sql("postgres", f"CREATE ROLE {admin} LOGIN CREATEROLE CREATEDB")
    postgres.sql("postgres", f"CREATE DATABASE {database} OWNER {admin}")
    (hba,), = postgres.sql("postgres", "SHOW hba_file")
    with open(hba, encoding="utf-8") as file:
        rest = file.read()
    with open(hba, "w", encoding="utf-8") as file:
        file.write(f"host {database} {role},{role}_alternate 127.0.0.1/32 scram-sha-256\n{rest}")
    # The server reads it some time after it was asked to, and until then trusts everybody.
    (before,), = postgres.sql("postgres", "SELECT pg_conf_load_time() FROM pg_reload_conf()")
    deadline = time.monotonic() + 60
    while postgres.sql("postgres", "SELECT pg_conf_load_time()") == [(before,)]:
        assert time.monotonic() < deadline, "the server does not read its configuration"
        time.sleep(0.05)
    return admin, role, database


def make(postgres, admin, role, database, password, script=None, alternate=None):
    return subprocess.run(
        ["sh", "-c", script or SCRIPT.read_text()], text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=60,
        env={**clean_env(PGHOST="127.0.0.1", PGPORT=postgres.port, PGUSER=admin, PGDATABASE=database, OWNER_NAME=role,
                         OWNER_VERIFIER=verifier(password), **(
                             {"ALTERNATE_NAME": f"{role}_alternate", "ALTERNATE_VERIFIER": verifier(alternate)} if alternate else {})), "PATH": f"{pg_program('psql').rsplit('/', 1)[0]}:/usr/bin:/bin"},
    )


def login(postgres, role, database, password):
    return psycopg2.connect(host="127.0.0.1", port=postgres.port, user=role, dbname=database, password=password)


def test_role_owns_its_database_and_nothing_else(postgres, managed):
    admin, role, database = managed
    done = make(postgres, admin, role, database, "first")
    assert done.returncode == 0, done.stdout
    with login(postgres, role, database, "first") as connection, connection.cursor() as cursor:
        cursor.execute("CREATE TABLE t (id integer PRIMARY KEY); INSERT INTO t VALUES (1)")
        cursor.execute("SELECT rolsuper, rolcreaterole, rolcreatedb, rolreplication, rolbypassrls FROM pg_roles WHERE rolname = current_user")
        assert cursor.fetchone() == (False,) * 5
    for statement in ("CREATE DATABASE other", "CREATE ROLE other", f"ALTER ROLE {admin} PASSWORD 'x'", "CREATE EXTENSION adminpack"):
        with login(postgres, role, database, "first") as connection, pytest.raises(psycopg2.Error):
            connection.autocommit = True
            connection.cursor().execute(statement)


def test_others_are_kept_out(postgres, managed):
    admin, role, database = managed
    assert make(postgres, admin, role, database, "first").returncode == 0
    postgres.sql("postgres", f"CREATE ROLE stranger_of_{database} LOGIN")
    with pytest.raises(psycopg2.OperationalError, match="permission denied for database"):
        psycopg2.connect(host="127.0.0.1", port=postgres.port, user=f"stranger_of_{database}", dbname=database)


def test_second_run_changes_the_password_only(postgres, managed):
    admin, role, database = managed
    assert make(postgres, admin, role, database, "first").returncode == 0
    with login(postgres, role, database, "first") as connection, connection.cursor() as cursor:
        cursor.execute("CREATE TABLE kept (id integer)")
    done = make(postgres, admin, role, database, "second")
    assert done.returncode == 0, done.stdout
    with pytest.raises(psycopg2.OperationalError, match="password authentication failed"):
        login(postgres, role, database, "first")
    with login(postgres, role, database, "second") as connection, connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM kept")
        assert cursor.fetchone() == (0,)


def rotated(postgres, managed, script=None):
    """Three versions of the password as the platform makes them; after each step both the new and the previous pair log in,
    and the new one changes every table, as a migration does."""
    admin, role, database = managed
    alternate = f"{role}_alternate"
    pairs = [(role, "one")]
    for number, step in enumerate(({"password": "one"}, {"password": "one", "alternate": "two"}, {"password": "three", "alternate": "two"})):
        done = make(postgres, admin, role, database, script=script, **step)
        assert done.returncode == 0, done.stdout
        user = alternate if number == 1 else role
        pairs.append((user, step["alternate" if number == 1 else "password"]))
        for user, password in pairs[-2:]:
            login(postgres, user, database, password).close()
        with login(postgres, pairs[-1][0], database, pairs[-1][1]) as connection, connection.cursor() as cursor:
            cursor.execute(f"CREATE TABLE made_by_{number} (id integer)")
            for earlier in range(number + 1):
                cursor.execute(f"ALTER TABLE made_by_{earlier} ADD COLUMN c{number} integer")

def test_rotation_leaves_the_previous_login_alone(postgres, managed):
    rotated(postgres, managed)
    with pytest.raises(psycopg2.OperationalError, match="password authentication failed"):
        login(postgres, managed[1], managed[2], "one")


def test_rotation_without_the_owners_role_breaks_the_next_migration(postgres, managed):
    """The twin: the alternate login makes tables of its own."""
    script = SCRIPT.read_text()
    without = script.replace("ALTER ROLE :\"alternate\" SET role = :'owner';", "")
    assert without != script
    with pytest.raises(psycopg2.errors.InsufficientPrivilege, match="must be owner of table made_by_1"):
        rotated(postgres, managed, without)


def test_alternate_login_is_no_more_than_the_owner(postgres, managed):
    admin, role, database = managed
    assert make(postgres, admin, role, database, "one", alternate="two").returncode == 0
    for statement in ("CREATE DATABASE other", "CREATE ROLE other", f"ALTER ROLE {admin} PASSWORD 'x'"):
        with login(postgres, f"{role}_alternate", database, "two") as connection, pytest.raises(psycopg2.Error):
            connection.autocommit = True
            connection.cursor().execute("RESET ROLE")
            connection.cursor().execute(statement)


def test_failure_is_a_failure(postgres, managed):
    """The twin goes on after an error, as psql does by itself."""
    admin, role, database = managed
    postgres.sql("postgres", f"ALTER ROLE {admin} NOCREATEROLE")
    assert make(postgres, admin, role, database, "first").returncode != 0
    lax = SCRIPT.read_text().replace("--set=ON_ERROR_STOP=1", "")
    assert make(postgres, admin, role, database, "first", lax).returncode == 0
