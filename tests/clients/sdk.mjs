// Lists and calls every tool by a TypeScript SDK of MCP: `@modelcontextprotocol/sdk`, or the packages that follow it.
//
// What to call, and by which door, is told by the driver, others.py, as one JSON argument:
//
//   packages   where the SDKs are installed: a package.json
//   sdk        "@modelcontextprotocol/sdk" or "@modelcontextprotocol/client"
//   era        "legacy", "auto" or {"pin": "2026-07-28"}; the first SDK knows only the first
//   door       {"url": ...} or {"command": ..., "args": [...]}
//   timeout    for each request, in milliseconds
//   calls      [[tool, arguments], ...], each tool once; "$version" in the arguments stands for the `version` of the last result that had one
//
// The SDKs check results against the output schemas of the tools that they have listed.

import assert from "node:assert/strict";
import { createRequire } from "node:module";

const { packages, sdk, era, door, timeout, calls } = JSON.parse(process.argv[2]);
const load = createRequire(packages);

function modules() {
    if (sdk === "@modelcontextprotocol/sdk") {
        const { Client } = load(`${sdk}/client/index.js`);
        const { StreamableHTTPClientTransport } = load(`${sdk}/client/streamableHttp.js`);
        const { StdioClientTransport } = load(`${sdk}/client/stdio.js`);
        return { Client, StreamableHTTPClientTransport, StdioClientTransport };
    }
    const { Client, StreamableHTTPClientTransport } = load(sdk);
    const { StdioClientTransport } = load(`${sdk}/stdio`);
    return { Client, StreamableHTTPClientTransport, StdioClientTransport };
}

async function connect() {
    const { Client, StreamableHTTPClientTransport, StdioClientTransport } = modules();
    const client = new Client({ name: "sdk.mjs", version: "1" }, { versionNegotiation: { mode: era, probe: { timeoutMs: timeout } } });
    // Nothing may be said besides what was asked for.
    client.onerror = (error) => {
        throw error;
    };
    const transport = door.url ? new StreamableHTTPClientTransport(new URL(door.url)) : new StdioClientTransport(door);
    await client.connect(transport, { timeout });
    return client;
}

async function list(client) {
    const names = [];
    let cursor;
    do {
        const page = await client.listTools({ cursor });
        names.push(...page.tools.map((tool) => tool.name));
        cursor = page.nextCursor;
    } while (cursor);
    return names;
}

async function callAll(client) {
    let version;
    for (const [name, template] of calls) {
        const args = JSON.parse(JSON.stringify(template).replaceAll('"$version"', version));
        const result = await client.callTool({ name, arguments: args });
        assert.ok(!result.isError, `${name}: ${JSON.stringify(result)}`);
        version = result.structuredContent?.version ?? version;
    }
}

async function refused(client) {
    const [name] = calls.find(([name]) => name === "retrieve-orguser");
    const result = await client.callTool({ name, arguments: { orgId: 1 } });
    assert.ok(result.isError, `wrong arguments: ${JSON.stringify(result)}`);
    await assert.rejects(client.callTool({ name: "no-such-tool", arguments: {} }), { code: -32602 });
}

const client = await connect();
assert.deepEqual((await list(client)).sort(), calls.map(([name]) => name).sort());
await callAll(client);
await refused(client);
client.onerror = undefined;
await client.close();
