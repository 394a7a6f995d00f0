"""Ensures the artifact bucket and proves its configuration by reading it back.

Creates the bucket when it is absent, then sets versioning, default encryption,
the public access block and lifecycle rules, and compares what the store answers
with what was asked. Lifecycle rules never expire current objects by age: that
would delete registered models. They remove noncurrent versions (the undo for a
purge), abandoned uploads, and may move old artifacts to a cheaper class: dumps
leave before the 30 days that such classes bill at least. Rules of
other owners on an existing bucket are kept; one that expires current artifacts is
refused, before anything is changed.

Stores differ. MinIO rejects AbortIncompleteMultipartUpload with MalformedXML
(it cleans such uploads itself after 24 h) and encryption unless it has a key
server; many have no public access block. What a store cannot do is tried,
reported as unsupported, and fails the run only when it is required.

Configuration: JSON in BUCKET_CONFIG, or in the file BUCKET_CONFIG_FILE:
  bucket              name (required)
  region              default us-east-1
  versioning          default true; false leaves it as it is
  noncurrentDays      days until a noncurrent version is deleted, default 30; 0 = never
  abortUploadDays     days until an unfinished upload is aborted, default 7; 0 = never
  transitions         [{"days": 90, "storageClass": "STANDARD_IA"}], default none
  encryption          "AES256" (default), "aws:kms" or "none" (left as it is)
  kmsKeyId            key for aws:kms, default the account's
  blockPublicAccess   default true; false leaves it as it is
  required            names that must be in force, default ["versioning",
                      "noncurrent", "transitions"]; also: "abortUploads",
                      "deleteMarkers", "encryption", "publicAccess"
Connection: MLFLOW_S3_ENDPOINT_URL (unset: AWS) and boto3's own variables
(AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_CA_BUNDLE …).
BUCKET_WAIT_SECONDS   how long to wait for the store, default 120

Exit codes: 0 all that is required is in force, 1 failed, 2 configuration,
3 a required rule is not in force. The last line is the report as JSON.
"""

import json
import os
import sys
import time
from dataclasses import dataclass, field, fields

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError, ConnectionError, HTTPClientError

OK, FAILED, MISCONFIGURED, MISSING = range(4)

ARTIFACTS = "artifacts/"
PREFIX = "mlflow-platform-"  # marks our lifecycle rules
RULES = ("versioning", "noncurrent", "deleteMarkers", "abortUploads", "transitions", "encryption", "publicAccess")
# What stores answer to a request they do not know.
UNSUPPORTED = {
    "NotImplemented", "MalformedXML", "InvalidArgument", "InvalidRequest", "MethodNotAllowed",
    "XNotImplemented", "KMSNotConfigured", "InvalidStorageClass", "NoSuchPublicAccessBlockConfiguration",
}


@dataclass(frozen=True)
class Wanted:
    bucket: str
    region: str = "us-east-1"
    versioning: bool = True
    noncurrentDays: int = 30
    abortUploadDays: int = 7
    transitions: list = field(default_factory=list)
    encryption: str = "AES256"
    kmsKeyId: str = ""
    blockPublicAccess: bool = True
    required: list = field(default_factory=lambda: ["versioning", "noncurrent", "transitions"])


def log(message: str) -> None:
    print(f"bucket: {message}", flush=True)


def load() -> Wanted:
    """Reads the configuration; raises ValueError that names what is wrong."""
    text = os.environ.get("BUCKET_CONFIG")
    if not text:
        path = os.environ.get("BUCKET_CONFIG_FILE")
        if not path:
            raise ValueError("set BUCKET_CONFIG or BUCKET_CONFIG_FILE")
        with open(path, encoding="utf-8") as file:
            text = file.read()
    values = json.loads(text)
    if unknown := set(values) - {f.name for f in fields(Wanted)}:
        raise ValueError(f"unknown keys: {', '.join(sorted(unknown))}")
    if not values.get("bucket"):
        raise ValueError("bucket is not set")
    wanted = Wanted(**values)
    if unknown := set(wanted.required) - set(RULES):
        raise ValueError(f"required names unknown rules: {', '.join(sorted(unknown))}")
    if wanted.encryption not in ("AES256", "aws:kms", "none"):
        raise ValueError(f"encryption must be AES256, aws:kms or none, got {wanted.encryption!r}")
    return wanted


def code_of(error: ClientError) -> str:
    return error.response.get("Error", {}).get("Code", "")


