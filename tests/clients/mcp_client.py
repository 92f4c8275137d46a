"""Every operation of the demo's capabilities, called as clients other than ours call them: MCP by the `mcp` package, over HTTP and on
standard input and output, REST by urllib.

It knows the simulators' seed data and nothing of Airlock's code. It prints a line for each call and `N passed, N failed` at the end.

    python mcp_client.py --demo target/debug/airlock            # starts `airlock demo` on free ports, and stops it
    python mcp_client.py --rest http://127.0.0.1:8080 --mcp http://127.0.0.1:9090/mcp      # against a fresh `airlock demo`, HTTP alone

The calls change the simulators' data, so a second run needs a fresh demo.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import queue
import subprocess
import sys
import threading
import time
import traceback
import urllib.error
import urllib.request
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlencode

from mcp import Client, StdioServerParameters
from mcp.client import session

# What the simulators hold at first; see host/src/demo/m3ter.rs and metal.rs.
ORGANIZATION = "3c9f1d52-8a64-4e0b-b7d1-6f2e90a4c815"
M3TER_USER = "5f0c0001-7b41-4c3d-9e8a-d1b6e3f4a290"
LEAVING_USER = "5f0c0004-7b41-4c3d-9e8a-d1b6e3f4a290"
M3TER_USERS = 7
METAL_USER = "5f0c0003-7b41-4c3d-9e8a-d1b6e3f4a290"
METAL_USERS = 12
INVITATIONS = 3
TAKEN_EMAIL = "hana.kovac@northlight.example"

# Compiling the plugins takes seconds on a small machine, and CI shares it with other builds.
START_SECONDS = 120
# Everything that the demo does takes milliseconds once it has started.
CALL_SECONDS = 30

# A host on standard input answers when it has compiled its plugins; a client that waits less takes it for one of the older era.
session.DISCOVER_TIMEOUT_SECONDS = START_SECONDS
# What each mode of the client agrees upon with us.
AGREED = {"auto": "2026-07-28", "legacy": "2025-11-25"}


@dataclass(frozen=True)
class Operation:
    """One operation and its two ways in. `{name}` in the path takes an argument, `query` the others, `body` is the body."""

    plugin: str
    tool: str
    method: str
    path: str


M3TER = "/v1/organizations/{orgId}/users"
OPERATIONS = {
    operation.plugin + "/" + operation.tool: operation
    for operation in [
        Operation("m3ter-orgusers", "list-orgusers", "GET", M3TER),
        Operation("m3ter-orgusers", "retrieve-current-user", "GET", M3TER + "/me"),
        Operation("m3ter-orgusers", "retrieve-orguser", "GET", M3TER + "/{id}"),
        Operation("m3ter-orgusers", "update-orguser", "PUT", M3TER + "/{id}"),
        Operation("m3ter-orgusers", "resend-temporary-password-user", "PUT", M3TER + "/{id}/password/resend"),
        Operation("m3ter-orgusers", "retrieve-orguser-permissions", "GET", M3TER + "/{id}/permissions"),
        Operation("m3ter-orgusers", "retrieve-orguser-groups", "GET", M3TER + "/{id}/usergroups"),
        Operation("m3ter-user-access", "review-user-access", "GET", M3TER + "/{id}/access"),
        Operation("metal-users", "retrieve-current-user-invitations", "GET", "/v1/invitations"),
        Operation("metal-users", "retrieve-current-user", "GET", "/v1/user"),
        Operation("metal-users", "update-current-user", "PUT", "/v1/user"),
        Operation("metal-users", "retrieve-all-users", "GET", "/v1/users"),
        Operation("metal-users", "create-user", "POST", "/v1/users"),
        Operation("metal-users", "retrieve-user", "GET", "/v1/users/{id}"),
        Operation("metal-users", "retrieve-custom-metadata-user", "GET", "/v1/users/{id}/customdata"),
    ]
}


class Failed(Exception):
    """The operation failed, as the caller was told."""

    def __init__(self, told: Any) -> None:
        super().__init__(json.dumps(told))
        self.told = told


Arguments = dict[str, Any]
Call = Callable[[Operation, Arguments], Awaitable[Any]]


def rest_door(base: str) -> Call:
    """REST by urllib."""

    def send(operation: Operation, arguments: Arguments) -> Any:
        rest = dict(arguments)
        path = operation.path
        for name in list(rest):
            if "{" + name + "}" in path:
                path = path.replace("{" + name + "}", quote(rest.pop(name), safe=""))
        body = json.dumps(rest.pop("body")).encode() if "body" in rest else None
        texts = {name: text(value) for name, value in rest.items()}
        url = base + path + ("?" + urlencode(texts, doseq=True) if texts else "")
        headers = {"content-type": "application/json"} if body else {}
        request = urllib.request.Request(url, body, headers, method=operation.method)
        try:
            with urllib.request.urlopen(request, timeout=CALL_SECONDS) as response:
                answer = response.read()
        except urllib.error.HTTPError as error:
            raise Failed({"status": error.code, "body": error.read().decode()}) from None
        return json.loads(answer) if answer else None

    async def call(operation: Operation, arguments: Arguments) -> Any:
        return await asyncio.to_thread(send, operation, arguments)

    return call


def text(value: Any) -> Any:
    """A query value: arrays stay arrays, a truth value is written as in JSON."""
    return json.dumps(value) if isinstance(value, bool) else value


@asynccontextmanager
async def mcp_door(
    server: str | StdioServerParameters, mode: str, names: Callable[[Operation], str]
) -> AsyncIterator[Call]:
    """MCP by the `mcp` package. `names` tells a tool's name at this endpoint."""
    async with Client(server, mode=mode, read_timeout_seconds=START_SECONDS) as client:
        assert client.protocol_version == AGREED[mode], client.protocol_version
        # The client checks results against the output schemas of the tools that it has listed.
        await client.list_tools()

        async def call(operation: Operation, arguments: Arguments) -> Any:
            result = await client.call_tool(names(operation), arguments)
            texts = [block.text for block in result.content if block.type == "text"]
            if result.is_error:
                raise Failed(texts)
            if result.structured_content is None:
                return json.loads(texts[0]) if texts and texts[0] else None
            same = json.loads(texts[0])
            assert same == result.structured_content, f"text and structured value differ: {texts[0]}"
            return result.structured_content

        yield call


