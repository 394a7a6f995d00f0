"""The user's side: the demo and the doctor, through TLS and a login like the gateway's."""

import base64
import datetime
import http.server
import ipaddress
import os
import select
import socket
import ssl
import threading
import urllib.error
import urllib.request
from unittest import mock

import pytest
import requests
from conftest import CLIENT, free_port, run
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from mlflow import MlflowClient

USER, PASSWORD = "alice", "correct horse"


class Gateway(http.server.ThreadingHTTPServer):
    """What the real gateway does, as far as a client can tell: TLS, login, one fixed Host, a size limit,
    and no word about presigned addresses (docs/decisions/0008)."""

    daemon_threads = True
    limit = 8 * 1024 * 1024
    rewrite_host = True
    open = False
    hides_offers = True
    # "METHOD /path" to the status, body and headers that it answers in MLflow's place.
    answers = {}

    def __init__(self, upstream: str, certificate: str):
        super().__init__(("127.0.0.1", 0), Handler)
        self.upstream = upstream
        self.asked = []
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(certificate)
        self.socket = context.wrap_socket(self.socket, server_side=True)
        self.uri = f"https://127.0.0.1:{self.server_address[1]}"


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_args):
        pass

    def handle_any(self):
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        login = "Basic " + base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
        self.server.asked.append(self.path)
        for start_of, given in self.server.answers.items():
            if f"{self.command} {self.path}".startswith(start_of):
                return self.answer(*given)
        if self.path != "/health" and not self.server.open and self.headers.get("Authorization") != login:
            return self.answer(401, b"login needed")
        if self.server.hides_offers and self.path == "/api/3.0/mlflow/server-info":
            return self.answer(404, b"{}")
        if len(body) > self.server.limit:
            return self.answer(413, b"upload too large")
        host = {} if self.server.rewrite_host else {"Host": "mlflow.example.com"}
        request = urllib.request.Request(
            self.server.upstream + self.path, data=body or None, method=self.command,
            headers={"Content-Type": self.headers.get("Content-Type", ""), **host},
        )
        try:
            with urllib.request.urlopen(request) as answer:
                return self.answer(answer.status, answer.read())
        except urllib.error.HTTPError as error:
            return self.answer(error.code, error.read())

    def answer(self, status, body, headers=()):
        self.send_response(status)
        for name, value in {"Content-Length": len(body), **dict(headers)}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    do_GET = do_POST = do_PUT = do_DELETE = do_PATCH = handle_any


class Proxy(http.server.ThreadingHTTPServer):
    """A corporate proxy: CONNECT, or a refusal."""

    daemon_threads = True
    refuses = False

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Tunnel)
        self.uri = f"127.0.0.1:{self.server_address[1]}"
        self.tunnels = []


class Tunnel(http.server.BaseHTTPRequestHandler):
    def log_message(self, *_args):
        pass

    def do_CONNECT(self):
        self.server.tunnels.append(self.headers.get("Proxy-Authorization"))
        if self.server.refuses:
            return self.send_error(403)
        host, port = self.path.split(":")
        with socket.create_connection((host, int(port))) as upstream:
            self.send_response(200)
            self.end_headers()
            sockets = {self.connection: upstream, upstream: self.connection}
            while True:
                for ready in select.select(list(sockets), [], [])[0]:
                    data = ready.recv(65536)
                    if not data:
                        return
                    sockets[ready].sendall(data)


