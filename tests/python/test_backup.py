"""Dumps of a real PostgreSQL, to the APIs of S3, Azure's Blob Storage and Google's Cloud Storage, and back."""

import json
import subprocess
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import backup
import pytest
from conftest import SCRIPTS, broken, call, make_bucket, pg_program, run


@pytest.fixture(params=["s3", "azure", "gcs"])
def bucket(request):
    return make_bucket(request, request.param, "backups")


@pytest.fixture
def env(bucket, tmp_path):
    return {**bucket.env, "BACKUP_URI": f"{bucket.root}/db", "BACKUP_FILE": str(tmp_path / "mlflow.dump")}


def put_dump(bucket, stamp, body=b"PGDMP old"):
    bucket.put(f"db/mlflow-{stamp}.dump", body)


def names(env):
    code, output = call(backup, ["list"], **env)
    assert code == backup.OK
    return [json.loads(line)["name"] for line in output.splitlines()]


def test_database_comes_back(postgres, env, tmp_path):
    source, target = postgres.database(), postgres.database()
    postgres.sql(source, "CREATE TABLE t AS SELECT generate_series(1, 1000) AS i")
    subprocess.run([pg_program("pg_dump"), "-Fc", "-f", env["BACKUP_FILE"], "-h", "127.0.0.1", "-p", str(postgres.port),
                    "-U", "postgres", source], check=True)
    code, output = call(backup, ["upload", "prune", "list"], **env)
    assert code == backup.OK, output
    fetched = str(tmp_path / "fetched.dump")
    code, output = call(backup, ["fetch"], **{**env, "BACKUP_FILE": fetched})
    assert code == backup.OK, output
    subprocess.run([pg_program("pg_restore"), "-h", "127.0.0.1", "-p", str(postgres.port), "-U", "postgres", "-d", target,
                    fetched], check=True)
    assert postgres.sql(target, "SELECT sum(i) FROM t") == [(500500,)]


def test_large_dump_is_verified_part_by_part(env, monkeypatch, tmp_path):
    monkeypatch.setattr(backup, "PART", 5 * 1024 * 1024)
    monkeypatch.setattr(backup, "BLOCK", 5 * 1024 * 1024)
    (tmp_path / "mlflow.dump").write_bytes(b"PGDMP" + bytes(12 * 1024 * 1024))
    code, output = call(backup, ["upload", "fetch"], **env)
    assert code == backup.OK, output


@pytest.mark.parametrize("protected", [True, False])
def test_upload_that_arrives_damaged_is_refused_and_removed(bucket, env, tmp_path, monkeypatch, protected):
    (tmp_path / "mlflow.dump").write_bytes(b"PGDMP good")
    (tmp_path / "evil").write_bytes(b"PGDMP evil")
    real = bucket.kind.put

    def damaging(self, path, key, want):
        return real(self, tmp_path / "evil", key, want)

    # The twin believes the store.
    monkeypatch.setattr(bucket.kind, "put", damaging if protected else lambda *args: damaging(*args) or True)
    code, output = call(backup, ["upload"], **env)
    assert (code == backup.CORRUPT) == protected, output
    assert (names(env) == []) == protected


def test_damaged_dump_is_not_handed_out(bucket, env, tmp_path):
    (tmp_path / "mlflow.dump").write_bytes(b"PGDMP good")
    assert call(backup, ["upload"], **env)[0] == backup.OK
    key = f"db/{names(env)[0]}"
    bucket.put(key, b"PGDMP evil", bucket.metadata(key))
    target = tmp_path / "out.dump"
    code, _ = call(backup, ["fetch"], **{**env, "BACKUP_FILE": str(target)})
    assert code == backup.CORRUPT
    assert list(tmp_path.glob("out.dump*")) == []


def test_unfinished_dump_is_not_uploaded(env, tmp_path):
    (tmp_path / "mlflow.dump").write_bytes(b"")
    code, output = call(backup, ["upload"], **env)
    assert code == backup.FAILED
    assert "pg_dump" in output
    assert names(env) == []


def test_prune_keeps_the_newest_however_old(bucket, env):
    for day in range(1, 6):
        put_dump(bucket, f"2020010{day}T000000Z")
    bucket.put("db/notes.txt", b"not ours")
    bucket.put("db/mlflow-deep/mlflow-20200101T000000Z.dump", b"not ours")
    code, _ = call(backup, ["prune"], **env, BACKUP_KEEP_NEWEST="2")
    assert code == backup.OK
    assert names(env) == ["mlflow-20200105T000000Z.dump", "mlflow-20200104T000000Z.dump"]
    left = bucket.keys()
    assert "db/notes.txt" in left
    assert "db/mlflow-deep/mlflow-20200101T000000Z.dump" in left


