//! The methods of tools: `tools/list`, and `tools/call` for what plugins and the host itself offer.
//!
//! Who may call what is decided in `callers`; a call is carried out by `invoke`. A tool that is called by way of `call_tool` is called
//! as if by its own name: found, allowed, validated, counted and answered in the same place.

use http::request;
use rmcp::{
    ErrorData,
    model::{
        CallToolRequestParams, CallToolResponse, CallToolResult, JsonObject, ListToolsResult, PaginatedRequestParams,
    },
};
use serde::Deserialize;
use serde_json::Value;

use super::{
    Asked, Era, Keeper,
    authorization::Lacking,
    converse::{Before, Client, Ended},
    failure, freshness,
    listing::{Listed, Own},
    reply,
    seal::Occasion,
    search,
    server::{Surface, paged},
    tool,
};
use crate::{
    callers::{Denied, Identity, Permitted, Reach},
    catalog::OperationRef,
    conditions::Conditions,
    contract::SEARCH_TOOLS,
    failure::Failure,
    invoke::{Invocation, Upload, invoke},
};

/// What `call_tool` is given.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Inner {
    name: String,
    #[serde(default)]
    arguments: JsonObject,
}

/// A page of the tools that a caller is listed.
pub(super) fn list(
    surface: &Surface,
    client: &Client<'_>,
    request: Option<PaginatedRequestParams>,
) -> Result<ListToolsResult, ErrorData> {
    let snapshot = surface.catalog.snapshot();
    let tools = snapshot.tools(&surface.scope, &client.caller.identity);
    let listed = surface.listing.of(&tools);
    let page = paged(&listed, Listed::name, request)?;
    let mut result = ListToolsResult::with_all_items(page.items.iter().map(|it| it.render(client.era)).collect());
    result.next_cursor = page.next;
    (result.ttl_ms, result.cache_scope) = freshness::of(tools.iter().map(|tool| tool.operation.plugin()), client);
    Ok(result)
}

/// The tool of this name, if its arguments are to be repeated in header fields. Only then is it worth the copy.
pub(super) fn with_headers(surface: &Surface, identity: &Identity, name: &str) -> Option<rmcp::model::Tool> {
    let snapshot = surface.catalog.snapshot();
    let operation = snapshot.tool(&surface.scope, name, identity)?.operation.operation();
    tool::wants_headers(&operation.input_schema).then(|| tool::render(name, operation, Era::Modern))
}

/// Calls a tool.
pub(super) async fn call(
    surface: &Surface,
    client: &Client<'_>,
    request: CallToolRequestParams,
) -> Result<CallToolResponse, ErrorData> {
    match Own::named(&request.name) {
        None => call_plugin(surface, client, request).await,
        Some(Own::Search) => Ok(find(surface, client, request.arguments.unwrap_or_default()).into()),
        Some(Own::Call) => match inner(surface, client, request) {
            Ok(request) => call_plugin(surface, client, request).await,
            Err(problem) => Ok(failure::misused(problem).into()),
        },
    }
}

fn find(surface: &Surface, client: &Client<'_>, arguments: JsonObject) -> CallToolResult {
    let (snapshot, identity) = (surface.catalog.snapshot(), &client.caller.identity);
    search::call(&surface.indexes, (&snapshot, &surface.scope), identity, client.era, arguments)
}

/// The call that a call of `call_tool` is meant to be.
fn inner(
    surface: &Surface,
    client: &Client<'_>,
    mut request: CallToolRequestParams,
) -> Result<CallToolRequestParams, String> {
    let arguments = Value::Object(request.arguments.take().unwrap_or_default());
    let Inner { name, arguments } = serde_json::from_value(arguments).map_err(|e| e.to_string())?;
    if Own::named(&name).is_some() {
        return Err(format!("name: {name} is called directly"));
    }
    if wants_headers(surface, client, &name) {
        return Err(format!(
            "name: {name} has arguments that a client repeats in header fields, for those on the way who look at them; no client \
             does so for call_tool: call {name} directly. If it isn't listed: the operator can pin it (mcp.pinned)"
        ));
    }
    request.name = name.into();
    request.arguments = Some(arguments);
    Ok(request)
}

