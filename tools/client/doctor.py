"""Checks MLflow from a client's place, layer by layer, and names the fix.

DNS -> connection -> TLS -> host -> authentication -> write run -> upload
artifact -> read back -> delete. It stops at the first layer that fails, because
the ones above cannot work then. Needs nothing but Python; it speaks MLflow's
REST API itself so that a broken client installation cannot hide the answer.

Environment (MLflow's own names):
  MLFLOW_TRACKING_URI                http(s)://host[:port] (required)
  MLFLOW_TRACKING_USERNAME, MLFLOW_TRACKING_PASSWORD   basic login, or
  MLFLOW_TRACKING_TOKEN              bearer token
  MLFLOW_TRACKING_SERVER_CERT_PATH   CA file, for a generated certificate
  MLFLOW_TRACKING_INSECURE_TLS       "true": do not verify (also a finding)
  DOCTOR_UPLOAD_MIB                  size of the test artifact, default 1
  DOCTOR_TIMEOUT                     seconds per request, default 30

Exit codes: 0 all layers work, 1 a layer failed, 2 configuration.
"""

import base64
import hashlib
import json
import os
import socket
import ssl
import sys
import time
import urllib.error
import urllib.request
from urllib.parse import quote, urlsplit

EXPERIMENT = "doctor"
API = "/api/2.0/mlflow"
FILES = "/api/2.0/mlflow-artifacts/artifacts"


class Finding(Exception):
    """A layer that does not work: what was seen, and what to do about it."""

    def __init__(self, seen: str, fix: str):
        super().__init__(seen)
        self.fix = fix


class Client:
    """One server as one client sees it."""

    def __init__(self, env: dict[str, str]):
        self.uri = env.get("MLFLOW_TRACKING_URI", "").rstrip("/")
        parts = urlsplit(self.uri)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError(f"MLFLOW_TRACKING_URI must be http(s)://host[:port], got {self.uri!r}")
        if parts.username or parts.password:
            raise ValueError("put the login into MLFLOW_TRACKING_USERNAME and _PASSWORD, not into the URI")
        self.tls = parts.scheme == "https"
        self.host = parts.hostname
        self.port = parts.port or (443 if self.tls else 80)
        self.timeout = float(env.get("DOCTOR_TIMEOUT", "30"))
        self.size = int(float(env.get("DOCTOR_UPLOAD_MIB", "1")) * 1024 * 1024)
        self.ca = env.get("MLFLOW_TRACKING_SERVER_CERT_PATH", "")
        self.insecure = env.get("MLFLOW_TRACKING_INSECURE_TLS", "").lower() == "true"
        self.login = self.authorization(env)
        self.run = None  # id and artifact path of the test run
        self.context = None
        self.content = os.urandom(self.size)

    @staticmethod
    def authorization(env: dict[str, str]) -> str:
        if user := env.get("MLFLOW_TRACKING_USERNAME"):
            pair = f"{user}:{env.get('MLFLOW_TRACKING_PASSWORD', '')}".encode()
            return f"Basic {base64.b64encode(pair).decode()}"
        if token := env.get("MLFLOW_TRACKING_TOKEN"):
            return f"Bearer {token}"
        return ""

    def tls_context(self) -> ssl.SSLContext:
        context = ssl.create_default_context(cafile=self.ca or None)
        if self.insecure:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        return context

    def send(self, method: str, path: str, body: bytes | None = None, *, login: str | None = None) -> tuple[int, bytes]:
        """Sends one request; returns status and body, whatever the status is."""
        headers = {"Content-Type": "application/octet-stream" if path.startswith(FILES) else "application/json"}
        if authorization := self.login if login is None else login:
            headers["Authorization"] = authorization
        request = urllib.request.Request(self.uri + path, data=body, headers=headers, method=method)
        opener = urllib.request.build_opener(
            urllib.request.HTTPSHandler(context=self.context or ssl.create_default_context()), NoRedirect
        )
        try:
            with opener.open(request, timeout=self.timeout) as answer:
                return answer.status, answer.read()
        except urllib.error.HTTPError as error:
            return error.code, error.read()
        except (OSError, urllib.error.URLError) as error:
            raise Finding(
                f"{method} {path}: {getattr(error, 'reason', error)}",
                "the connection broke during the request: look for a proxy with a short timeout, and at the gateway's pods",
            ) from None

    def api(self, method: str, path: str, **body) -> dict:
        status, answer = self.send(method, API + path, json.dumps(body).encode() if body else None)
        if status != 200:
            raise Finding(f"{method} {API + path} answered {status}: {text(answer)}", fix_for(status))
        return json.loads(answer)