def test_prune_keeps_what_is_young(bucket, env):
    young = backup.datetime.now(backup.timezone.utc) - backup.timedelta(days=5)
    stamp = young.strftime(backup.TIME)
    put_dump(bucket, stamp)
    put_dump(bucket, "20200101T000000Z")
    put_dump(bucket, "20990101T000000Z")
    call(backup, ["prune"], **env, BACKUP_KEEP_NEWEST="1")
    assert names(env) == ["mlflow-20990101T000000Z.dump", f"mlflow-{stamp}.dump"]


def test_prune_runs_only_after_a_good_upload(bucket, env, tmp_path):
    put_dump(bucket, "20200101T000000Z")
    put_dump(bucket, "20200102T000000Z")
    (tmp_path / "mlflow.dump").write_bytes(b"garbage")
    code, _ = call(backup, ["upload", "prune"], **env, BACKUP_KEEP_NEWEST="1")
    assert code == backup.FAILED
    assert len(names(env)) == 2


def test_nothing_to_fetch(env):
    assert call(backup, ["fetch"], **env)[0] == backup.ABSENT
    assert call(backup, ["fetch"], **env, BACKUP_NAME="mlflow-20200101T000000Z.dump")[0] == backup.ABSENT


@pytest.mark.parametrize(("commands", "change"), [
    ([], {}), (["explode"], {}), (["list"], {"BACKUP_URI": ""}), (["list"], {"BACKUP_URI": "/tmp"}),
    (["fetch"], {"BACKUP_NAME": "../../etc/passwd"}), (["prune"], {"BACKUP_KEEP_NEWEST": "0"}), (["upload"], {"BACKUP_FILE": ""}),
])
def test_bad_settings_are_refused(env, commands, change):
    assert call(backup, commands, **{**env, **change})[0] == backup.MISCONFIGURED


@pytest.mark.parametrize("uri", ["gs://", "gs:///db", "gs://-backups/db", "s3:///db", "wasbs://backups/db", "http://backups/db"])
def test_a_bad_address_is_refused_with_the_good_ones(uri):
    code, output = call(backup, ["list"], BACKUP_URI=uri)
    assert (code, output) == (backup.MISCONFIGURED, f"backup: BACKUP_URI is {uri!r}; want s3://bucket/prefix, gs://bucket/prefix "
                              "or wasbs://container@account.blob.core.windows.net/prefix\n")


class Google(BaseHTTPRequestHandler):
    """GKE's metadata server, which hands out a pod's token, and a Cloud Storage with one dump that wants it."""

    ACCOUNTS = "/computeMetadata/v1/instance/service-accounts"
    METADATA = {
        "/": {}, f"{ACCOUNTS}/default/": {"email": "project.svc.id.goog", "aliases": ["default"]},
        f"{ACCOUNTS}/default/token": {"access_token": "pod", "expires_in": 3599, "token_type": "Bearer"},
    }
    STORE = {"/storage/v1/b/backups/o": {"items": [{"name": "db/mlflow-20200101T000000Z.dump", "size": "9"}]}}

    def do_GET(self):
        store = self.STORE if self.headers.get("Authorization") == "Bearer pod" else {}
        answers = self.METADATA if self.headers.get("Metadata-Flavor") == "Google" else store
        answer = answers.get(self.path.split("?")[0])
        body = json.dumps(answer).encode()
        self.send_response(404 if answer is None else 200)
        for name, value in [("Metadata-Flavor", "Google"), ("Content-Type", "application/json"), ("Content-Length", len(body))]:
            self.send_header(name, str(value))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args):
        pass


@pytest.mark.parametrize("protected", [True, False])
def test_google_is_asked_with_the_pods_identity(tmp_path, protected):
    """Nothing tells the project; the twin asks for it."""
    script = SCRIPTS / "backup.py" if protected else broken(tmp_path, "backup.py", "Client(project=None)", "Client()")
    with ThreadingHTTPServer(("127.0.0.1", 0), Google) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        host = f"127.0.0.1:{server.server_port}"
        done = run(script, "list", BACKUP_URI="gs://backups/db", API_ENDPOINT_OVERRIDE=f"http://{host}",
                   GCE_METADATA_HOST=host, GCE_METADATA_IP=host)
        server.shutdown()
    assert (done.returncode == backup.OK) == protected, done.stdout
    assert ('"mlflow-20200101T000000Z.dump"' if protected else "Project was not passed") in done.stdout


def test_google_is_not_asked_without_an_identity():
    """MLflow goes on without one, a dump does not."""
    done = run(SCRIPTS / "backup.py", "list", BACKUP_URI="gs://backups/db", NO_GCE_CHECK="true")
    assert done.returncode == backup.FAILED
    assert done.stdout.startswith("backup: failed: Your default credentials were not found.")
    assert "Traceback" not in done.stdout