def wait_for_store(s3, timeout: int) -> None:
    deadline = time.monotonic() + timeout
    while True:
        try:
            s3.list_buckets()
            return
        except ClientError:
            return  # it answers; whether it lets us in is shown by the next call
        except (ConnectionError, HTTPClientError) as error:
            if time.monotonic() >= deadline:
                raise
            log(f"waiting for the store: {type(error).__name__}")
            time.sleep(2)


def ensure_bucket(s3, wanted: Wanted) -> bool:
    """Creates the bucket unless it exists; reports whether it did."""
    try:
        s3.head_bucket(Bucket=wanted.bucket)
        return False
    except ClientError as error:
        if code_of(error) not in ("404", "NoSuchBucket"):
            raise
    # us-east-1 is the one region that must not be named.
    place = {} if wanted.region == "us-east-1" else {
        "CreateBucketConfiguration": {"LocationConstraint": wanted.region}
    }
    try:
        s3.create_bucket(Bucket=wanted.bucket, **place)
    except ClientError as error:
        if code_of(error) != "BucketAlreadyOwnedByYou":  # another run was faster
            raise
        return False
    return True


def lifecycle_rules(wanted: Wanted) -> dict[str, dict]:
    """The lifecycle rules by the name they have in the report."""
    rules = {}
    everything = {"Prefix": ""}
    if wanted.noncurrentDays:
        rules["noncurrent"] = {"Filter": everything, "NoncurrentVersionExpiration": {"NoncurrentDays": wanted.noncurrentDays}}
        # What is left of a deleted object after that: markers slow listings down.
        rules["deleteMarkers"] = {"Filter": everything, "Expiration": {"ExpiredObjectDeleteMarker": True}}
    if wanted.transitions:
        rules["transitions"] = {
            "Filter": {"Prefix": ARTIFACTS},
            "Transitions": [{"Days": t["days"], "StorageClass": t["storageClass"]} for t in wanted.transitions]
        }
    if wanted.abortUploadDays:
        rules["abortUploads"] = {"Filter": everything, "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": wanted.abortUploadDays}}
    return {
        name: {"ID": PREFIX + name, "Status": "Enabled", **body}
        for name, body in rules.items()
    }


def read_lifecycle(s3, bucket: str) -> list[dict]:
    try:
        return s3.get_bucket_lifecycle_configuration(Bucket=bucket).get("Rules", [])
    except ClientError as error:
        if code_of(error) in ("NoSuchLifecycleConfiguration", "NotImplemented"):
            return []
        raise


def expiring_artifacts(rules: list[dict]) -> list[str]:
    """Rules of others that delete artifacts by age, those of registered models included."""
    found = []
    for rule in rules:
        expiration, where = rule.get("Expiration", {}), rule.get("Filter", {})
        prefix = where.get("Prefix") or where.get("And", {}).get("Prefix") or rule.get("Prefix", "")
        tagged = "Tag" in where or where.get("And", {}).get("Tags")  # artifacts have no tags
        if (
            rule.get("Status") == "Enabled" and not tagged
            and (ARTIFACTS.startswith(prefix) or prefix.startswith(ARTIFACTS))
            and ("Days" in expiration or "Date" in expiration)
        ):
            found.append(
                f"lifecycle rule {rule.get('ID', '')!r} expires current objects below {prefix or 'everything'!r}; "
                f"want none that deletes objects below {ARTIFACTS!r}: registered models are there"
            )
    return found


def put_lifecycle(s3, wanted: Wanted, refused: dict[str, str]) -> None:
    """Puts our rules beside those of others; drops, one by one, what the store refuses."""
    rules = lifecycle_rules(wanted)
    others = [rule for rule in read_lifecycle(s3, wanted.bucket) if not rule.get("ID", "").startswith(PREFIX)]
    for drop in (
        [], ["deleteMarkers"], ["abortUploads"], ["deleteMarkers", "abortUploads"], ["transitions"],
        ["abortUploads", "transitions"], ["deleteMarkers", "abortUploads", "transitions"], list(rules),
    ):
        ours = [rule for name, rule in rules.items() if name not in drop]
        if not others + ours:
            s3.delete_bucket_lifecycle(Bucket=wanted.bucket)
            return
        try:
            s3.put_bucket_lifecycle_configuration(
                Bucket=wanted.bucket, LifecycleConfiguration={"Rules": others + ours}
            )
            return
        except ClientError as error:
            if code_of(error) not in UNSUPPORTED:
                raise
            reason = code_of(error)
            refused.update({name: reason for name in rules if name not in refused})