class Report:
    """Counts checks and prints a line for each."""

    def __init__(self) -> None:
        self.passed = 0
        self.failed = 0

    @contextmanager
    def check(self, what: str) -> Iterator[None]:
        try:
            yield
        except Exception as error:  # Whatever goes wrong in one check, the others still tell something.
            self.failed += 1
            print(f"FAILED  {what}: {describe(error)}", flush=True)
        else:
            self.passed += 1
            print(f"ok      {what}", flush=True)


def describe(error: BaseException) -> str:
    while isinstance(error, BaseExceptionGroup) and len(error.exceptions) == 1:
        error = error.exceptions[0]
    if isinstance(error, AssertionError):
        frame = traceback.extract_tb(error.__traceback__)[-1]
        return f"line {frame.lineno}: {frame.line} {error}"
    return f"{type(error).__name__}: {error}"


async def call_everything(door: str, call: Call, report: Report) -> None:
    """Each operation at least once, with its data checked; a change has to be seen by the next read."""
    called = set()

    async def ask(name: str, **arguments: Any) -> Any:
        called.add(name)
        return await call(OPERATIONS[name], arguments)

    async def refusal(name: str, **arguments: Any) -> str:
        try:
            answer = await ask(name, **arguments)
        except Failed as error:
            return str(error)
        raise AssertionError(f"it was not refused: {answer}")

    await m3ter(door, ask, refusal, report)
    await metal(door, ask, refusal, report)
    with report.check(f"{door}  every operation was called"):
        assert called == set(OPERATIONS), set(OPERATIONS) - called


