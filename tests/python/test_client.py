"""The user's side: the demo and the doctor, through TLS and a login like the gateway's."""

import base64
import datetime
import http.server
import ipaddress
import ssl
import threading
import urllib.error
import urllib.request

import pytest
from conftest import CLIENT, free_port, run
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from mlflow import MlflowClient

USER, PASSWORD = "alice", "correct horse"


class Gateway(http.server.ThreadingHTTPServer):
    """What the real gateway does, as far as a client can tell: TLS, login, one fixed Host, a size limit."""

    daemon_threads = True
    limit = 8 * 1024 * 1024
    rewrite_host = True
    open = False

    def __init__(self, upstream: str, certificate: str):
        super().__init__(("127.0.0.1", 0), Handler)
        self.upstream = upstream
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
        if self.path != "/health" and not self.server.open and self.headers.get("Authorization") != login:
            return self.answer(401, b"login needed")
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

    def answer(self, status, body):
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_GET = do_POST = do_PUT = do_DELETE = do_PATCH = handle_any


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
def make_gateway(server):
    started = []

    def make(certificate, **settings):
        gateway = Gateway(server.uri, certificate)
        for name, value in settings.items():
            setattr(gateway, name, value)
        threading.Thread(target=gateway.serve_forever, daemon=True).start()
        started.append(gateway)
        return gateway

    yield make
    for gateway in started:
        gateway.shutdown()
        gateway.server_close()


def login(gateway, certificate, **change):
    env = {
        "MLFLOW_TRACKING_URI": gateway.uri, "MLFLOW_TRACKING_USERNAME": USER, "MLFLOW_TRACKING_PASSWORD": PASSWORD,
        "MLFLOW_TRACKING_SERVER_CERT_PATH": certificate, **change,
    }
    return {key: value for key, value in env.items() if value}


def doctor(**env):
    result = run(CLIENT / "doctor.py", **env)
    assert PASSWORD not in result.stdout
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


def test_demo_fails_with_a_hint(make_gateway, certificate):
    gateway = make_gateway(certificate)
    result = run(CLIENT / "demo.py", **login(gateway, certificate, MLFLOW_TRACKING_PASSWORD="wrong"))
    assert result.returncode == 1
    assert "doctor.py" in result.stdout
    assert run(CLIENT / "demo.py").returncode == 2


def test_doctor_finds_everything_in_order(make_gateway, certificate, server):
    result = doctor(**login(make_gateway(certificate), certificate))
    assert result.returncode == 0, result.stdout
    assert result.stdout.count("  ok    ") == 9
    assert "anonymous requests get 401" in result.stdout
    client = MlflowClient(server.uri)
    assert client.search_runs([client.get_experiment_by_name("doctor").experiment_id]) == []


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
])
def test_doctor_names_the_failing_layer_and_its_fix(make_gateway, certificate, settings, change, layer, fix):
    gateway = make_gateway(certificate, **settings)
    if change.get("MLFLOW_TRACKING_URI") == "closed":
        change = {"MLFLOW_TRACKING_URI": f"https://127.0.0.1:{free_port()}"}
    result = doctor(**login(gateway, certificate, **change))
    assert result.returncode == 1, result.stdout
    last, advice = result.stdout.splitlines()[-2:]
    assert last.startswith(f"  FAIL  {layer} "), result.stdout
    assert fix in advice


@pytest.mark.parametrize(("name", "days", "fix"), [
    ("other.example.com", 90, "use a name the certificate has"), ("127.0.0.1", 3, "renew"),
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


@pytest.mark.parametrize("uri", ["", "ftp://x", f"https://{USER}:{PASSWORD.split()[0]}@x"])
def test_doctor_refuses_a_bad_address(uri):
    assert doctor(MLFLOW_TRACKING_URI=uri).returncode == 2
