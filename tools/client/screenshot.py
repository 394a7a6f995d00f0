"""Opens MLflow's page through the gateway in headless Chromium and takes a picture.

Logs in as a person's browser does (HTTP basic authentication), opens the
experiment, waits until its name and a run are shown, and writes a PNG.

Usage: screenshot.py EXPERIMENT FILE.png
Environment: MLFLOW_TRACKING_URI, MLFLOW_TRACKING_USERNAME, MLFLOW_TRACKING_PASSWORD;
  CHROMIUM  path of the browser, default chromium on PATH

The certificate is not verified by the browser: doctor.py checks that, and a
generated authority is in no browser's store. Exit codes: 0 done, 1 failed,
2 usage or configuration.
"""

import json
import os
import shutil
import ssl
import sys
import urllib.parse
import urllib.request
from base64 import b64encode

from playwright.sync_api import sync_playwright


def experiment_id(uri: str, user: str, password: str, name: str) -> str:
    context = ssl.create_default_context(cafile=os.environ.get("MLFLOW_TRACKING_SERVER_CERT_PATH"))
    query = urllib.parse.urlencode({"experiment_name": name})
    request = urllib.request.Request(f"{uri}/api/2.0/mlflow/experiments/get-by-name?{query}")
    request.add_header("Authorization", "Basic " + b64encode(f"{user}:{password}".encode()).decode())
    with urllib.request.urlopen(request, context=context, timeout=30) as answer:
        return json.load(answer)["experiment"]["experiment_id"]


def expected(response) -> bool:
    """Answers that are no fault of the platform.

    The login challenge; a question that only MLflow's own login app answers; and
    the assistant, which MLflow offers on a developer's own machine only and whose
    configuration it sometimes fails to make up on a server.
    """
    return (
        response.status == 401
        or (response.status == 404 and response.url.endswith("/mlflow/users/current"))
        or "/mlflow/assistant/" in response.url
    )


def main() -> int:
    if len(sys.argv) != 3:
        print(__doc__, file=sys.stderr)
        return 2
    name, file = sys.argv[1:]
    try:
        uri = os.environ["MLFLOW_TRACKING_URI"].rstrip("/")
        user, password = os.environ["MLFLOW_TRACKING_USERNAME"], os.environ["MLFLOW_TRACKING_PASSWORD"]
    except KeyError as missing:
        print(f"screenshot: {missing.args[0]} is not set", file=sys.stderr)
        return 2
    browser_path = os.environ.get("CHROMIUM") or shutil.which("chromium")
    if not browser_path:
        print("screenshot: chromium is not on PATH; on Debian: apt-get install chromium", file=sys.stderr)
        return 2
    page_url = f"{uri}/#/experiments/{experiment_id(uri, user, password, name)}/runs"
    with sync_playwright() as p:
        browser = p.chromium.launch(
            executable_path=browser_path,
            # Root needs no-sandbox; the rest keeps the browser from calling home.
            args=["--no-sandbox", "--disable-gpu", "--disable-quic", "--disable-background-networking", "--disable-component-update", "--disable-sync"],
        )
        context = browser.new_context(
            http_credentials={"username": user, "password": password}, ignore_https_errors=True, viewport={"width": 1440, "height": 900}
        )
        page = context.new_page()
        failed = []
        page.on("response", lambda r: failed.append(f"{r.status} {r.url}") if r.status >= 400 and not expected(r) else None)
        page.goto(page_url, wait_until="domcontentloaded", timeout=120_000)
        page.get_by_text(name, exact=True).first.wait_for(timeout=120_000)
        page.locator("a[href*='/runs/']").first.wait_for(timeout=120_000)
        page.wait_for_timeout(3000)
        page.screenshot(path=file)
        browser.close()
    for line in failed:
        print(f"screenshot: {line}", file=sys.stderr)
    print(f"screenshot: {page_url} -> {file}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
