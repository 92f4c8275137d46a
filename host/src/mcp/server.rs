//! The protocol's methods: who asks, in which era, and whose business it is.
//!
//! Transport, sessions and versions are rmcp's; tools are `tools`'s, what plugins offer besides is `resources`' and `prompts`'.

use std::sync::Arc;

use http::request;
use rmcp::{
    ErrorData, RoleServer, ServerHandler,
    model::{
        CallToolRequestParams, CallToolResponse, CompleteRequestParams, CompleteResult, CustomRequest, CustomResult,
        DiscoverResult, ErrorCode, GetPromptRequestParams, GetPromptResponse, Implementation, InitializeRequestParams,
        InitializeResult, ListPromptsResult, ListResourceTemplatesResult, ListResourcesResult, ListToolsResult,
        PaginatedRequestParams, ReadResourceRequestParams, ReadResourceResponse, ServerCapabilities, ServerConfig,
        SetLevelRequestMethod, SubscribeRequestParams, SubscriptionFilter, Tool, UnsubscribeRequestParams,
    },
    service::{NotificationContext, RequestContext, SubscriptionContext},
};
use serde_json::Value;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

use super::{
    Common, Era, Kept, Listing,
    changes::{Changes, tell},
    complete,
    converse::Client,
    events, failure, freshness, instructions, kept,
    page::{Page, page},
    prompts, resources,
    seal::Seal,
    search::Indexes,
    session::{MAX_SUBSCRIPTIONS, MAX_URI, Session},
    tools,
};
use crate::{
    caller::{Caller, Door},
    callers::{self, Identity, Reach, Reading},
    catalog::{Catalog, Scope},
    component::Plugin,
    listen,
};

/// The most legacy sessions that are open at all endpoints together. Clients of this era often go without a word, and their sessions
/// stay until they have been idle for long: at about 60 kilobytes each (measured), this is 60 megabytes.
pub(super) const MAX_SESSIONS: usize = 1000;

tokio::task_local! {
    /// Who asks, while rmcp looks at a request before it is anybody's message: it asks for tools without saying for whom.
    pub(super) static ASKING: Identity;
}

/// What all requests and sessions of an endpoint share.
pub(super) struct Surface {
    pub(super) catalog: Arc<Catalog>,
    pub(super) scope: Scope,
    pub(super) listing: Arc<Listing>,
    pub(super) indexes: Indexes,
    pub(super) kept: Arc<Kept>,
    sessions: Arc<Semaphore>,
    seal: Arc<Seal>,
    closing: CancellationToken,
}

impl Surface {
    /// One of these endpoints.
    pub(super) fn new(common: &Common, scope: Scope) -> Self {
        let Common { catalog, listing, sessions, seal, kept, open } = common;
        Self {
            catalog: catalog.clone(),
            scope,
            listing: listing.clone(),
            indexes: Indexes::default(),
            kept: kept.clone(),
            sessions: sessions.clone(),
            seal: seal.clone(),
            closing: open.child_token(),
        }
    }

    /// The plugins of the scope, in the order of every listing.
    fn plugins(&self) -> Vec<Arc<Plugin>> {
        let snapshot = self.catalog.snapshot();
        match &self.scope {
            Scope::All => snapshot.plugins().to_vec(),
            Scope::Plugin(name) => snapshot.plugin(name).cloned().into_iter().collect(),
        }
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
    /// Used by legacy clients only.
    session: Session,
}

impl Server {
    pub(super) fn new(surface: Arc<Surface>) -> Self {
        Self { generation: surface.catalog.snapshot().generation(), surface, session: Session::default() }
    }

    fn changes(&self) -> Changes {
        Changes::since(&self.surface.catalog, self.generation)
    }

    fn client<'a>(&'a self, context: &'a RequestContext<RoleServer>) -> Client<'a> {
        let caller = asking(context);
        Client {
            context,
            era: Era::of(context.protocol_version().as_ref()),
            name: sealed_to(&caller),
            caller,
            seal: &self.surface.seal,
            log: self.session.log(),
        }
    }

    /// The plugins whose resources, prompts and suggestions the client may have, for one request, which is on its caller's account:
    /// however many plugins are asked for it, it counts as one call.
    fn readings(&self, client: &Client<'_>) -> Result<Vec<Reading>, ErrorData> {
        let plugins = self.surface.plugins().into_iter();
        let readings: Vec<Reading> = plugins.filter_map(|it| client.caller.clone().may_read(it)).collect();
        match readings.first().map_or(Ok(()), Reading::charge) {
            Ok(()) => Ok(readings),
            Err(failed) => Err(failure::refuse(&failed)),
        }
    }

