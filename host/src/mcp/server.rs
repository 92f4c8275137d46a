//! The protocol's methods: tools from the catalog's snapshot, calls by way of `invoke`, word of changes.
//!
//! Transport, sessions and versions are rmcp's; the looks of tools and results are `tool`'s, `reply`'s and `failure`'s.

use std::sync::{Arc, OnceLock};

use http::request;
use rmcp::{
    ErrorData, RoleServer, ServerHandler,
    model::{
        CallToolRequestParams, CallToolResponse, CallToolResult, CompleteRequestParams, CompleteResult, ContentBlock,
        CustomRequest, CustomResult, ErrorCode, GetPromptRequestParams, GetPromptResponse, Implementation,
        InitializeRequestParams, InitializeResult, ListToolsResult, PaginatedRequestParams, ReadResourceRequestParams,
        ReadResourceResponse, ServerCapabilities, ServerConfig, SubscriptionFilter, Tool,
    },
    service::{NotificationContext, RequestContext, SubscriptionContext},
};
use serde_json::{Value, json};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::{CancellationToken, DropGuard};

use super::{Asked, Era, changes::Changes, complete, failure, instructions::Instructions, page, reply, tool};
use crate::{
    caller::{Caller, Door},
    catalog::{Catalog, OperationRef, Scope},
    contract::Dialogue,
    invoke::{Invocation, invoke},
    listen,
};

/// The most legacy sessions that are open at all endpoints together. Clients of this era often go without a word, and their sessions
/// stay until they have been idle for long: at about 60 kilobytes each (measured), this is 60 megabytes.
pub(super) const MAX_SESSIONS: usize = 1000;

/// What all requests and sessions of an endpoint share.
pub(super) struct Surface {
    catalog: Arc<Catalog>,
    scope: Scope,
    instructions: Instructions,
    sessions: Arc<Semaphore>,
    closing: CancellationToken,
}

impl Surface {
    /// `sessions` has a permit for each legacy session that may be open.
    pub(super) fn new(
        catalog: Arc<Catalog>,
        scope: Scope,
        sessions: Arc<Semaphore>,
        closing: CancellationToken,
    ) -> Self {
        Self { catalog, scope, instructions: Instructions::default(), sessions, closing }
    }

    /// Cancelled when the endpoint begins to close.
    pub(super) fn closing(&self) -> &CancellationToken {
        &self.closing
    }
}

/// Serves one request of a modern client, or one session of a legacy client.
pub(super) struct Server {
    surface: Arc<Surface>,
    /// The catalog's generation when the client came: what it may have seen is no older.
    generation: u64,
    /// A legacy session's place among the others. Like the next field, dropped by rmcp with the session's server.
    session: OnceLock<OwnedSemaphorePermit>,
    /// Ends the task that tells a legacy session about changes.
    telling: OnceLock<DropGuard>,
}

impl Server {
    pub(super) fn new(surface: Arc<Surface>) -> Self {
        Self {
            generation: surface.catalog.snapshot().generation(),
            surface,
            session: OnceLock::new(),
            telling: OnceLock::new(),
        }
    }

    fn changes(&self) -> Changes {
        Changes::since(&self.surface.catalog, self.generation)
    }

    fn find(&self, name: &str) -> Result<OperationRef, ErrorData> {
        let snapshot = self.surface.catalog.snapshot();
        match snapshot.tool(&self.surface.scope, name) {
            Some(tool) => Ok(tool.operation.clone()),
            None => {
                let tools = snapshot.tools(&self.surface.scope);
                let names = tools.iter().map(|tool| tool.name.as_str());
                Err(ErrorData::invalid_params(tool::unknown(name, names), None))
            }
        }
    }
}

impl ServerHandler for Server {
    fn get_info(&self) -> ServerConfig {
        let capabilities = ServerCapabilities::builder()
            .enable_tools()
            .enable_tool_list_changed()
            .enable_prompts()
            .enable_resources()
            .enable_completions()
            .build();
        let snapshot = self.surface.catalog.snapshot();
        let instructions = self.surface.instructions.of(&snapshot, &self.surface.scope);
        ServerConfig::new(capabilities)
            .with_server_info(Implementation::new("airlock", env!("CARGO_PKG_VERSION")))
            .with_instructions(instructions.as_str())
    }

    async fn initialize(
        &self,
        request: InitializeRequestParams,
        _: RequestContext<RoleServer>,
    ) -> Result<InitializeResult, ErrorData> {
        let session = self.surface.sessions.clone().try_acquire_owned().map_err(|_| {
            let text = format!(
                "{MAX_SESSIONS} sessions are open, which is the limit: end those that aren't used any more (DELETE), \
                 or speak protocol version 2026-07-28, which needs none"
            );
            ErrorData::internal_error(text, None)
        })?;
        // A client that initializes a session twice keeps the one place it has.
        let _ = self.session.set(session);
        self.negotiate_initialize(&request)
    }

    async fn list_tools(
        &self,
        request: Option<PaginatedRequestParams>,
        context: RequestContext<RoleServer>,
    ) -> Result<ListToolsResult, ErrorData> {
        let era = Era::of(context.protocol_version().as_ref());
        let cursor = request.and_then(|request| request.cursor);
        let snapshot = self.surface.catalog.snapshot();
        let tools = snapshot.tools(&self.surface.scope);
        let page = page::page(tools, |tool| tool.name.as_str(), cursor.as_deref())
            .map_err(|bad| ErrorData::invalid_params(bad.to_string(), None))?;
        let rendered = page.items.iter();
        let rendered = rendered.map(|it| tool::render(&it.name, it.operation.operation(), era));
        let mut result = ListToolsResult::with_all_items(rendered.collect());
        result.next_cursor = page.next;
        Ok(result)
    }

