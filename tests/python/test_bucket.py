"""The bucket's configuration against a real S3 API, and against stores that cannot do everything."""

import json
import time

import bucket
import pytest
from botocore.exceptions import ClientError
from conftest import call, free_port

FULL = {"transitions": [{"days": 90, "storageClass": "STANDARD_IA"}]}


def ensure(s3_env, name, **wanted):
    code, output = call(bucket, BUCKET_CONFIG=json.dumps({"bucket": name, **wanted}), **s3_env)
    return code, json.loads(output.splitlines()[-1]) if output.splitlines()[-1].startswith("{") else None, output


@pytest.fixture
def name():
    return f"bucket-{time.time_ns()}"


def test_new_bucket_gets_everything_and_a_second_run_changes_nothing(s3_env, s3, name):
    code, report, output = ensure(s3_env, name, **FULL)
    assert code == bucket.OK, output
    assert report["created"] is True
    assert set(report["rules"]) == set(bucket.RULES)
    assert set(report["rules"].values()) == {"in force"}
    before = s3.get_bucket_lifecycle_configuration(Bucket=name)["Rules"]
    code, report, _ = ensure(s3_env, name, **FULL)
    assert code == bucket.OK
    assert report["created"] is False
    assert s3.get_bucket_lifecycle_configuration(Bucket=name)["Rules"] == before


def test_no_rule_expires_current_objects(s3_env, s3, name):
    ensure(s3_env, name, **FULL)
    for rule in s3.get_bucket_lifecycle_configuration(Bucket=name)["Rules"]:
        assert rule.get("Expiration", {}) in ({}, {"ExpiredObjectDeleteMarker": True})


@pytest.mark.parametrize("where, harmful", [
    ({"Filter": {"Prefix": ""}, "Expiration": {"Days": 180}}, True),
    ({"Prefix": "art", "Expiration": {"Days": 180}}, True),
    ({"Filter": {"Prefix": "artifacts/7/"}, "Expiration": {"Date": "2030-01-01T00:00:00Z"}}, True),
    ({"Filter": {"And": {"Prefix": "", "ObjectSizeGreaterThan": 1}}, "Expiration": {"Days": 180}}, True),
    # The twins: elsewhere, only what is tagged, switched off, or no current object.
    ({"Filter": {"Prefix": "scratch/"}, "Expiration": {"Days": 3}}, False),
    ({"Filter": {"Tag": {"Key": "temporary", "Value": "yes"}}, "Expiration": {"Days": 3}}, False),
    ({"Filter": {"Prefix": ""}, "Expiration": {"Days": 3}, "Status": "Disabled"}, False),
    ({"Filter": {"Prefix": ""}, "Expiration": {"ExpiredObjectDeleteMarker": True}}, False),
    ({"Filter": {"Prefix": ""}, "NoncurrentVersionExpiration": {"NoncurrentDays": 3}}, False),
])
def test_rules_that_expire_artifacts_are_recognised(where, harmful):
    found = bucket.expiring_artifacts([{"ID": "theirs", "Status": "Enabled", **where}])
    assert len(found) == harmful
    assert not harmful or "lifecycle rule 'theirs' expires current objects" in found[0]


def test_a_bucket_that_expires_artifacts_is_refused_and_left_alone(s3_env, s3, name):
    s3.create_bucket(Bucket=name)
    theirs = {"ID": "clean-up", "Status": "Enabled", "Filter": {"Prefix": ""}, "Expiration": {"Days": 180}}
    s3.put_bucket_lifecycle_configuration(Bucket=name, LifecycleConfiguration={"Rules": [theirs]})
    code, _, output = ensure(s3_env, name, **FULL)
    assert code == bucket.FAILED
    assert "lifecycle rule 'clean-up' expires current objects below 'everything'" in output
    assert [rule["ID"] for rule in s3.get_bucket_lifecycle_configuration(Bucket=name)["Rules"]] == ["clean-up"]
    assert s3.get_bucket_versioning(Bucket=name).get("Status") != "Enabled"


def test_only_artifacts_move_to_a_cheaper_class(s3_env, s3, name):
    """Dumps are deleted before the 30 days that a cheaper class bills at least."""
    ensure(s3_env, name, **FULL)
    rules = {rule["ID"]: rule for rule in s3.get_bucket_lifecycle_configuration(Bucket=name)["Rules"]}
    assert rules["mlflow-platform-transitions"]["Filter"] == {"Prefix": "artifacts/"}
    assert rules["mlflow-platform-noncurrent"].get("Filter", {}).get("Prefix", "") == ""


def test_rule_for_another_part_of_the_bucket_is_found_out(s3_env, s3, name, monkeypatch):
    def put(Bucket, LifecycleConfiguration):
        for rule in LifecycleConfiguration["Rules"]:
            rule["Filter"] = {"Prefix": "elsewhere/"}
        return s3.put_bucket_lifecycle_configuration(Bucket=Bucket, LifecycleConfiguration=LifecycleConfiguration)

    limited(monkeypatch, s3, put_bucket_lifecycle_configuration=put)
    code, report, _ = ensure(s3_env, name, **FULL)
    assert code == bucket.MISSING
    assert report["missing"] == ["noncurrent", "transitions"]