async def m3ter(door: str, ask: Callable[..., Awaitable[Any]], refusal: Callable[..., Awaitable[str]], report: Report) -> None:
    org = {"orgId": ORGANIZATION}
    user = {**org, "id": M3TER_USER}
    leaving = {**org, "id": LEAVING_USER}

    with report.check(f"{door}  m3ter-orgusers/list-orgusers, in pages"):
        ids: list[str] = []
        page = await ask("m3ter-orgusers/list-orgusers", **org, pageSize=3)
        while True:
            ids += [entry["id"] for entry in page["data"]]
            if not page.get("nextToken"):
                break
            page = await ask("m3ter-orgusers/list-orgusers", **org, pageSize=3, nextToken=page["nextToken"])
        assert len(ids) == len(set(ids)) == M3TER_USERS, ids
        assert ids[0] == M3TER_USER, ids
    with report.check(f"{door}  m3ter-orgusers/list-orgusers, by ids"):
        page = await ask("m3ter-orgusers/list-orgusers", **org, ids=[LEAVING_USER, M3TER_USER])
        assert {entry["id"] for entry in page["data"]} == {LEAVING_USER, M3TER_USER}, page
    with report.check(f"{door}  m3ter-orgusers/list-orgusers, page size out of range"):
        assert "pageSize" in await refusal("m3ter-orgusers/list-orgusers", **org, pageSize=201)
    with report.check(f"{door}  m3ter-orgusers/retrieve-current-user"):
        me = await ask("m3ter-orgusers/retrieve-current-user", **org)
        assert me["user"]["id"] == M3TER_USER, me
        assert me["organization"]["orgId"] == ORGANIZATION, me
    with report.check(f"{door}  m3ter-orgusers/retrieve-orguser"):
        found = await ask("m3ter-orgusers/retrieve-orguser", **user)
        assert (found["firstName"], found["lastName"]) == ("Noor", "Haddad"), found
    with report.check(f"{door}  m3ter-orgusers/retrieve-orguser, unknown"):
        told = await refusal("m3ter-orgusers/retrieve-orguser", **org, id="nobody")
        assert "404" in told and "user not found" in told, told
    with report.check(f"{door}  m3ter-orgusers/update-orguser, seen by the next read"):
        before = await ask("m3ter-orgusers/retrieve-orguser", **leaving)
        # Every door moves the end of access to another year.
        end = f"{int(before['dtEndAccess'][:4]) + 1}-06-30T00:00:00Z"
        change = {"version": before["version"], "permissionPolicy": before["permissionPolicy"], "dtEndAccess": end}
        updated = await ask("m3ter-orgusers/update-orguser", **leaving, body=change)
        after = await ask("m3ter-orgusers/retrieve-orguser", **leaving)
        assert after == updated and after["dtEndAccess"] == end, after
        assert after["version"] == before["version"] + 1, after
    with report.check(f"{door}  m3ter-orgusers/update-orguser, an old version"):
        told = await refusal("m3ter-orgusers/update-orguser", **leaving, body={"version": 0})
        assert "409" in told and "is not the current version" in told, told
    with report.check(f"{door}  m3ter-orgusers/resend-temporary-password-user"):
        assert await ask("m3ter-orgusers/resend-temporary-password-user", **user) is None
    with report.check(f"{door}  m3ter-orgusers/retrieve-orguser-permissions"):
        page = await ask("m3ter-orgusers/retrieve-orguser-permissions", **user)
        assert names(page["data"]) == ["Read Only", "Administrator"], page
    for inherited, expected in [(True, ["Invoicing", "Finance", "Head Office"]), (False, ["Invoicing"])]:
        with report.check(f"{door}  m3ter-orgusers/retrieve-orguser-groups, inherited={inherited}"):
            page = await ask("m3ter-orgusers/retrieve-orguser-groups", **user, inherited=inherited)
            assert names(page["data"]) == expected, page

    with report.check(f"{door}  m3ter-user-access/review-user-access"):
        review = await ask("m3ter-user-access/review-user-access", **user)
        assert review["user"]["id"] == M3TER_USER and review["user"]["name"] == "Noor Haddad", review
        assert [(group["name"], group["membership"]) for group in review["groups"]] == [
            ("Invoicing", "direct"),
            ("Finance", "inherited"),
            ("Head Office", "inherited"),
        ], review
        assert names(review["policies"]) == ["Read Only", "Administrator"], review
        allowed = ["all", "analytics:query", "config:retrieve"]
        assert review["access"] == [{"resource": "*", "allowed": allowed, "denied": []}], review
        assert review["complete"] is True, review
    with report.check(f"{door}  m3ter-user-access/review-user-access, of a user who leaves"):
        review = await ask("m3ter-user-access/review-user-access", **leaving)
        found = await ask("m3ter-orgusers/retrieve-orguser", **leaving)
        assert review["accessEnds"] == found["dtEndAccess"] is not None, review
        assert review["user"]["version"] == found["version"] and review["groups"] == [], review
    with report.check(f"{door}  m3ter-user-access/review-user-access, unknown"):
        told = await refusal("m3ter-user-access/review-user-access", **org, id="nobody")
        assert "404" in told and "user not found" in told, told
    with report.check(f"{door}  m3ter-user-access/review-user-access, what is no id"):
        assert "must be a user's UUID" in await refusal("m3ter-user-access/review-user-access", **org, id="me")


