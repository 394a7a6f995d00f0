"""Checks MLflow from a client's place, layer by layer, and names the fix.

proxy -> DNS -> connection -> TLS -> host -> authentication -> write run ->
upload artifact -> read back -> delete. It stops at the first layer that fails,
because the ones above cannot work then. Needs nothing but Python; it speaks
MLflow's REST API itself so that a broken client installation cannot hide the
answer.

Environment (MLflow's own names):
  MLFLOW_TRACKING_URI                http(s)://host[:port] (required)
  MLFLOW_TRACKING_USERNAME, MLFLOW_TRACKING_PASSWORD   basic login, or
  MLFLOW_TRACKING_TOKEN              bearer token
  MLFLOW_TRACKING_SERVER_CERT_PATH   CA file, for a generated certificate
  MLFLOW_TRACKING_INSECURE_TLS       "true": do not verify (also a finding)
  DOCTOR_UPLOAD_MIB                  size of the test artifact, default 1
  DOCTOR_TIMEOUT                     seconds per request, default 60
  HTTPS_PROXY, HTTP_PROXY, ALL_PROXY, NO_PROXY   as the MLflow client reads them

Exit codes: 0 all layers work, 1 a layer failed, 2 configuration.
"""

import base64
import contextlib
import hashlib
import http.client
import ipaddress
import json
import os
import re
import socket
import ssl
import sys
import time
import urllib.request
from urllib.parse import SplitResult, quote, unquote, urlsplit

EXPERIMENT = "doctor"
API = "/api/2.0/mlflow"
FILES = "/api/2.0/mlflow-artifacts/artifacts"
SEARCH = API + "/experiments/search?max_results=1"


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
        if not re.fullmatch("https?://[!-~]+", self.uri, re.IGNORECASE) or not parts.hostname:
            raise ValueError(f"MLFLOW_TRACKING_URI must be http(s)://host[:port], got {self.uri!r}")
        if parts.username or parts.password:
            raise ValueError("put the login into MLFLOW_TRACKING_USERNAME and _PASSWORD, not into the URI")
        self.tls = parts.scheme == "https"
        self.host = parts.hostname
        self.port = parts.port or (443 if self.tls else 80)
        # More than the 30 s for which the gateway looks for a server before it says 502.
        self.timeout = float(env.get("DOCTOR_TIMEOUT", "60"))
        self.size = int(float(env.get("DOCTOR_UPLOAD_MIB", "1")) * 1024 * 1024)
        self.ca = env.get("MLFLOW_TRACKING_SERVER_CERT_PATH", "")
        self.insecure = env.get("MLFLOW_TRACKING_INSECURE_TLS", "").lower() == "true"
        self.login = self.authorization(env)
        self.proxy = proxy_for(parts.scheme, self.host, self.port)
        self.run = None  # id and artifact path of the test run
        self.context = None
        self.content = os.urandom(self.size)

    @staticmethod
    def authorization(env: dict[str, str]) -> str:
        if user := env.get("MLFLOW_TRACKING_USERNAME"):
            pair = f"{user}:{env.get('MLFLOW_TRACKING_PASSWORD', '')}".encode()
            return f"Basic {base64.b64encode(pair).decode()}"
        if token := env.get("MLFLOW_TRACKING_TOKEN"):
            if not (token.isascii() and token.isprintable()):
                raise ValueError("MLFLOW_TRACKING_TOKEN has a line break or another character that no header may have")
            return f"Bearer {token}"
        return ""

    def tls_context(self) -> ssl.SSLContext:
        context = ssl.create_default_context(cafile=self.ca or None)
        if self.insecure:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        return context

    def connect(self) -> socket.socket:
        """Connects to the server as the MLflow client does: through the proxy, where there is one."""
        if not self.proxy:
            return socket.create_connection((self.host, self.port), self.timeout)
        tunnel = http.client.HTTPConnection(self.proxy.hostname, self.proxy.port, timeout=self.timeout)
        if self.tls:
            headers = {}
            if self.proxy.username:
                pair = f"{unquote(self.proxy.username)}:{unquote(self.proxy.password or '')}".encode()
                headers["Proxy-Authorization"] = f"Basic {base64.b64encode(pair).decode()}"
            tunnel.set_tunnel(self.host, self.port, headers)
        tunnel.connect()
        return tunnel.sock

    def send(self, method: str, path: str, body: bytes | None = None, *, login: str | None = None) -> tuple[int, bytes]:
        """Sends one request; returns status and body, whatever the status is."""
        headers = {"Content-Type": "application/octet-stream" if path.startswith(FILES) else "application/json"}
        if authorization := self.login if login is None else login:
            headers["Authorization"] = authorization
        request = urllib.request.Request(self.uri + path, data=body, headers=headers, method=method)
        opener = urllib.request.build_opener(
            urllib.request.HTTPSHandler(context=self.context), AnyStatus,
            urllib.request.ProxyHandler({"https" if self.tls else "http": self.proxy.geturl()} if self.proxy else {}),
        )
        try:
            with opener.open(request, timeout=self.timeout) as answer:
                content = answer.read()
        except (OSError, http.client.HTTPException) as error:
            raise Finding(
                f"{method} {path}: {getattr(error, 'reason', error)}",
                "the connection broke during the request: look for a proxy with a short timeout, and at the gateway's pods",
            ) from None
        if place := answer.headers.get("Location"):
            content = f"see {place}".encode()
        return answer.status, content

    def api(self, method: str, path: str, **body) -> dict:
        status, content = self.send(method, API + path, json.dumps(body).encode() if body else None)
        answer = from_mlflow(content)
        if status != 200 or answer is None:
            raise Finding(f"{method} {API + path} answered {status}: {text(content)}", fix_for(status, content))
        return answer