def test_rules_of_others_are_kept_and_ours_replaced(s3_env, s3, name):
    s3.create_bucket(Bucket=name)
    foreign = {"ID": "scratch", "Status": "Enabled", "Filter": {"Prefix": "scratch/"}, "Expiration": {"Days": 3}}
    s3.put_bucket_lifecycle_configuration(Bucket=name, LifecycleConfiguration={"Rules": [foreign]})
    ensure(s3_env, name, **FULL)
    ensure(s3_env, name, noncurrentDays=11, abortUploadDays=0)
    rules = {rule["ID"]: rule for rule in s3.get_bucket_lifecycle_configuration(Bucket=name)["Rules"]}
    assert set(rules) == {"scratch", "mlflow-platform-noncurrent", "mlflow-platform-deleteMarkers"}
    assert rules["mlflow-platform-noncurrent"]["NoncurrentVersionExpiration"]["NoncurrentDays"] == 11
    ensure(s3_env, name, noncurrentDays=0, abortUploadDays=0)
    assert [rule["ID"] for rule in s3.get_bucket_lifecycle_configuration(Bucket=name)["Rules"]] == ["scratch"]


class Limited:
    """The real store, except for what the test takes away."""

    def __init__(self, s3, **replaced):
        self.s3, self.replaced = s3, replaced

    def __getattr__(self, attribute):
        return self.replaced.get(attribute) or getattr(self.s3, attribute)


def refuse(code):
    def answer(**_arguments):
        raise ClientError({"Error": {"Code": code, "Message": "no"}}, "Put")

    return answer


def limited(monkeypatch, s3, **replaced):
    monkeypatch.setattr(bucket.boto3, "client", lambda *_args, **_kwargs: Limited(s3, **replaced))


def minio_lifecycle(s3):
    """MinIO's answer: the whole document is malformed if it aborts uploads."""
    def put(Bucket, LifecycleConfiguration):
        if any("AbortIncompleteMultipartUpload" in rule for rule in LifecycleConfiguration["Rules"]):
            refuse("MalformedXML")()
        return s3.put_bucket_lifecycle_configuration(Bucket=Bucket, LifecycleConfiguration=LifecycleConfiguration)

    return put


def test_minio_keeps_what_it_can_and_the_report_says_the_rest(s3_env, s3, name, monkeypatch):
    limited(monkeypatch, s3, put_bucket_lifecycle_configuration=minio_lifecycle(s3),
            put_public_access_block=refuse("NotImplemented"), put_bucket_encryption=refuse("NotImplemented"),
            get_public_access_block=refuse("NotImplemented"), get_bucket_encryption=refuse("NotImplemented"))
    code, report, output = ensure(s3_env, name)
    assert code == bucket.OK, output
    assert report["rules"] == {
        "versioning": "in force", "noncurrent": "in force", "deleteMarkers": "in force", "encryption": "unsupported (NotImplemented)",
        "publicAccess": "unsupported (NotImplemented)", "abortUploads": "unsupported (MalformedXML)",
    }


def test_store_without_delete_markers_keeps_the_rest(s3_env, s3, name, monkeypatch):
    def put(Bucket, LifecycleConfiguration):
        if any("Expiration" in rule for rule in LifecycleConfiguration["Rules"]):
            refuse("MalformedXML")()
        return s3.put_bucket_lifecycle_configuration(Bucket=Bucket, LifecycleConfiguration=LifecycleConfiguration)

    limited(monkeypatch, s3, put_bucket_lifecycle_configuration=put)
    code, report, output = ensure(s3_env, name, **FULL)
    assert code == bucket.OK, output
    assert report["rules"].pop("deleteMarkers") == "unsupported (MalformedXML)"
    assert set(report["rules"].values()) == {"in force"}


def test_required_rule_that_is_unsupported_fails(s3_env, s3, name, monkeypatch):
    limited(monkeypatch, s3, put_bucket_lifecycle_configuration=minio_lifecycle(s3))
    code, report, _ = ensure(s3_env, name, required=["versioning", "noncurrent", "abortUploads"])
    assert code == bucket.MISSING
    assert report["missing"] == ["abortUploads"]


@pytest.mark.parametrize("replaced", ["put_bucket_versioning", "put_bucket_lifecycle_configuration"])
@pytest.mark.parametrize("protected", [True, False])
def test_store_that_accepts_and_forgets_is_found_out(s3_env, s3, name, monkeypatch, replaced, protected):
    """The twin believes the answer to the request and reads nothing back."""
    limited(monkeypatch, s3, **{replaced: lambda **_arguments: None})
    if not protected:
        monkeypatch.setattr(bucket, "read_back", lambda *_args: dict.fromkeys(bucket.RULES, True))
    code, _, _ = ensure(s3_env, name)
    assert (code == bucket.MISSING) == protected


def test_other_errors_are_not_taken_for_unsupported(s3_env, s3, name, monkeypatch):
    limited(monkeypatch, s3, put_bucket_versioning=refuse("AccessDenied"))
    code, _, output = ensure(s3_env, name)
    assert code == bucket.FAILED
    assert "AccessDenied" in output


def test_store_that_does_not_answer(s3_env):
    code, _, output = ensure(
        {**s3_env, "MLFLOW_S3_ENDPOINT_URL": f"http://127.0.0.1:{free_port()}", "BUCKET_WAIT_SECONDS": "0"}, "any")
    assert code == bucket.FAILED
    assert "test-secret" not in output


@pytest.mark.parametrize(("config", "message"), [
    ("", "BUCKET_CONFIG"), ("{", "configuration"), ("{}", "bucket is not set"), ('{"bucket": "b", "lifecycle": 1}', "lifecycle"),
    ('{"bucket": "b", "required": ["magic"]}', "magic"), ('{"bucket": "b", "encryption": "rot13"}', "rot13"),
])
def test_bad_configuration_is_refused(s3_env, config, message):
    code, output = call(bucket, BUCKET_CONFIG=config, **s3_env)
    assert code == bucket.MISCONFIGURED
    assert message in output