    /// Asked for by rmcp before each modern call, to compare `Mcp-Param-*` headers with the arguments. Only a schema that asks for
    /// such headers is worth the copy.
    fn get_tool(&self, name: &str) -> Option<Tool> {
        let snapshot = self.surface.catalog.snapshot();
        let operation = &snapshot.tool(&self.surface.scope, name)?.operation;
        let operation = operation.operation();
        tool::wants_headers(&operation.input_schema).then(|| tool::render(name, operation, Era::Modern))
    }

    async fn call_tool(
        &self,
        request: CallToolRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        let operation = self.find(&request.name)?;
        let input = Value::Object(request.arguments.unwrap_or_default());
        let era = Era::of(context.protocol_version().as_ref());
        let peer = context.extensions.get::<request::Parts>().and_then(|parts| listen::peer(&parts.extensions));
        let caller = Caller { door: Door::Mcp, peer };
        let called = context.ct.run_until_cancelled(call(operation, input, era, caller)).await;
        Ok(called.unwrap_or_else(cancelled).into())
    }

    fn accepted_subscription_filter(&self, requested: &SubscriptionFilter) -> Option<SubscriptionFilter> {
        let offered = SubscriptionFilter::builder().tools_list_changed().build();
        Some(requested.intersection(&offered))
    }

    async fn listen(&self, context: SubscriptionContext) -> Result<(), ErrorData> {
        let wants_tools = context.accepted().tools_list_changed == Some(true);
        let telling = async {
            let mut changes = self.changes();
            while changes.next().await.is_some() {
                if wants_tools && context.sink().notify_tool_list_changed().await.is_err() {
                    return;
                }
            }
        };
        tokio::select! {
            () = telling => {}
            () = context.cancelled() => {}
            () = self.surface.closing.cancelled() => {}
        }
        Ok(())
    }

    /// A legacy session has begun: it is told about changes until it ends.
    async fn on_initialized(&self, context: NotificationContext<RoleServer>) {
        let mut changes = self.changes();
        let ended = CancellationToken::new();
        let telling = async move {
            while changes.next().await.is_some() {
                if context.peer.notify_tool_list_changed().await.is_err() {
                    return;
                }
            }
        };
        tokio::spawn(ended.clone().run_until_cancelled_owned(telling));
        // A client that says it twice is still told once: the second guard is dropped here.
        let _ = self.telling.set(ended.drop_guard());
    }

    async fn get_prompt(
        &self,
        request: GetPromptRequestParams,
        _: RequestContext<RoleServer>,
    ) -> Result<GetPromptResponse, ErrorData> {
        let text = format!("unknown prompt: {}; there are none", tool::quoted(&request.name));
        Err(ErrorData::invalid_params(text, None))
    }

    async fn read_resource(
        &self,
        request: ReadResourceRequestParams,
        _: RequestContext<RoleServer>,
    ) -> Result<ReadResourceResponse, ErrorData> {
        let text = format!("unknown resource: {}; there are none", tool::quoted(&request.uri));
        Err(ErrorData::resource_not_found(text, Some(json!({"uri": request.uri}))))
    }

    async fn complete(
        &self,
        request: CompleteRequestParams,
        _: RequestContext<RoleServer>,
    ) -> Result<CompleteResult, ErrorData> {
        let snapshot = self.surface.catalog.snapshot();
        let tool = request.r#ref.as_prompt_name().and_then(|name| snapshot.tool(&self.surface.scope, name));
        Ok(tool.map_or_else(CompleteResult::default, |tool| {
            let schema = &tool.operation.operation().input_schema;
            CompleteResult::new(complete::from_enum(schema, &request.argument.name, &request.argument.value))
        }))
    }

    /// A method that rmcp doesn't know, or one whose parameters it can't read.
    async fn on_custom_request(
        &self,
        request: CustomRequest,
        _: RequestContext<RoleServer>,
    ) -> Result<CustomResult, ErrorData> {
        match METHODS_WITH_PARAMETERS.contains(&request.method.as_str()) {
            true => {
                let text =
                    format!("the parameters aren't those of {}: one is missing, or of another type", request.method);
                Err(ErrorData::invalid_params(text, None))
            }
            false => Err(ErrorData::new(ErrorCode::METHOD_NOT_FOUND, request.method, None)),
        }
    }
}

/// The methods whose parameters may be unreadable.
const METHODS_WITH_PARAMETERS: [&str; 9] = [
    "completion/complete",
    "logging/setLevel",
    "prompts/get",
    "prompts/list",
    "resources/list",
    "resources/read",
    "resources/templates/list",
    "tools/call",
    "tools/list",
];

async fn call(operation: OperationRef, input: Value, era: Era, caller: Caller) -> CallToolResult {
    let reply = invoke(Invocation { operation: operation.clone(), input, caller, dialogue: Dialogue::default() });
    let conforms = |result: &Value| operation.conforms(result);
    let asked = Asked { plugin: operation.plugin().name(), operation: operation.operation(), conforms: &conforms, era };
    match reply.await {
        Ok(reply) => reply::render(reply, asked).await,
        Err(failed) => failure::render(&failed, asked),
    }
}

/// Nobody reads it: rmcp drops the answer to a cancelled request.
fn cancelled() -> CallToolResult {
    CallToolResult::error(vec![ContentBlock::text("the call was cancelled by the client")])
}
