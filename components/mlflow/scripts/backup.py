"""Keeps logical database dumps in the object store, and proves what it stored.

Usage: backup.py COMMAND…   (several commands run one after the other)
  upload   puts the finished pg_dump file (custom format, -Fc) at BACKUP_FILE into
           the store as <prefix>/mlflow-<UTC time>.dump and reads size, checksum
           and, where the store has one, ETag back
  prune    deletes dumps older than BACKUP_RETENTION_DAYS, but never the newest
           BACKUP_KEEP_NEWEST
  list     prints the dumps as JSON lines, newest first
  fetch    writes the newest dump, or the one named by BACKUP_NAME, to BACKUP_FILE
           and verifies its SHA-256

pg_dump and pg_restore run in a PostgreSQL container beside this one; the file
is handed over in a shared volume.

Environment:
  BACKUP_URI               s3://bucket/prefix, gs://bucket/prefix, or
                           wasbs://container@account.blob.core.windows.net/prefix
                           (required)
  BACKUP_FILE              path of the dump (required for upload and fetch)
  BACKUP_NAME              dump to fetch, default the newest
  BACKUP_RETENTION_DAYS    default 30, at least 1
  BACKUP_KEEP_NEWEST       default 7, at least 1
  MLFLOW_S3_ENDPOINT_URL   S3 store, unset: AWS; plus boto3's own variables
  AZURE_STORAGE_CONNECTION_STRING   Blob storage, unset: the account of the URI
                           with the pod's identity, as MLflow does it
  Cloud Storage is reached with the pod's identity; plus google-auth's own variables

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

OK, FAILED, MISCONFIGURED, ABSENT, CORRUPT = range(5)

NAME = re.compile(r"mlflow-(\d{8}T\d{6}Z)\.dump")
TIME = "%Y%m%dT%H%M%SZ"
MAGIC = b"PGDMP"  # first bytes of every custom-format dump
# One part size for all uploads, so that the ETag of a multipart upload, the
# MD5 of its parts' MD5s, can be computed here and compared.
PART = 64 * 1024 * 1024
# Blob Storage takes 50000 blocks: with this size a dump of 1.5 TiB
# (learn.microsoft.com/azure/storage/blobs/scalability-targets).
BLOCK = 32 * 1024 * 1024


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
    """The dumps below one prefix of an object store, whose own words are in the classes below."""

    def __init__(self, prefix: str):
        self.prefix = prefix.strip("/")

    def sizes(self, prefix: str):
        """Keys and sizes of everything whose key begins with prefix."""
        raise NotImplementedError

    def put(self, path: str, key: str, want: Digest) -> bool:
        """Uploads a file with its SHA-256; false if what is there afterwards differs."""
        raise NotImplementedError

    def get(self, key: str, path: str) -> str | None:
        """Downloads a file; returns the SHA-256 of its upload, None if there is no such key."""
        raise NotImplementedError

    def remove(self, key: str) -> None:
        raise NotImplementedError

    def key(self, name: str) -> str:
        return f"{self.prefix}/{name}" if self.prefix else name

    def dumps(self) -> list[Dump]:
        """All dumps, newest first; anything not named like one is left alone."""
        found = []
        for key, size in self.sizes(self.key("mlflow-")):
            name = key.rsplit("/", 1)[-1]
            if self.key(name) == key and (match := NAME.fullmatch(name)):
                found.append(Dump(name, size, match[1]))
        return sorted(found, key=lambda dump: dump.name, reverse=True)

    def upload(self, path: str, now: datetime) -> None:
        with open(path, "rb") as file:
            if file.read(len(MAGIC)) != MAGIC:
                raise Stop(FAILED, f"{path} is not a pg_dump custom-format file; did pg_dump -Fc finish?")
        want = digest(path)
        name = f"mlflow-{now.strftime(TIME)}.dump"
        if not self.put(path, self.key(name), want):
            self.remove(self.key(name))
            raise Stop(CORRUPT, f"{name} read back differs from {path}; removed it, run the backup again")
        log(f"uploaded {name}: {want.bytes} bytes, sha256 {want.sha256}, verified")

    def prune(self, now: datetime, days: int, keep: int) -> None:
        oldest = (now - timedelta(days=days)).strftime(TIME)
        for dump in self.dumps()[keep:]:
            if dump.time < oldest:
                self.remove(self.key(dump.name))
                log(f"pruned {dump.name}")

    def fetch(self, name: str, path: str) -> None:
        if not name:
            dumps = self.dumps()
            if not dumps:
                raise Stop(ABSENT, f"no dump below {self.prefix}/")
            name = dumps[0].name
        elif not NAME.fullmatch(name):
            raise Stop(MISCONFIGURED, f"BACKUP_NAME {name!r} is not the name of a dump, see the list command")
        partial = f"{path}.partial"
        try:
            sha256 = self.get(self.key(name), partial)
            if sha256 is None:
                raise Stop(ABSENT, f"there is no dump {name}, see the list command")
            if digest(partial).sha256 != sha256:
                raise Stop(CORRUPT, f"{name} does not match its SHA-256; fetch an older dump with BACKUP_NAME")
            os.replace(partial, path)
        finally:
            if os.path.exists(partial):
                os.remove(partial)
        log(f"fetched {name} to {path}, verified")


class S3(Store):
    """A bucket, with boto3."""

    URI = re.compile(r"s3://(?P<bucket>[^/@]+)/?(?P<prefix>.*)")

    def __init__(self, bucket: str, prefix: str):
        super().__init__(prefix)
        import boto3
        from boto3.exceptions import Boto3Error
        from boto3.s3.transfer import TransferConfig
        from botocore.exceptions import BotoCoreError, ClientError

        self.errors = (Boto3Error, BotoCoreError, ClientError)
        self.refused = ClientError
        self.bucket = bucket
        self.s3 = boto3.client("s3", endpoint_url=os.environ.get("MLFLOW_S3_ENDPOINT_URL") or None)
        self.transfer = TransferConfig(multipart_threshold=PART, multipart_chunksize=PART)

    def sizes(self, prefix: str):
        for page in self.s3.get_paginator("list_objects_v2").paginate(Bucket=self.bucket, Prefix=prefix):
            for item in page.get("Contents", []):
                yield item["Key"], item["Size"]

    def put(self, path: str, key: str, want: Digest) -> bool:
        self.s3.upload_file(path, self.bucket, key, Config=self.transfer, ExtraArgs={"Metadata": {"sha256": want.sha256}})
        head = self.s3.head_object(Bucket=self.bucket, Key=key)
        # Under SSE-KMS the ETag is not an MD5; size and checksum must do.
        comparable = head.get("ServerSideEncryption") in (None, "AES256")
        return (
            head["ContentLength"] == want.bytes
            and head["Metadata"].get("sha256") == want.sha256
            and (not comparable or head["ETag"].strip('"') == want.etag)
        )

    def get(self, key: str, path: str) -> str | None:
        try:
            head = self.s3.head_object(Bucket=self.bucket, Key=key)
            self.s3.download_file(self.bucket, key, path)
        except self.refused as error:
            if error.response["Error"]["Code"] in ("404", "NoSuchKey"):
                return None
            raise
        return head["Metadata"].get("sha256", "")

    def remove(self, key: str) -> None:
        self.s3.delete_object(Bucket=self.bucket, Key=key)


class Blob(Store):
    """A container of Azure Blob Storage; the URI is MLflow's."""

    URI = re.compile(r"wasbs://(?P<container>[^/@]+)@(?P<host>[^/@]+\.blob\.core\.windows\.net)/?(?P<prefix>.*)")

    def __init__(self, container: str, host: str, prefix: str):
        super().__init__(prefix)
        from azure.core.exceptions import AzureError, ResourceNotFoundError
        from azure.storage.blob import ContainerClient

        self.errors, self.absent = (AzureError,), ResourceNotFoundError
        sizes = {"max_block_size": BLOCK, "max_single_put_size": BLOCK}
        if connection := os.environ.get("AZURE_STORAGE_CONNECTION_STRING"):
            self.container = ContainerClient.from_connection_string(connection, container, **sizes)
        else:
            from azure.identity import DefaultAzureCredential

            self.container = ContainerClient(f"https://{host}", container, credential=DefaultAzureCredential(), **sizes)

    def sizes(self, prefix: str):
        for item in self.container.list_blobs(name_starts_with=prefix):
            yield item.name, item.size

    def put(self, path: str, key: str, want: Digest) -> bool:
        blob = self.container.get_blob_client(key)
        with open(path, "rb") as file:
            blob.upload_blob(file, overwrite=True, metadata={"sha256": want.sha256})
        # A blob of several blocks has no checksum that the service computed, so it is
        # read.
        there, stream = hashlib.sha256(), blob.download_blob()
        for chunk in stream.chunks():
            there.update(chunk)
        return there.hexdigest() == want.sha256 == stream.properties.metadata.get("sha256")

    def get(self, key: str, path: str) -> str | None:
        try:
            stream = self.container.download_blob(key)
            with open(path, "wb") as file:
                stream.readinto(file)
        except self.absent:
            return None
        return stream.properties.metadata.get("sha256", "")

    def remove(self, key: str) -> None:
        self.container.delete_blob(key)