async def metal(door: str, ask: Callable[..., Awaitable[Any]], refusal: Callable[..., Awaitable[str]], report: Report) -> None:
    with report.check(f"{door}  metal-users/retrieve-current-user-invitations"):
        page = await ask("metal-users/retrieve-current-user-invitations")
        assert len(page["invitations"]) == INVITATIONS, page
        assert "name" not in page["invitations"][0]["project"], page
    with report.check(f"{door}  metal-users/retrieve-current-user-invitations, include and page"):
        page = await ask("metal-users/retrieve-current-user-invitations", include=["user", "project"], page=1, per_page=2)
        assert [it["project"]["name"] for it in page["invitations"]] == ["edge-cache", "telemetry"], page
        assert page["invitations"][0]["user"]["id"] == METAL_USER, page
    with report.check(f"{door}  metal-users/retrieve-current-user"):
        me = await ask("metal-users/retrieve-current-user")
        assert me["id"] == METAL_USER and "address" not in me["emails"][0], me
    with report.check(f"{door}  metal-users/retrieve-current-user, include"):
        me = await ask("metal-users/retrieve-current-user", include=["emails"])
        assert me["emails"][0]["address"] == "priya.raman@northlight.example", me
    with report.check(f"{door}  metal-users/update-current-user, seen by the next read"):
        change = {"first_name": f"Pia {door}", "customdata": {"door": door}}
        updated = await ask("metal-users/update-current-user", body=change)
        after = await ask("metal-users/retrieve-current-user")
        assert after == updated and after["full_name"] == f"Pia {door} Raman", after
    with report.check(f"{door}  metal-users/update-current-user, a wrong type"):
        assert "first_name" in await refusal("metal-users/update-current-user", body={"first_name": 1})
    with report.check(f"{door}  metal-users/retrieve-custom-metadata-user"):
        assert await ask("metal-users/retrieve-custom-metadata-user", id=METAL_USER) == {"door": door}
    with report.check(f"{door}  metal-users/create-user, found by the next read"):
        total = (await ask("metal-users/retrieve-all-users"))["meta"]["total"]
        assert total >= METAL_USERS, total
        address = f"ada.{door.replace(' ', '-')}@northlight.example"
        new = {"first_name": "Ada", "last_name": "Okoye", "emails": [{"address": address, "default": True}]}
        created = await ask("metal-users/create-user", body=new, include=["emails"])
        assert created["emails"][0]["address"] == address, created
        found = await ask("metal-users/retrieve-user", id=created["id"], include=["emails"], exclude=["projects"])
        assert found == created, found
        page = await ask("metal-users/retrieve-all-users", page=2, per_page=total)
        assert page["meta"]["total"] == total + 1 and [it["id"] for it in page["users"]] == [created["id"]], page
    with report.check(f"{door}  metal-users/create-user, an address that is taken"):
        new = {"first_name": "A", "last_name": "B", "emails": [{"address": TAKEN_EMAIL}]}
        told = await refusal("metal-users/create-user", body=new)
        assert "422" in told and "has already been taken" in told, told
    with report.check(f"{door}  metal-users/retrieve-user, unknown"):
        told = await refusal("metal-users/retrieve-user", id="no/body")
        assert "404" in told and "Not found" in told, told


def names(entries: list[Any]) -> list[str]:
    return [entry["name"] for entry in entries]


def qualified(operation: Operation) -> str:
    """The name at `/mcp`, where a name that two plugins use is preceded by the plugin's."""
    users = [other for other in OPERATIONS.values() if other.tool == operation.tool]
    return operation.tool if len(users) == 1 else f"{operation.plugin}.{operation.tool}"