/// Whether a direct call of a tool would have to have header fields besides. Without HTTP, and in older versions, there are none.
fn wants_headers(surface: &Surface, client: &Client<'_>, name: &str) -> bool {
    let identity = &client.caller.identity;
    let snapshot = surface.catalog.snapshot();
    let tool = snapshot.tool(&surface.scope, name, identity);
    client.era == Era::Modern
        && client.context.extensions.get::<request::Parts>().is_some()
        && tool.is_some_and(|it| {
            identity.reaches(&it.operation) == Reach::Callable
                && tool::wants_headers(&it.operation.operation().input_schema)
        })
}

/// Calls a plugin's tool.
async fn call_plugin(
    surface: &Surface,
    client: &Client<'_>,
    request: CallToolRequestParams,
) -> Result<CallToolResponse, ErrorData> {
    let identity = &client.caller.identity;
    let unknown = || unknown(surface, &request.name, identity);
    let snapshot = surface.catalog.snapshot();
    let operation = &snapshot.tool(&surface.scope, &request.name, identity).ok_or_else(unknown)?.operation;
    match client.caller.clone().may_call(operation.clone()) {
        Ok(permitted) => carry_out(surface, client, permitted, request).await,
        Err(Denied::Hidden) => Err(unknown()),
        Err(Denied::Forbidden(forbidden)) => {
            note_lacking(client, &forbidden.scopes);
            Ok(refuse(operation, client.era, Failure::Forbidden(forbidden)).into())
        }
    }
}

fn unknown(surface: &Surface, name: &str, identity: &Identity) -> ErrorData {
    let snapshot = surface.catalog.snapshot();
    let tools = snapshot.tools(&surface.scope, identity);
    let elsewise = match surface.listing.is_exceeded_by(&tools) {
        true => format!("find it by {SEARCH_TOOLS}"),
        false => tool::LIST.to_owned(),
    };
    let names = tools.iter().map(|tool| tool.name.as_str());
    ErrorData::invalid_params(tool::unknown(name, names, &elsewise), None)
}

/// Where other scopes would do, the answer to the request is to say so.
fn note_lacking(client: &Client<'_>, scopes: &[String]) {
    let parts = client.context.extensions.get::<request::Parts>();
    let lacking = parts.and_then(|parts| parts.extensions.get::<Lacking>());
    if let Some(lacking) = lacking.filter(|_| !scopes.is_empty()) {
        lacking.note(scopes);
    }
}

async fn carry_out(
    surface: &Surface,
    client: &Client<'_>,
    permitted: Permitted,
    request: CallToolRequestParams,
) -> Result<CallToolResponse, ErrorData> {
    let operation = permitted.operation();
    let (plugin, subject) = (operation.plugin().name(), &operation.operation().name);
    let input = Value::Object(request.arguments.unwrap_or_default());
    let occasion = Occasion { caller: &client.name, method: "tools/call", plugin, subject, arguments: &input };
    let before = Before { answers: request.input_responses, state: request.request_state };
    let conforms = |result: &Value| operation.conforms(result);
    let keeper = Keeper::new(&surface.kept, client, permitted.account().clone());
    let asked = Asked { keeper: Some(&keeper), ..asked(operation, &conforms, client.era) };
    let run = |dialogue| {
        let (permitted, input) = (permitted.clone(), input.clone());
        let (conditions, upload) = (Conditions::default(), Upload::default());
        invoke(Invocation { permitted, input, dialogue, conditions, upload })
    };
    Ok(match client.converse(occasion, before, run).await? {
        Ended::Done(Ok(reply)) => reply::render(reply, asked).await.into(),
        Ended::Done(Err(failed)) => failure::render(&failed, asked).into(),
        Ended::Asks(asks) => asks.into(),
    })
}

fn refuse(operation: &OperationRef, era: Era, failed: Failure) -> CallToolResult {
    operation.plugin().failed(&failed);
    failure::render(&failed, asked(operation, &|_| true, era))
}

fn asked<'a>(operation: &'a OperationRef, conforms: &'a (dyn Fn(&Value) -> bool + Sync), era: Era) -> Asked<'a> {
    Asked { plugin: operation.plugin().name(), operation: operation.operation(), conforms, era, keeper: None }
}