def write_certificate(path, name: str, days: int) -> str:
    key, now = ec.generate_private_key(ec.SECP256R1()), datetime.datetime.now(datetime.timezone.utc)
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "gateway")])
    try:
        alternative = x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        alternative = x509.DNSName(name)
    certificate = (
        x509.CertificateBuilder().subject_name(subject).issuer_name(subject).public_key(key.public_key())
        .serial_number(x509.random_serial_number()).not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(days=days))
        .add_extension(x509.SubjectAlternativeName([alternative]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    path.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        + certificate.public_bytes(serialization.Encoding.PEM)
    )
    return str(path)


@pytest.fixture
def certificate(tmp_path):
    return write_certificate(tmp_path / "gateway.pem", "127.0.0.1", 90)


@pytest.fixture
def start():
    """Starts a server of this file with some of its settings changed, and stops it when the test is over."""
    started = []

    def run_server(instance, **settings):
        for name, value in settings.items():
            setattr(instance, name, value)
        threading.Thread(target=instance.serve_forever, daemon=True).start()
        started.append(instance)
        return instance

    yield run_server
    for instance in started:
        instance.shutdown()
        instance.server_close()


@pytest.fixture
def make_gateway(server, start):
    return lambda certificate, **settings: start(Gateway(server.uri, certificate), **settings)


def login(gateway, certificate, **change):
    env = {
        "MLFLOW_TRACKING_URI": gateway.uri, "MLFLOW_TRACKING_USERNAME": USER, "MLFLOW_TRACKING_PASSWORD": PASSWORD,
        "MLFLOW_TRACKING_SERVER_CERT_PATH": certificate, **change,
    }
    return {key: value for key, value in env.items() if value}


def doctor(**env):
    result = run(CLIENT / "doctor.py", **env)
    assert PASSWORD not in result.stdout
    assert "Traceback" not in result.stdout
    return result


def test_demo_logs_registers_and_reads_back(make_gateway, certificate, server):
    gateway = make_gateway(certificate)
    result = run(CLIENT / "demo.py", **login(gateway, certificate))
    assert result.returncode == 0, result.stdout
    client = MlflowClient(server.uri)
    version = client.get_model_version_by_alias("iris", "champion")
    experiment = client.get_experiment_by_name("iris").experiment_id
    assert f"run    {gateway.uri}/#/experiments/{experiment}/runs/{version.run_id}" in result.stdout
    run_data = client.get_run(version.run_id).data
    assert run_data.metrics["accuracy"] > 0.9
    assert run_data.params["max_iter"] == "500"
    assert [file.path for file in client.list_artifacts(version.run_id)] == ["classes.txt"]
    assert not any("presigned" in path or "/mpu/" in path for path in gateway.asked)


@pytest.mark.parametrize("hides_offers", [True, False])
def test_a_default_client_stays_on_the_gateway(make_gateway, certificate, server, monkeypatch, tmp_path, hides_offers):
    """The twin lets the server tell that it has presigned addresses: the client asks for one."""
    gateway = make_gateway(certificate, hides_offers=hides_offers)
    for name, value in login(gateway, certificate).items():
        monkeypatch.setenv(name, value)
    client = MlflowClient(gateway.uri)
    found = client.get_experiment_by_name("transfers")
    run_id = client.create_run(found.experiment_id if found else client.create_experiment("transfers")).info.run_id
    client.log_text(run_id, "through the gateway", "note.txt")
    copy = client.download_artifacts(run_id, "note.txt", str(tmp_path))
    with open(copy, encoding="utf-8") as file:
        assert file.read() == "through the gateway"
    assert "/api/3.0/mlflow/server-info" in gateway.asked
    assert any("presigned" in path for path in gateway.asked) != hides_offers


def test_demo_fails_with_a_hint(make_gateway, certificate):
    gateway = make_gateway(certificate)
    result = run(CLIENT / "demo.py", **login(gateway, certificate, MLFLOW_TRACKING_PASSWORD="wrong"))
    assert result.returncode == 1
    assert "doctor.py" in result.stdout
    assert run(CLIENT / "demo.py").returncode == 2


def test_doctor_finds_everything_in_order(make_gateway, certificate, server):
    result = doctor(**login(make_gateway(certificate), certificate))
    assert result.returncode == 0, result.stdout
    assert result.stdout.count("  ok    ") == 10
    assert "anonymous requests get 401" in result.stdout
    client = MlflowClient(server.uri)
    assert client.search_runs([client.get_experiment_by_name("doctor").experiment_id]) == []


API, FILES = "/api/2.0/mlflow", "/api/2.0/mlflow-artifacts/artifacts"
PAGE = b"<html><title>Sign in</title></html>"


def answering(request, status, body=b"{}", **headers):
    return {"answers": {request: (status, body, headers)}}


@pytest.mark.parametrize(("settings", "change", "layer", "fix"), [
    ({}, {"MLFLOW_TRACKING_URI": "https://no-such-host.invalid"}, "DNS", "DNS record"),
    ({}, {"MLFLOW_TRACKING_URI": "closed"}, "connection", "is the port published"),
    ({}, {"MLFLOW_TRACKING_SERVER_CERT_PATH": ""}, "TLS", "MLFLOW_TRACKING_SERVER_CERT_PATH"),
    ({}, {"MLFLOW_TRACKING_SERVER_CERT_PATH": "/nowhere"}, "TLS", "MLFLOW_TRACKING_SERVER_CERT_PATH"),
    ({"rewrite_host": False}, {}, "host", "rewrite Host"),
    ({}, {"MLFLOW_TRACKING_PASSWORD": "wrong"}, "authentication", "the login was refused"),
    ({}, {"MLFLOW_TRACKING_USERNAME": ""}, "authentication", "set MLFLOW_TRACKING_USERNAME"),
    ({"open": True}, {}, "authentication", "never expose this server"),
    ({"limit": 1000}, {}, "upload artifact", "upload limit"),
    ({}, {"MLFLOW_TRACKING_URI": "plain"}, "TLS", "write https://"),
    ({}, {"MLFLOW_TRACKING_URI": "https://no..host"}, "DNS", "correct MLFLOW_TRACKING_URI"),
    (answering("GET /health", 200, PAGE), {}, "host", "something other than MLflow"),
    (answering("GET /health", 200, b"OK", **{"Content-Length": 1000}), {}, "host", "broke during the request"),
    (answering(f"GET {API}/experiments/search", 200, PAGE), {}, "authentication", "something other than MLflow"),
    (answering(f"GET {API}/experiments/search", 302, Location="https://login.example.com"), {}, "authentication", "login page"),
    (answering(f"GET {API}/experiments/get-by-name", 200, PAGE), {}, "write run", "something other than MLflow"),
    (answering(f"POST {API}/runs/create", 403, b'{"error_code": "PERMISSION_DENIED"}'), {}, "write run", "lacks the right"),
    (answering(f"POST {API}/runs/create", 503), {}, "write run", "its database is not available"),
    (answering(f"POST {API}/runs/create", 200, b'{"run": null}'), {}, "write run", "something other than MLflow"),
    (answering(f"PUT {FILES}", 500), {}, "upload artifact", "cannot write to the object store"),
    (answering(f"PUT {FILES}", 405), {}, "upload artifact", "does not let this method pass"),
    (answering(f"GET {FILES}", 500), {}, "read back", "cannot read from the object store"),
    (answering(f"GET {FILES}", 200, b"other bytes"), {}, "read back", "are there two stores?"),
    (answering(f"GET {API}/runs/get", 200, b'{"run": {"data": {}}}'), {}, "read back", "read replica"),
    (answering(f"DELETE {FILES}", 500), {}, "delete", "allow the store's credentials to delete"),
    (answering(f"POST {API}/runs/delete", 403), {}, "delete", "lacks the right"),
])
def test_doctor_names_the_failing_layer_and_its_fix(make_gateway, certificate, settings, change, layer, fix):
    gateway = make_gateway(certificate, **settings)
    if change.get("MLFLOW_TRACKING_URI") == "closed":
        change = {"MLFLOW_TRACKING_URI": f"https://127.0.0.1:{free_port()}"}
    if change.get("MLFLOW_TRACKING_URI") == "plain":
        change = {"MLFLOW_TRACKING_URI": gateway.uri.replace("https:", "http:")}
    result = doctor(**login(gateway, certificate, **change))
    assert result.returncode == 1, result.stdout
    last, advice = result.stdout.splitlines()[-2:]
    assert last.startswith(f"  FAIL  {layer} "), result.stdout
    assert fix in advice


def test_doctor_says_where_a_redirect_leads(make_gateway, certificate):
    gateway = make_gateway(certificate, **answering("GET /health", 308, Location="https://mlflow.example.com"))
    result = doctor(**login(gateway, certificate))
    assert "FAIL  host             GET /health answered 308: see https://mlflow.example.com" in result.stdout
    assert "the address it names" in result.stdout


@pytest.mark.parametrize(("name", "days", "fix"), [
    ("other.example.com", 90, "use a name the certificate has"), ("127.0.0.1", 3, "renew"), ("127.0.0.1", 0, "clock"),
])
def test_doctor_reads_the_certificate(make_gateway, tmp_path, name, days, fix):
    certificate = write_certificate(tmp_path / "bad.pem", name, days)
    result = doctor(**login(make_gateway(certificate), certificate))
    assert result.returncode == 1, result.stdout
    assert "FAIL  TLS" in result.stdout
    assert fix in result.stdout


def test_doctor_points_at_plain_http(server):
    result = doctor(MLFLOW_TRACKING_URI=server.uri.replace("http:", "https:"))
    assert "is it an http port?" in result.stdout
    result = doctor(MLFLOW_TRACKING_URI=server.uri)
    assert result.returncode == 0, result.stdout
    assert "clear text" in result.stdout


def test_doctor_goes_the_clients_way_through_a_proxy(make_gateway, certificate, start):
    gateway, proxy = make_gateway(certificate), start(Proxy())
    result = doctor(**login(gateway, certificate, HTTPS_PROXY=f"http://bob:{PASSWORD.split()[0]}@{proxy.uri}"))
    assert result.returncode == 0, result.stdout
    assert f"through {proxy.uri}" in result.stdout
    pair = base64.b64encode(f"bob:{PASSWORD.split()[0]}".encode()).decode()
    assert len(proxy.tunnels) > 10
    assert set(proxy.tunnels) == {f"Basic {pair}"}, "no request went past it"
    assert PASSWORD.split()[0] not in result.stdout


@pytest.mark.parametrize("name", ["HTTPS_PROXY", "https_proxy", "ALL_PROXY"])
@pytest.mark.parametrize(("proxy", "seen"), [("closed", "refused"), ("refuses", "403"), ("socks5://127.0.0.1:1", "socks5")])
def test_doctor_names_a_proxy_that_does_not_lead_there(make_gateway, certificate, start, name, proxy, seen):
    gateway = make_gateway(certificate)
    value = {"closed": f"http://127.0.0.1:{free_port()}", "refuses": start(Proxy(), refuses=True).uri}.get(proxy, proxy)
    result = doctor(**login(gateway, certificate, **{name: value}))
    assert result.returncode == 1, result.stdout
    last, advice = result.stdout.splitlines()[-2:]
    assert last.startswith("  FAIL  proxy "), result.stdout
    assert seen in last
    assert "add 127.0.0.1 to NO_PROXY" in advice


@pytest.mark.parametrize(("excepted", "reached"), [
    ("127.0.0.1", True), ("example.com, 127.0.0.0/8", True), ("*", True), ("10.0.0.0/8,localhost", False),
])
def test_doctor_reads_no_proxy_as_the_client_does(make_gateway, certificate, excepted, reached):
    gateway = make_gateway(certificate)
    settings = {"HTTPS_PROXY": f"http://127.0.0.1:{free_port()}", "NO_PROXY": excepted}
    with mock.patch.dict(os.environ, settings, clear=True):
        assert requests.utils.should_bypass_proxies(gateway.uri, None) == reached
    assert (doctor(**login(gateway, certificate, **settings)).returncode == 0) == reached


@pytest.mark.parametrize("change", [
    {"MLFLOW_TRACKING_URI": ""}, {"MLFLOW_TRACKING_URI": "ftp://x"}, {"MLFLOW_TRACKING_URI": "https://x/a b"},
    {"MLFLOW_TRACKING_URI": "https://x/\u00e4"}, {"MLFLOW_TRACKING_URI": f"https://{USER}:{PASSWORD.split()[0]}@x"},
    {"MLFLOW_TRACKING_TOKEN": "two\nlines"}, {"HTTPS_PROXY": "http://"}, {"HTTPS_PROXY": "proxy:x"},
])
def test_doctor_refuses_bad_settings(change):
    result = doctor(**{"MLFLOW_TRACKING_URI": "https://x", **change})
    assert result.returncode == 2, result.stdout