    /// What the caller's plugins say of themselves.
    fn instructions(&self, identity: &Identity) -> String {
        let (snapshot, scope) = (self.surface.catalog.snapshot(), &self.surface.scope);
        let found = self.surface.listing.is_exceeded_by(&snapshot.tools(scope, identity));
        let listed = if found { instructions::Tools::AreFound } else { instructions::Tools::AreListed };
        instructions::of(&snapshot, scope, identity, listed)
    }
}

impl ServerHandler for Server {
    /// Without instructions: they depend on the caller, who isn't known here.
    #[expect(
        deprecated,
        reason = "rmcp calls logging to the client deprecated, as the protocol does; both still have it"
    )]
    fn get_info(&self) -> ServerConfig {
        let capabilities = ServerCapabilities::builder()
            .enable_tools()
            .enable_tool_list_changed()
            .enable_prompts()
            .enable_prompts_list_changed()
            .enable_resources()
            .enable_resources_list_changed()
            .enable_resources_subscribe()
            .enable_completions()
            .enable_logging()
            .build();
        ServerConfig::new(capabilities).with_server_info(Implementation::new("airlock", env!("CARGO_PKG_VERSION")))
    }

    async fn discover(&self, context: RequestContext<RoleServer>) -> Result<DiscoverResult, ErrorData> {
        let info = self.get_info().with_instructions(self.instructions(&asking(&context).identity));
        Ok(DiscoverResult::from_server_info(self.supported_protocol_versions().into_owned(), info))
    }

    async fn initialize(
        &self,
        request: InitializeRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<InitializeResult, ErrorData> {
        let place = self.surface.sessions.clone().try_acquire_owned().map_err(|_| {
            let text = format!(
                "{MAX_SESSIONS} sessions are open, which is the limit: end those that aren't used any more (DELETE), \
                 or speak protocol version 2026-07-28, which needs none"
            );
            ErrorData::internal_error(text, None)
        })?;
        self.session.takes(place);
        let info = self.negotiate_initialize(&request)?;
        Ok(info.with_instructions(self.instructions(&asking(&context).identity)))
    }

    async fn list_tools(
        &self,
        request: Option<PaginatedRequestParams>,
        context: RequestContext<RoleServer>,
    ) -> Result<ListToolsResult, ErrorData> {
        tools::list(&self.surface, &self.client(&context), request)
    }

    /// Asked for by rmcp before each modern call, to compare `Mcp-Param-*` headers with the arguments.
    fn get_tool(&self, name: &str) -> Option<Tool> {
        let identity = ASKING.try_with(Identity::clone).unwrap_or_else(|_| Identity::nobody());
        tools::with_headers(&self.surface, &identity, name)
    }

    async fn call_tool(
        &self,
        request: CallToolRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        let client = self.client(&context);
        unless_gone(&context, tools::call(&self.surface, &client, request)).await?
    }

    fn accepted_subscription_filter(&self, requested: &SubscriptionFilter) -> Option<SubscriptionFilter> {
        let offered =
            SubscriptionFilter::builder().tools_list_changed().prompts_list_changed().resources_list_changed();
        let uris = requested.resource_subscriptions.iter().flatten().filter(|uri| uri.len() <= MAX_URI);
        let uris: Vec<String> = uris.take(MAX_SUBSCRIPTIONS).cloned().collect();
        // rmcp compares each that is asked for with each that is offered.
        let mut requested = requested.clone();
        requested.resource_subscriptions = requested.resource_subscriptions.map(|_| uris.clone());
        Some(requested.intersection(&offered.resource_subscriptions(uris).build()))
    }

    async fn listen(&self, context: SubscriptionContext) -> Result<(), ErrorData> {
        let telling = async {
            let mut changes = self.changes();
            while changes.next().await.is_some() && tell(&context).await.is_ok() {}
        };
        tokio::select! {
            () = telling => {}
            () = context.cancelled() => {}
            () = self.surface.closing.cancelled() => {}
        }
        Ok(())
    }

    /// A legacy session has begun.
    async fn on_initialized(&self, context: NotificationContext<RoleServer>) {
        self.session.follows(self.changes(), context.peer);
    }

    #[expect(
        deprecated,
        reason = "rmcp calls logging to the client deprecated, as the protocol does; sessions have it"
    )]
    async fn set_level(
        &self,
        request: rmcp::model::SetLevelRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<(), ErrorData> {
        match Era::of(context.protocol_version().as_ref()) {
            Era::Legacy => {
                self.session.logs_from(events::level(request.level));
                Ok(())
            }
            Era::Modern => Err(ErrorData::method_not_found::<SetLevelRequestMethod>()),
        }
    }

    async fn subscribe(&self, request: SubscribeRequestParams, _: RequestContext<RoleServer>) -> Result<(), ErrorData> {
        self.session.subscribes(request.uri)
    }

    async fn unsubscribe(
        &self,
        request: UnsubscribeRequestParams,
        _: RequestContext<RoleServer>,
    ) -> Result<(), ErrorData> {
        self.session.unsubscribes(&request.uri);
        Ok(())
    }

    async fn list_prompts(
        &self,
        request: Option<PaginatedRequestParams>,
        context: RequestContext<RoleServer>,
    ) -> Result<ListPromptsResult, ErrorData> {
        let client = self.client(&context);
        let readings = self.readings(&client)?;
        let prompts = unless_gone(&context, prompts::list(&readings)).await?;
        let prompts: Vec<_> = prompts.into_iter().map(prompts::render).collect();
        let page = paged(&prompts, |it| &it.name, request)?;
        let mut result = ListPromptsResult::with_all_items(page.items.to_vec());
        result.next_cursor = page.next;
        (result.ttl_ms, result.cache_scope) = freshness::of(readings.iter().map(Reading::plugin), &client);
        Ok(result)
    }

    async fn get_prompt(
        &self,
        request: GetPromptRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<GetPromptResponse, ErrorData> {
        let client = self.client(&context);
        unless_gone(&context, prompts::get(&self.readings(&client)?, &client, request)).await?
    }

    async fn list_resources(
        &self,
        request: Option<PaginatedRequestParams>,
        context: RequestContext<RoleServer>,
    ) -> Result<ListResourcesResult, ErrorData> {
        let client = self.client(&context);
        let readings = self.readings(&client)?;
        let resources = unless_gone(&context, resources::list(&readings)).await?;
        let page = paged(&resources, |it| &it.uri, request)?;
        let mut result = ListResourcesResult::with_all_items(page.items.to_vec());
        result.next_cursor = page.next;
        (result.ttl_ms, result.cache_scope) = freshness::of(readings.iter().map(Reading::plugin), &client);
        Ok(result)
    }

    async fn list_resource_templates(
        &self,
        request: Option<PaginatedRequestParams>,
        context: RequestContext<RoleServer>,
    ) -> Result<ListResourceTemplatesResult, ErrorData> {
        let client = self.client(&context);
        let readings = self.readings(&client)?;
        let templates = unless_gone(&context, resources::templates(&readings)).await?;
        let page = paged(&templates, |it| &it.uri_template, request)?;
        let mut result = ListResourceTemplatesResult::with_all_items(page.items.to_vec());
        result.next_cursor = page.next;
        (result.ttl_ms, result.cache_scope) = freshness::of(readings.iter().map(Reading::plugin), &client);
        Ok(result)
    }

    async fn read_resource(
        &self,
        request: ReadResourceRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<ReadResourceResponse, ErrorData> {
        let client = self.client(&context);
        if kept::is_own(&request.uri) {
            return resources::read_kept(&self.surface.kept, &client, &request.uri);
        }
        unless_gone(&context, resources::read(&self.readings(&client)?, &client, request)).await?
    }

    async fn complete(
        &self,
        request: CompleteRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<CompleteResult, ErrorData> {
        let client = self.client(&context);
        let suggested = unless_gone(&context, complete::by_plugins(&self.readings(&client)?, &request)).await??;
        Ok(CompleteResult::new(suggested.unwrap_or_else(|| {
            let snapshot = self.surface.catalog.snapshot();
            let identity = &client.caller.identity;
            let find = |name| snapshot.tool(&self.surface.scope, name, identity);
            let tool = request.r#ref.as_prompt_name().and_then(find);
            let tool = tool.filter(|it| identity.reaches(&it.operation) == Reach::Callable);
            let schema = tool.map_or(&Value::Null, |tool| &tool.operation.operation().input_schema);
            complete::from_enum(schema, &request.argument.name, &request.argument.value)
        })))
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

/// Who asks. A message of which neither the door nor an HTTP request says so is nobody's.
fn asking(context: &RequestContext<RoleServer>) -> Caller {
    if let Some(caller) = context.extensions.get::<Caller>() {
        return caller.clone();
    }
    let parts = context.extensions.get::<request::Parts>();
    Caller {
        door: Door::Mcp,
        peer: parts.and_then(|parts| listen::peer(&parts.extensions)),
        identity: parts.map_or_else(Identity::nobody, |parts| callers::identity(&parts.extensions)),
    }
}

/// The methods whose parameters may be unreadable. Not those of sessions alone: without one there is no such method, whatever its
/// parameters.
const METHODS_WITH_PARAMETERS: [&str; 8] = [
    "completion/complete",
    "prompts/get",
    "prompts/list",
    "resources/list",
    "resources/read",
    "resources/templates/list",
    "tools/call",
    "tools/list",
];

/// A page of a list.
pub(super) fn paged<'a, T>(
    items: &'a [T],
    name: impl Fn(&T) -> &str,
    request: Option<PaginatedRequestParams>,
) -> Result<Page<'a, T>, ErrorData> {
    let cursor = request.and_then(|request| request.cursor);
    page(items, name, cursor.as_deref()).map_err(|bad| ErrorData::invalid_params(bad.to_string(), None))
}

/// The work, which ends when nobody waits for it any more. Nobody reads the error: rmcp drops the answer to a cancelled request.
async fn unless_gone<T>(context: &RequestContext<RoleServer>, work: impl Future<Output = T>) -> Result<T, ErrorData> {
    let done = context.ct.run_until_cancelled(work).await;
    done.ok_or_else(|| ErrorData::internal_error("the client has gone, or has cancelled its request", None))
}

/// Whom states are given out to: the caller that is known, wherever the request comes from; else the address.
fn sealed_to(caller: &Caller) -> String {
    match caller.identity.principal() {
        Some(principal) => format!("caller {principal}"),
        None => caller.to_string(),
    }
}
