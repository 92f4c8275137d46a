"""The official conformance suite of MCP against a host with the conformance provider: what it requires of each version, and what
it doesn't require but is passed too.

It prints every check that isn't a success, and `N of M required` for each version at the end. Its exit code is 0 only if all pass.

    python run.py --host target/debug/examples/conformance --node …/bin/node --suite target/conformance
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

# The versions that the suite has requirements for, and what is to pass besides what they require.
VERSIONS = {
    "2026-07-28": ["http-header-validation", "http-custom-header-server-validation", "json-schema-2020-12"],
    "2025-11-25": ["json-schema-2020-12", "server-session-lifecycle"],
}

# What isn't passed yet: nothing. The suite fails when a line in this file isn't needed any more, too.
BASELINE = Path(__file__).with_name("baseline.yaml")

# A run takes ten seconds; a machine that builds at the same time needs a few times as many.
RUN_SECONDS = 300


def main() -> int:
    arguments = parse_arguments()
    package = arguments.suite / "node_modules/@modelcontextprotocol/conformance"
    results = arguments.suite / "results"
    shutil.rmtree(results, ignore_errors=True)
    verdicts = []
    with running(arguments.host) as url:
        for version, besides in VERSIONS.items():
            suite = [arguments.node, package / "dist/index.js", "server", "--url", url, "--requirements", version]
            finished = subprocess.run(
                [*suite, "--output-dir", results / version, "--expected-failures", BASELINE],
                capture_output=True,
                text=True,
                timeout=RUN_SECONDS,
            )
            required = requirements(package / f"requirements/{version}.yaml")
            passed = {name for name in required + besides if passes(results / version, version, name)}
            ok = finished.returncode == 0 and passed == {*required, *besides}
            if not ok:
                print(finished.stdout[finished.stdout.find("=== SUMMARY ===") :], finished.stderr)
            print(f"{version}: {len(passed.intersection(besides))} of {len(besides)} besides: {', '.join(besides)}")
            verdicts.append((ok, f"{version}: {len(passed.intersection(required))} of {len(required)} required"))
    print("\n".join(line for _, line in verdicts))
    return 0 if all(ok for ok, _ in verdicts) else 1


@contextmanager
def running(host: Path) -> Iterator[str]:
    """Starts the host, which prints where it serves and stops when its standard input ends."""
    with subprocess.Popen([host], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin and process.stdout
        url = process.stdout.readline().strip()
        if not url:
            sys.exit(f"the host didn't start: {host}")
        try:
            yield url
        finally:
            process.stdin.close()


def requirements(file: Path) -> list[str]:
    """The scenarios below `server:`. The file is a list of names under keys, so that it needs no YAML library."""
    scenarios, section = [], ""
    for line in file.read_text().splitlines():
        if line.endswith(":") and not line.startswith((" ", "#")):
            section = line
        elif section == "server:" and line.startswith("  - "):
            scenarios.append(line.removeprefix("  - ").split("#")[0].strip())
    assert scenarios, f"no requirements in {file}"
    return scenarios


def passes(results: Path, version: str, scenario: str) -> bool:
    """Whether all checks of a scenario succeeded, at least one; tells those that didn't. A warning is no success: the suite warns
    about what a server SHOULD do."""
    found = [it for it in results.glob(f"server-{scenario}-20*/checks.json")]
    checks = [check for file in found for check in json.loads(file.read_text())]
    for check in checks:
        if check["status"] in ("FAILURE", "WARNING"):
            print(f"{version} {scenario}: {check['status']} {check['id']}: {check.get('errorMessage')}")
    if not any(check["status"] == "SUCCESS" for check in checks):
        print(f"{version} {scenario}: nothing was checked")
        return False
    return all(check["status"] in ("SUCCESS", "INFO") for check in checks)


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--host", type=Path, required=True, help="what serves: prints its URL, stops when its input ends")
    parser.add_argument("--node", type=Path, required=True, help="Node")
    parser.add_argument("--suite", type=Path, required=True, help="the folder in which the suite is installed")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