async def check_listing(url: str, expected: set[str]) -> None:
    async with Client(url, read_timeout_seconds=CALL_SECONDS) as client:
        listed = (await client.list_tools()).tools
    assert {tool.name for tool in listed} == expected, {tool.name for tool in listed} ^ expected
    for tool in listed:
        assert tool.description and tool.annotations is not None, tool.name
        assert tool.input_schema["type"] == "object", tool.name
        assert "properties" in tool.input_schema, tool.name


async def run(rest: str, mcp: str, stdio: StdioServerParameters | None, report: Report) -> None:
    with report.check("MCP  /mcp lists every tool once"):
        await check_listing(mcp, {qualified(operation) for operation in OPERATIONS.values()})
    for plugin in sorted({operation.plugin for operation in OPERATIONS.values()}):
        with report.check(f"MCP  /mcp/{plugin} lists its own tools"):
            own = {operation.tool for operation in OPERATIONS.values() if operation.plugin == plugin}
            await check_listing(f"{mcp}/{plugin}", own)

    await call_everything("REST", rest_door(rest), report)
    for name, server in [("MCP", mcp), ("stdio", stdio)]:
        for mode in ["auto", "legacy"] if server else []:
            door = f"{name} {mode}"
            with report.check(f"{door}  connection"):
                async with mcp_door(server, mode, qualified) as call:
                    await call_everything(door, call, report)


@contextmanager
def demo(binary: str) -> Iterator[tuple[str, str]]:
    """`airlock demo` on free ports; gives the addresses of REST and MCP."""
    with running_demo(binary) as served:
        yield served["REST"], served["MCP"]


@contextmanager
def running_demo(binary: str) -> Iterator[dict[str, str]]:
    """`airlock demo` on free ports; gives what it prints: addresses by `REST` and `MCP`, the file of its configuration by `config`."""
    anywhere = "127.0.0.1:0"
    command = [binary, "demo", "--rest", anywhere, "--mcp", anywhere, "--control", anywhere]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        yield served_by(process)
    finally:
        process.terminate()
        try:
            process.wait(timeout=CALL_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def served_by(process: subprocess.Popen[str]) -> dict[str, str]:
    """Reads what the demo prints first, and goes on reading so that it never waits for us."""
    lines: queue.Queue[str | None] = queue.Queue()

    def read() -> None:
        assert process.stdout is not None
        for line in process.stdout:
            lines.put(line)
        lines.put(None)

    threading.Thread(target=read, daemon=True).start()
    found: dict[str, str] = {}
    deadline = time.monotonic() + START_SECONDS
    while "config" not in found:
        try:
            line = lines.get(timeout=max(0.0, deadline - time.monotonic()))
        except queue.Empty:
            sys.exit(f"the demo printed no addresses within {START_SECONDS} s")
        if line is None:
            sys.exit(f"the demo ended with exit code {process.wait()} before it printed its addresses")
        words = line.split()
        if len(words) >= 2:
            found[words[0]] = words[1]
    return found


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--demo", metavar="AIRLOCK", help="the binary whose demo is started and stopped")
    parser.add_argument("--rest", metavar="URL", help="where REST is served, such as http://127.0.0.1:8080")
    parser.add_argument("--mcp", metavar="URL", help="where MCP is served, such as http://127.0.0.1:9090/mcp")
    arguments = parser.parse_args()
    # Everything is on loopback: no proxy may stand between.
    os.environ["NO_PROXY"] = os.environ["no_proxy"] = "127.0.0.1,localhost"
    report = Report()
    if arguments.demo and not (arguments.rest or arguments.mcp):
        with running_demo(arguments.demo) as served:
            folder = os.path.dirname(served["config"])
            stdio = StdioServerParameters(command=arguments.demo, args=["mcp", "--config", served["config"], folder])
            asyncio.run(run(served["REST"], served["MCP"], stdio, report))
    elif arguments.rest and arguments.mcp and not arguments.demo:
        asyncio.run(run(arguments.rest.rstrip("/"), arguments.mcp.rstrip("/"), None, report))
    else:
        parser.error("give either --demo, or both --rest and --mcp")
    print(f"{report.passed} passed, {report.failed} failed")
    return 1 if report.failed else 0


if __name__ == "__main__":
    sys.exit(main())