class AnyStatus(urllib.request.HTTPErrorProcessor):
    """Hands over every answer as it is; a redirect, too, which is often a login page in the way of a machine."""

    def http_response(self, _request, response):
        return response

    https_response = http_response


def proxy_for(scheme: str, server: str, port: int) -> SplitResult | None:
    """The proxy that the MLflow client would ask for this server."""
    proxies = urllib.request.getproxies()
    found = proxies.get(scheme) or proxies.get("all")
    if not found or urllib.request.proxy_bypass(f"{server}:{port}"):
        return None
    for network in proxies.get("no", "").split(","):
        # Python's own function does not know networks, and the client does.
        with contextlib.suppress(ValueError):  # one of the two is a name
            if ipaddress.ip_address(server) in ipaddress.ip_network(network.strip(), strict=False):
                return None
    parts = urlsplit(found if "://" in found else f"http://{found}")
    if not parts.hostname or parts.port == 0:
        raise ValueError("HTTPS_PROXY, HTTP_PROXY or ALL_PROXY is not [http://]host:port")
    return parts


def from_mlflow(body: bytes) -> dict | None:
    """The JSON object of an answer, or None: login pages and portals say 200 as well."""
    try:
        answer = json.loads(body)
    except ValueError:
        return None
    return answer if isinstance(answer, dict) else None


def text(body: bytes) -> str:
    return " ".join(body.decode(errors="replace").split())[:160]


def fix_for(status: int, body: bytes) -> str:
    if 300 <= status < 400:
        return "set MLFLOW_TRACKING_URI to the address it names; if that is a login page, machines need a way past it"
    if status == 403 and b"Host header" in body:
        return "the server refuses the Host: the gateway must rewrite Host to the one MLflow allows"
    return {
        200: "something other than MLflow answers, such as a login page or a portal: correct MLFLOW_TRACKING_URI, or go past it",
        401: "the login was refused: check MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD",
        403: "either this login lacks the right, or a firewall in between forbids it",
        404: "no MLflow API at this address: check the path of MLFLOW_TRACKING_URI",
        405: "something in front of MLflow does not let this method pass",
        413: "the artifact is larger than the gateway's upload limit: raise it in the stack's settings",
        502: "the gateway cannot reach MLflow: are its pods ready, does a NetworkPolicy allow gateway -> mlflow?",
        503: "MLflow or its database is not available: look at the pods and the database's connections",
        504: "MLflow does not answer in time: look at its pods and at the database",
        507: "the object store is full",
    }.get(status, "look at the logs of the MLflow pods")