class NoRedirect(urllib.request.HTTPRedirectHandler):
    """Shows a redirect as what it is: a login page in the way of a machine."""

    def redirect_request(self, *_args):
        return None


def text(body: bytes) -> str:
    return " ".join(body.decode(errors="replace").split())[:160]


def fix_for(status: int) -> str:
    return {
        401: "the login was refused: check MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD",
        403: "the server refuses the Host or Origin: the gateway must rewrite Host to the one MLflow allows",
        404: "no MLflow API at this address: check the path of MLFLOW_TRACKING_URI",
        413: "the artifact is larger than the gateway's upload limit: raise it in the stack's settings",
        502: "the gateway cannot reach MLflow: are its pods ready, does a NetworkPolicy allow gateway -> mlflow?",
        503: "MLflow or its database is not available: look at the pods and the database's connections",
        507: "the object store is full",
    }.get(status, "look at the logs of the MLflow pods")


def dns(client: Client) -> str:
    try:
        found = {item[4][0] for item in socket.getaddrinfo(client.host, client.port, type=socket.SOCK_STREAM)}
    except OSError as error:
        raise Finding(
            f"{client.host} does not resolve: {error}",
            f"create a DNS record for {client.host}, or add it to /etc/hosts, or correct MLFLOW_TRACKING_URI",
        ) from None
    return ", ".join(sorted(found))


def connection(client: Client) -> str:
    try:
        socket.create_connection((client.host, client.port), client.timeout).close()
    except OSError as error:
        raise Finding(
            f"{client.host}:{client.port}: {error}",
            "is the cluster up, is the port published, does a firewall or source range block this machine?",
        ) from None
    return f"{client.host}:{client.port}"


