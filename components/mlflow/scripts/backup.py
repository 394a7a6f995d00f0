"""Keeps logical database dumps in the object store, and proves what it stored.

Usage: backup.py COMMAND…   (several commands run one after the other)
  upload   puts the finished pg_dump file (custom format, -Fc) at BACKUP_FILE into
           the store as <prefix>/mlflow-<UTC time>.dump and reads size, checksum
           and ETag back
  prune    deletes dumps older than BACKUP_RETENTION_DAYS, but never the newest
           BACKUP_KEEP_NEWEST
  list     prints the dumps as JSON lines, newest first
  fetch    writes the newest dump, or the one named by BACKUP_NAME, to BACKUP_FILE
           and verifies its SHA-256

pg_dump and pg_restore run in a PostgreSQL container beside this one; the file
is handed over in a shared volume.

Environment:
  BACKUP_S3_URI            s3://bucket/prefix (required)
  BACKUP_FILE              path of the dump (required for upload and fetch)
  BACKUP_NAME              dump to fetch, default the newest
  BACKUP_RETENTION_DAYS    default 30, at least 1
  BACKUP_KEEP_NEWEST       default 7, at least 1
  MLFLOW_S3_ENDPOINT_URL   store, unset: AWS; plus boto3's own variables

Exit codes: 0 done, 1 failed, 2 configuration, 3 nothing to fetch,
4 verification failed (fetch leaves no file behind).
"""

import hashlib
import json
import os
import re
import sys
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta, timezone
from urllib.parse import urlparse

import boto3
from boto3.s3.transfer import TransferConfig
from botocore.exceptions import BotoCoreError, ClientError

OK, FAILED, MISCONFIGURED, ABSENT, CORRUPT = range(5)

NAME = re.compile(r"mlflow-(\d{8}T\d{6}Z)\.dump")
TIME = "%Y%m%dT%H%M%SZ"
MAGIC = b"PGDMP"  # first bytes of every custom-format dump
# One part size for all uploads, so that the ETag of a multipart upload, the
# MD5 of its parts' MD5s, can be computed here and compared.
PART = 64 * 1024 * 1024


class Stop(Exception):
    """Ends the run with an exit code and a message for the operator."""

    def __init__(self, code: int, message: str):
        super().__init__(message)
        self.code = code


@dataclass(frozen=True)
class Dump:
    name: str
    bytes: int
    time: str


@dataclass(frozen=True)
class Digest:
    bytes: int
    sha256: str
    etag: str


def log(message: str) -> None:
    print(f"backup: {message}", flush=True)


def required(name: str) -> str:
    value = os.environ.get(name, "")
    if not value:
        raise Stop(MISCONFIGURED, f"{name} is not set")
    return value


def number(name: str, default: int) -> int:
    value = os.environ.get(name, str(default))
    if not value.isdigit() or int(value) < 1:
        raise Stop(MISCONFIGURED, f"{name} must be a whole number of at least 1, got {value!r}")
    return int(value)


def digest(path: str) -> Digest:
    total, sha, parts = 0, hashlib.sha256(), []
    with open(path, "rb") as file:
        part = hashlib.md5(usedforsecurity=False)
        filled = 0
        while chunk := file.read(min(1024 * 1024, PART - filled)):
            total += len(chunk)
            filled += len(chunk)
            sha.update(chunk)
            part.update(chunk)
            if filled == PART:
                parts.append(part.digest())
                part, filled = hashlib.md5(usedforsecurity=False), 0
        if filled or not parts:
            parts.append(part.digest())
    # boto3 sends one part as a plain upload only below the threshold.
    if total < PART:
        etag = parts[0].hex()
    else:
        etag = f"{hashlib.md5(b''.join(parts), usedforsecurity=False).hexdigest()}-{len(parts)}"
    return Digest(total, sha.hexdigest(), etag)