def proxy(client: Client) -> str:
    if not client.proxy:
        return "none"
    name = f"{client.proxy.hostname}:{client.proxy.port or 80}"  # without its password
    without = f"add {client.host} to NO_PROXY if the server is reached without a proxy, as one on this machine is"
    if client.proxy.scheme != "http":
        raise Finding(f"{name} speaks {client.proxy.scheme}, which this program does not", without)
    try:
        client.connect().close()
    except (OSError, http.client.HTTPException) as error:
        raise Finding(
            f"HTTPS_PROXY, HTTP_PROXY or ALL_PROXY sends clients to {name}, and it does not lead to {client.host}: {error}", without
        ) from None
    return f"through {name}"


def dns(client: Client) -> str:
    if client.proxy:
        return "left to the proxy"
    try:
        found = {item[4][0] for item in socket.getaddrinfo(client.host, client.port, type=socket.SOCK_STREAM)}
    except (OSError, UnicodeError) as error:  # an empty or overlong label is a UnicodeError
        raise Finding(
            f"{client.host} does not resolve: {error}",
            f"create a DNS record for {client.host}, or add it to /etc/hosts, or correct MLFLOW_TRACKING_URI",
        ) from None
    return ", ".join(sorted(found))


def connection(client: Client) -> str:
    if client.proxy:
        return "through the proxy"
    try:
        client.connect().close()
    except OSError as error:
        raise Finding(
            f"{client.host}:{client.port}: {error}",
            "is the cluster up, is the port published, does a firewall or source range block this machine?",
        ) from None
    return f"{client.host}:{client.port}"