def configure(s3, wanted: Wanted) -> dict[str, str]:
    """Asks for everything; returns what the store refused, with its error code."""
    refused: dict[str, str] = {}

    def attempt(name: str, call, **arguments) -> None:
        try:
            call(Bucket=wanted.bucket, **arguments)
        except ClientError as error:
            if code_of(error) not in UNSUPPORTED:
                raise
            refused[name] = code_of(error)

    if wanted.versioning:
        attempt("versioning", s3.put_bucket_versioning, VersioningConfiguration={"Status": "Enabled"})
    if wanted.encryption != "none":
        default = {"SSEAlgorithm": wanted.encryption}
        if wanted.kmsKeyId:
            default["KMSMasterKeyID"] = wanted.kmsKeyId
        attempt(
            "encryption", s3.put_bucket_encryption, ServerSideEncryptionConfiguration={
                "Rules": [{"ApplyServerSideEncryptionByDefault": default}]
            },
        )
    if wanted.blockPublicAccess:
        attempt("publicAccess", s3.put_public_access_block, PublicAccessBlockConfiguration=public_access())
    put_lifecycle(s3, wanted, refused)
    return refused


def public_access() -> dict[str, bool]:
    return dict.fromkeys(("BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets"), True)


def read_back(s3, wanted: Wanted) -> dict[str, bool]:
    """Compares what the store answers with what is wanted, rule by rule."""

    def answer(call, *path):
        try:
            value = call(Bucket=wanted.bucket)
        except ClientError:
            return None  # not configured or not supported: either way not in force
        for key in path:
            value = (value or {}).get(key) if not isinstance(key, int) else (value or [None])[key]
        return value

    found: dict[str, bool] = {}
    if wanted.versioning:
        found["versioning"] = answer(s3.get_bucket_versioning, "Status") == "Enabled"
    if wanted.encryption != "none":
        default = answer(
            s3.get_bucket_encryption, "ServerSideEncryptionConfiguration", "Rules", 0, "ApplyServerSideEncryptionByDefault"
        ) or {}
        found["encryption"] = default.get("SSEAlgorithm") == wanted.encryption and (
            not wanted.kmsKeyId or default.get("KMSMasterKeyID") == wanted.kmsKeyId
        )
    if wanted.blockPublicAccess:
        found["publicAccess"] = answer(s3.get_public_access_block, "PublicAccessBlockConfiguration") == public_access()
    stored = {rule.get("ID"): rule for rule in read_lifecycle(s3, wanted.bucket)}
    for name, rule in lifecycle_rules(wanted).items():
        have = stored.get(rule["ID"], {})
        action = next(key for key in rule if key not in ("ID", "Status", "Filter"))
        # Stores answer a rule for everything without a filter, or with the older Prefix.
        prefix = have.get("Filter", {}).get("Prefix", have.get("Prefix", ""))
        found[name] = (
            have.get("Status") == "Enabled" and prefix == rule["Filter"]["Prefix"]
            and same_action(have.get(action), rule[action])
        )
    return found


def same_action(have, want) -> bool:
    """Equal, ignoring what a store adds (MinIO returns empty extra fields)."""
    if isinstance(want, list):
        return isinstance(have, list) and len(have) == len(want) and all(map(same_action, have, want))
    return isinstance(have, dict) and all(have.get(key) == value for key, value in want.items())


def main() -> int:
    report: dict = {}
    try:
        wanted = load()
        wait = int(os.environ.get("BUCKET_WAIT_SECONDS", "120"))
    except (ValueError, TypeError, OSError) as error:
        log(f"configuration: {error}")
        return MISCONFIGURED
    try:
        s3 = boto3.client(
            "s3", region_name=wanted.region, endpoint_url=os.environ.get("MLFLOW_S3_ENDPOINT_URL") or None,
            config=Config(connect_timeout=5, retries={"mode": "standard", "max_attempts": 3}),
        )
        wait_for_store(s3, wait)
        report["bucket"], report["created"] = wanted.bucket, ensure_bucket(s3, wanted)
        if harmful := expiring_artifacts(read_lifecycle(s3, wanted.bucket)):
            for problem in harmful:
                log(problem)
            return FAILED
        refused = configure(s3, wanted)
        found = read_back(s3, wanted)
    except (ClientError, BotoCoreError) as error:
        log(f"failed: {error}")
        return FAILED
    report["rules"] = {
        name: "in force" if good else f"unsupported ({refused[name]})" if name in refused else "not in force"
        for name, good in found.items()
    }
    missing = [name for name in wanted.required if found.get(name) is False]
    report["missing"] = missing
    for name, state in report["rules"].items():
        log(f"{name}: {state}")
    if missing:
        log(f"required but not in force: {', '.join(missing)}")
    print(json.dumps(report), flush=True)
    return MISSING if missing else OK


if __name__ == "__main__":
    sys.exit(main())