def tls(client: Client) -> str:
    if not client.tls:
        return "plain http: the password travels in clear text, use this on the local machine only"
    try:
        client.context = client.tls_context()
    except (OSError, ssl.SSLError) as error:
        raise Finding(f"cannot read the CA {client.ca}: {error}", "correct MLFLOW_TRACKING_SERVER_CERT_PATH") from None
    try:
        plain = socket.create_connection((client.host, client.port), client.timeout)
        with client.context.wrap_socket(plain, server_hostname=client.host) as secure:
            certificate, version = secure.getpeercert(), secure.version()
    except ssl.SSLCertVerificationError as error:
        fix = (
            f"use a name the certificate has, or issue it for {client.host}"
            if "match" in error.verify_message.lower() or "mismatch" in error.verify_message.lower()
            else "write the CA of the stack's outputs to a file and set MLFLOW_TRACKING_SERVER_CERT_PATH to it"
        )
        raise Finding(f"certificate not trusted: {error.verify_message}", fix) from None
    except (OSError, ssl.SSLError) as error:
        raise Finding(f"no TLS at this port: {error}", "is it an http port? Then use http:// in MLFLOW_TRACKING_URI") from None
    if client.insecure:
        return f"{version}, NOT VERIFIED: unset MLFLOW_TRACKING_INSECURE_TLS and set MLFLOW_TRACKING_SERVER_CERT_PATH"
    days = int((ssl.cert_time_to_seconds(certificate["notAfter"]) - time.time()) // 86400)
    if days < 14:
        raise Finding(f"the certificate expires in {days} days", "renew it; an update of the stack renews a generated one")
    return f"{version}, certificate valid for {days} more days"


def host(client: Client) -> str:
    status, body = client.send("GET", "/health", login="")
    if status != 200 or text(body) != "OK":
        raise Finding(f"GET /health answered {status}: {text(body)}", fix_for(status))
    status, body = client.send("GET", API + "/experiments/search?max_results=1")
    if status == 403 and b"Host header" in body:
        raise Finding(f"MLflow refuses the Host header: {text(body)}", fix_for(403))
    return "/health answers, Host is accepted"


def authentication(client: Client) -> str:
    path = API + "/experiments/search?max_results=1"
    status, body = client.send("GET", path)
    if status in (302, 303, 307):
        raise Finding("the server redirects to a login page", "log in with MLFLOW_TRACKING_TOKEN instead of a browser")
    if status == 401 and not client.login:
        raise Finding("a login is needed and none is set", "set MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD")
    if status != 200:
        raise Finding(f"GET {path} answered {status}: {text(body)}", fix_for(status))
    anonymous, _ = client.send("GET", path, login="")
    if anonymous == 200:
        if client.login:
            raise Finding("the API answers without a login", "the gateway is bypassed or auth is off: never expose this server")
        return "no login set and none needed: anybody who reaches this address can read and delete"
    return f"login accepted, anonymous requests get {anonymous}"


def write_run(client: Client) -> str:
    status, body = client.send("GET", f"{API}/experiments/get-by-name?experiment_name={EXPERIMENT}")
    if status == 200:
        experiment = json.loads(body)["experiment"]
        ident = experiment["experiment_id"]
        if experiment["lifecycle_stage"] == "deleted":
            client.api("POST", "/experiments/restore", experiment_id=ident)
    else:
        ident = client.api("POST", "/experiments/create", name=EXPERIMENT)["experiment_id"]
    now = int(time.time() * 1000)
    run = client.api("POST", "/runs/create", experiment_id=ident, run_name="doctor", start_time=now)["run"]["info"]
    client.run = run
    client.api("POST", "/runs/log-metric", run_id=run["run_id"], key="answer", value=42.0, timestamp=now)
    client.api("POST", "/runs/update", run_id=run["run_id"], status="FINISHED", end_time=now)
    return f"run {run['run_id']}"


def artifact_path(client: Client) -> str:
    uri = client.run["artifact_uri"]
    if not uri.startswith("mlflow-artifacts:"):
        raise Finding(
            f"artifacts of this experiment are at {urlsplit(uri).scheme}://, past the server",
            "the experiment was made by another server configuration; rename it, or delete it for good",
        )
    return f"{FILES}/{quote(urlsplit(uri).path.lstrip('/'))}/doctor.bin"


def upload(client: Client) -> str:
    started = time.monotonic()
    status, body = client.send("PUT", artifact_path(client), client.content)
    if status != 200:
        fix = fix_for(status)
        if status == 500:
            fix = "MLflow cannot write to the object store: its log has the reason (bucket, credentials, CA, NetworkPolicy)"
        raise Finding(f"upload of {client.size} bytes answered {status}: {text(body)}", fix)
    return f"{client.size} bytes in {time.monotonic() - started:.2f} s"


def download(client: Client) -> str:
    status, body = client.send("GET", artifact_path(client))
    if status != 200:
        raise Finding(f"download answered {status}: {text(body)}", "MLflow cannot read from the object store: look at its log")
    if hashlib.sha256(body).digest() != hashlib.sha256(client.content).digest():
        raise Finding(f"got {len(body)} other bytes than were sent", "does a proxy change content, or are there two stores?")
    metric = client.api("GET", f"/runs/get?run_id={client.run['run_id']}")["run"]["data"]["metrics"][0]["value"]
    if metric != 42.0:
        raise Finding(f"the metric came back as {metric}", "the database lost a write: is a read replica behind the server?")
    _, info = client.send("GET", "/api/3.0/mlflow/server-info")
    if b'"multipart_downloads_enabled":true' in info.replace(b" ", b""):
        return (
            "identical; the server also offers presigned addresses: "
            "set MLFLOW_ENABLE_PROXY_MULTIPART_DOWNLOAD=false where clients cannot reach the store"
        )
    return "identical"


def delete(client: Client) -> str:
    status, body = client.send("DELETE", artifact_path(client))
    if status not in (200, 204):
        raise Finding(f"deleting the artifact answered {status}: {text(body)}", "allow the store's credentials to delete")
    client.api("POST", "/runs/delete", run_id=client.run["run_id"])
    return "artifact deleted, run in the trash"


LAYERS = [
    ("DNS", dns), ("connection", connection), ("TLS", tls), ("host", host), ("authentication", authentication),
    ("write run", write_run), ("upload artifact", upload), ("read back", download), ("delete", delete),
]


def main() -> int:
    try:
        client = Client(dict(os.environ))
    except ValueError as error:
        print(f"doctor: {error}")
        return 2
    print(f"doctor: {client.uri}")
    for name, layer in LAYERS:
        try:
            print(f"  ok    {name:<16} {layer(client)}", flush=True)
        except Finding as finding:
            print(f"  FAIL  {name:<16} {finding}")
            print(f"        fix: {finding.fix}")
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