class CloudStorage(Store):
    """A bucket of Google Cloud Storage; the library tries again for two minutes what fails for a moment."""

    # The library raises for a name that begins or ends with another character.
    URI = re.compile(r"gs://(?P<bucket>[a-z0-9][a-z0-9._-]+[a-z0-9])(?:/|$)(?P<prefix>.*)")

    def __init__(self, bucket: str, prefix: str):
        super().__init__(prefix)
        from google.api_core.exceptions import GoogleAPIError
        from google.auth.exceptions import GoogleAuthError
        from google.cloud import storage

        self.errors = (GoogleAPIError, GoogleAuthError)
        try:
            # Objects need no project, so nobody has to find it out.
            self.bucket = storage.Client(project=None).bucket(bucket)
        except GoogleAuthError as error:
            raise Stop(FAILED, f"failed: {error}") from error

    def sizes(self, prefix: str):
        for blob in self.bucket.list_blobs(prefix=prefix):
            yield blob.name, blob.size

    def put(self, path: str, key: str, want: Digest) -> bool:
        # Without a chunk size the library holds 100 MiB of the file in memory.
        blob = self.bucket.blob(key, chunk_size=BLOCK)
        blob.metadata = {"sha256": want.sha256}
        blob.upload_from_filename(path, content_type="application/octet-stream", checksum=None)
        blob.reload()
        # The service computes other checksums than SHA-256, so the blob is read.
        there = hashlib.sha256()
        with blob.open("rb") as file:
            while chunk := file.read(BLOCK):
                there.update(chunk)
        return there.hexdigest() == want.sha256 == (blob.metadata or {}).get("sha256")

    def get(self, key: str, path: str) -> str | None:
        blob = self.bucket.get_blob(key)
        if blob is None:
            return None
        # The caller compares the SHA-256.
        blob.download_to_filename(path, checksum=None)
        return (blob.metadata or {}).get("sha256", "")

    def remove(self, key: str) -> None:
        self.bucket.delete_blob(key)


def find_store(uri: str) -> Store:
    for kind in (S3, Blob, CloudStorage):
        if match := kind.URI.fullmatch(uri):
            return kind(**match.groupdict())
    raise Stop(
        MISCONFIGURED,
        f"BACKUP_URI is {uri!r}; want s3://bucket/prefix, gs://bucket/prefix or wasbs://container@account.blob.core.windows.net/prefix")


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
        store = find_store(required("BACKUP_URI"))
        try:
            for command in commands:
                run(command, store)
        except (*store.errors, OSError) as error:
            raise Stop(FAILED, f"failed: {error}") from error
        return OK
    except Stop as stop:
        log(str(stop))
        return stop.code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
