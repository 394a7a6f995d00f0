"""Dumps of a real PostgreSQL, to the APIs of S3 and of Azure's Blob Storage, and back."""

import json
import subprocess
import time

import backup
import pytest
from conftest import BlobBucket, S3Bucket, call, pg_program


@pytest.fixture(params=["s3", "azure"])
def bucket(request):
    name = f"backups-{time.time_ns()}"
    if request.param == "s3":
        return S3Bucket(request.getfixturevalue("s3"), request.getfixturevalue("s3_env"), name)
    return BlobBucket(request.getfixturevalue("azure_env"), name)


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