def speaks_tls(client: Client) -> bool:
    """Whether the port of an http:// address wants TLS; one that says nothing for three seconds does not."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    try:
        with socket.create_connection((client.host, client.port), 3) as plain, context.wrap_socket(plain, server_hostname=client.host):
            return True
    except OSError:
        return False


def fix_for_certificate(client: Client, problem: str) -> str:
    if "match" in problem:
        return f"use a name the certificate has, or issue it for {client.host}"
    if "expired" in problem or "not yet valid" in problem:
        return "look at this machine's clock, then renew the certificate; an update of the stack renews a generated one"
    return "write the CA of the stack's outputs to a file and set MLFLOW_TRACKING_SERVER_CERT_PATH to it"


def tls(client: Client) -> str:
    if not client.tls:
        if not client.proxy and speaks_tls(client):
            raise Finding("the address says http:// and the port speaks TLS", "write https:// in MLFLOW_TRACKING_URI")
        return "plain http: the password travels in clear text, use this on the local machine only"
    try:
        client.context = client.tls_context()
    except OSError as error:
        raise Finding(f"cannot read the CA {client.ca}: {error}", "correct MLFLOW_TRACKING_SERVER_CERT_PATH") from None
    try:
        with client.connect() as plain, client.context.wrap_socket(plain, server_hostname=client.host) as secure:
            certificate, version = secure.getpeercert(), secure.version()
    except ssl.SSLCertVerificationError as error:
        raise Finding(f"certificate not trusted: {error.verify_message}", fix_for_certificate(client, error.verify_message)) from None
    except (OSError, http.client.HTTPException) as error:
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
        raise Finding(f"GET /health answered {status}: {text(body)}", fix_for(status, body))
    status, body = client.send("GET", SEARCH)
    if status == 403 and b"Host header" in body:
        raise Finding(f"MLflow refuses the Host header: {text(body)}", fix_for(status, body))
    return "/health answers, Host is accepted"


def authentication(client: Client) -> str:
    status, body = client.send("GET", SEARCH)
    if status == 401 and not client.login:
        raise Finding("a login is needed and none is set", "set MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD")
    if status != 200 or from_mlflow(body) is None:
        raise Finding(f"GET {SEARCH} answered {status}: {text(body)}", fix_for(status, body))
    anonymous, body = client.send("GET", SEARCH, login="")
    if anonymous == 200 and from_mlflow(body) is not None:
        if client.login:
            raise Finding("the API answers without a login", "the gateway is bypassed or auth is off: never expose this server")
        return "no login set and none needed: anybody who reaches this address can read and delete"
    return f"login accepted, anonymous requests get {anonymous}"


def write_run(client: Client) -> str:
    path = f"{API}/experiments/get-by-name?experiment_name={EXPERIMENT}"
    status, body = client.send("GET", path)
    if status == 404:
        ident = client.api("POST", "/experiments/create", name=EXPERIMENT)["experiment_id"]
    else:
        answer = from_mlflow(body)
        if status != 200 or answer is None:
            raise Finding(f"GET {path} answered {status}: {text(body)}", fix_for(status, body))
        ident = answer["experiment"]["experiment_id"]
        if answer["experiment"]["lifecycle_stage"] == "deleted":
            client.api("POST", "/experiments/restore", experiment_id=ident)
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
        fix = fix_for(status, body)
        if status == 500:
            fix = "MLflow cannot write to the object store: its log has the reason (bucket, credentials, CA, NetworkPolicy)"
        raise Finding(f"upload of {client.size} bytes answered {status}: {text(body)}", fix)
    return f"{client.size} bytes in {time.monotonic() - started:.2f} s"


def download(client: Client) -> str:
    status, body = client.send("GET", artifact_path(client))
    if status != 200:
        fix = fix_for(status, body)
        if status in (404, 500):
            fix = "MLflow cannot read from the object store what it wrote: look at its log"
        raise Finding(f"download answered {status}: {text(body)}", fix)
    if hashlib.sha256(body).digest() != hashlib.sha256(client.content).digest():
        raise Finding(f"got {len(body)} other bytes than were sent", "does a proxy change content, or are there two stores?")
    metrics = client.api("GET", f"/runs/get?run_id={client.run['run_id']}")["run"]["data"].get("metrics", [])
    values = [metric["value"] for metric in metrics]
    if values != [42.0]:
        raise Finding(f"the metric 42.0 came back as {values}", "the database lost a write: is a read replica behind the server?")
    return "identical"


def delete(client: Client) -> str:
    status, body = client.send("DELETE", artifact_path(client))
    if status not in (200, 204):
        fix = "allow the store's credentials to delete" if status == 500 else fix_for(status, body)
        raise Finding(f"deleting the artifact answered {status}: {text(body)}", fix)
    client.api("POST", "/runs/delete", run_id=client.run["run_id"])
    return "artifact deleted, run in the trash"


LAYERS = [
    ("proxy", proxy), ("DNS", dns), ("connection", connection), ("TLS", tls), ("host", host), ("authentication", authentication),
    ("write run", write_run), ("upload artifact", upload), ("read back", download), ("delete", delete),
]


def failed(client: Client, layer: str, seen: str, fix: str) -> int:
    print(f"  FAIL  {layer:<16} {seen}")
    print(f"        fix: {fix}")
    if client.proxy and layer != "proxy":
        print(f"        the requests went through a proxy, which may be what answered; {client.host} in NO_PROXY goes without")
    return 1


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
            return failed(client, name, str(finding), finding.fix)
        except (KeyError, IndexError, TypeError) as error:
            # JSON, and not MLflow's.
            return failed(client, name, f"MLflow's answer has another form: {error!r}", fix_for(200, b""))
    return 0


if __name__ == "__main__":
    sys.exit(main())