class Store:
    """The dumps below one prefix of one bucket."""

    def __init__(self, uri: str):
        parsed = urlparse(uri)
        if parsed.scheme != "s3" or not parsed.netloc:
            raise Stop(MISCONFIGURED, f"BACKUP_S3_URI must look like s3://bucket/prefix, got {uri!r}")
        self.bucket = parsed.netloc
        self.prefix = parsed.path.strip("/")
        self.s3 = boto3.client("s3", endpoint_url=os.environ.get("MLFLOW_S3_ENDPOINT_URL") or None)
        self.transfer = TransferConfig(multipart_threshold=PART, multipart_chunksize=PART)

    def key(self, name: str) -> str:
        return f"{self.prefix}/{name}" if self.prefix else name

    def dumps(self) -> list[Dump]:
        """All dumps, newest first; anything not named like one is left alone."""
        found = []
        pages = self.s3.get_paginator("list_objects_v2").paginate(Bucket=self.bucket, Prefix=self.key("mlflow-"))
        for page in pages:
            for item in page.get("Contents", []):
                name = item["Key"].rsplit("/", 1)[-1]
                if self.key(name) == item["Key"] and (match := NAME.fullmatch(name)):
                    found.append(Dump(name, item["Size"], match[1]))
        return sorted(found, key=lambda dump: dump.name, reverse=True)

    def upload(self, path: str, now: datetime) -> None:
        with open(path, "rb") as file:
            if file.read(len(MAGIC)) != MAGIC:
                raise Stop(FAILED, f"{path} is not a pg_dump custom-format file; did pg_dump -Fc finish?")
        want = digest(path)
        name = f"mlflow-{now.strftime(TIME)}.dump"
        self.s3.upload_file(
            path, self.bucket, self.key(name), Config=self.transfer,
            ExtraArgs={"Metadata": {"sha256": want.sha256}},
        )
        head = self.s3.head_object(Bucket=self.bucket, Key=self.key(name))
        # Under SSE-KMS the ETag is not an MD5; size and checksum must do.
        comparable = head.get("ServerSideEncryption") in (None, "AES256")
        if (
            head["ContentLength"] != want.bytes
            or head["Metadata"].get("sha256") != want.sha256
            or (comparable and head["ETag"].strip('"') != want.etag)
        ):
            self.s3.delete_object(Bucket=self.bucket, Key=self.key(name))
            raise Stop(CORRUPT, f"{name} read back differs from {path}; removed it, run the backup again")
        log(f"uploaded {name}: {want.bytes} bytes, sha256 {want.sha256}, verified")

    def prune(self, now: datetime, days: int, keep: int) -> None:
        oldest = (now - timedelta(days=days)).strftime(TIME)
        for dump in self.dumps()[keep:]:
            if dump.time < oldest:
                self.s3.delete_object(Bucket=self.bucket, Key=self.key(dump.name))
                log(f"pruned {dump.name}")

    def fetch(self, name: str, path: str) -> None:
        if not name:
            dumps = self.dumps()
            if not dumps:
                raise Stop(ABSENT, f"no dump below s3://{self.bucket}/{self.prefix}")
            name = dumps[0].name
        elif not NAME.fullmatch(name):
            raise Stop(MISCONFIGURED, f"BACKUP_NAME {name!r} is not the name of a dump, see the list command")
        partial = f"{path}.partial"
        try:
            head = self.s3.head_object(Bucket=self.bucket, Key=self.key(name))
            self.s3.download_file(self.bucket, self.key(name), partial)
            if digest(partial).sha256 != head["Metadata"].get("sha256"):
                raise Stop(CORRUPT, f"{name} does not match its SHA-256; fetch an older dump with BACKUP_NAME")
            os.replace(partial, path)
        except ClientError as error:
            if error.response["Error"]["Code"] in ("404", "NoSuchKey"):
                raise Stop(ABSENT, f"there is no dump {name}, see the list command") from None
            raise
        finally:
            if os.path.exists(partial):
                os.remove(partial)
        log(f"fetched {name} to {path}, verified")


def run(command: str, store: Store) -> None:
    now = datetime.now(timezone.utc)
    if command == "upload":
        store.upload(required("BACKUP_FILE"), now)
    elif command == "prune":
        store.prune(now, number("BACKUP_RETENTION_DAYS", 30), number("BACKUP_KEEP_NEWEST", 7))
    elif command == "list":
        for dump in store.dumps():
            print(json.dumps(asdict(dump)), flush=True)
    elif command == "fetch":
        store.fetch(os.environ.get("BACKUP_NAME", ""), required("BACKUP_FILE"))
    else:
        raise Stop(MISCONFIGURED, f"unknown command {command!r}: upload, prune, list or fetch")


def main(commands: list[str]) -> int:
    try:
        if not commands:
            raise Stop(MISCONFIGURED, "say what to do: upload, prune, list or fetch")
        store = Store(required("BACKUP_S3_URI"))
        for command in commands:
            run(command, store)
        return OK
    except Stop as stop:
        log(str(stop))
        return stop.code
    except (ClientError, BotoCoreError, boto3.exceptions.Boto3Error, OSError) as error:
        log(f"failed: {error}")
        return FAILED


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
