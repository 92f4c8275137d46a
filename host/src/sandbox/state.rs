//! What a store holds: the tables behind WASI, the memory limit, and the hook by which every outbound request enters `egress`.

use std::{
    pin::Pin,
    sync::{Arc, Mutex},
};

use http_body_util::BodyExt;
use tokio::{sync::Semaphore, time::Instant};
use wasmtime::{
    ResourceLimiter,
    component::{Resource, ResourceTable},
};
use wasmtime_wasi::{WasiCtx, WasiCtxView, WasiView};
use wasmtime_wasi_http::{
    Error as HttpError, RequestOptions, WasiBody, WasiHttpCtx, WasiHttpCtxView, WasiHttpHooks, WasiHttpView,
    p2::types::HostIncomingResponse,
};

use super::log::GuestLog;
use crate::{
    egress::{Egress, Refusal},
    failure::Failure,
};

/// Entries of one table. Rust guests have a few hundred functions in theirs; 100 000 is 800 kB at most.
const MAX_TABLE_ENTRIES: usize = 100_000;

/// Resources that one call may hold. A request with its body, headers, streams and pollables is about ten.
const MAX_RESOURCES: usize = 1000;

pub(super) struct State {
    table: ResourceTable,
    wasi: WasiCtx,
    http: WasiHttpCtx,
    /// The mediator's door.
    pub(super) outbound: Outbound,
    memory: Memory,
}

/// Requests of one call whose answers are still open; more wait their turn. A provider that joins upstreams asks a handful at once, and
/// the sockets are those of the whole process.
const MAX_IN_FLIGHT: usize = 16;

/// The memory limit over all linear memories of the instance.
struct Memory {
    used: usize,
    limit: usize,
    denied: bool,
}

impl State {
    pub(super) fn new(plugin: &Arc<str>, outbound: Outbound, memory_limit: usize) -> Self {
        let mut table = ResourceTable::new();
        table.set_max_capacity(MAX_RESOURCES);
        // No arguments, no environment, no directories, no sockets: the builder's defaults. The log is all that there is.
        let wasi = WasiCtx::builder()
            .stdout(GuestLog::new(plugin.clone(), "stdout"))
            .stderr(GuestLog::new(plugin.clone(), "stderr"))
            .build();
        Self {
            table,
            wasi,
            http: WasiHttpCtx::new(),
            outbound,
            memory: Memory { used: 0, limit: memory_limit, denied: false },
        }
    }

    /// True when the guest asked for more memory than its limit: the trap that follows is a consequence.
    pub(super) fn memory_was_denied(&self) -> bool {
        self.memory.denied
    }

    /// Takes the response that a guest hands on.
    pub(super) fn take(&mut self, response: Resource<HostIncomingResponse>) -> Result<HostIncomingResponse, Failure> {
        self.table
            .delete(response)
            .map_err(|e| Failure::BadReply { reason: format!("it hands on a response that it doesn't own: {e}") })
    }
}

impl WasiView for State {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        WasiCtxView { ctx: &mut self.wasi, table: &mut self.table }
    }
}

impl WasiHttpView for State {
    fn http(&mut self) -> WasiHttpCtxView<'_> {
        WasiHttpCtxView { ctx: &mut self.http, table: &mut self.table, hooks: &mut self.outbound }
    }
}

impl ResourceLimiter for State {
    fn memory_growing(&mut self, current: usize, desired: usize, _maximum: Option<usize>) -> wasmtime::Result<bool> {
        let used = self.memory.used.saturating_add(desired - current);
        if used > self.memory.limit {
            self.memory.denied = true;
            return Ok(false);
        }
        self.memory.used = used;
        Ok(true)
    }

    fn table_growing(&mut self, _current: usize, desired: usize, _maximum: Option<usize>) -> wasmtime::Result<bool> {
        Ok(desired <= MAX_TABLE_ENTRIES)
    }
}

/// The door to the mediator for one call. Its clones share the memory of what was refused.
#[derive(Clone)]
pub(super) struct Outbound {
    egress: Option<Arc<Egress>>,
    deadline: Instant,
    in_flight: Arc<Semaphore>,
    refusal: Arc<Mutex<Option<Refusal>>>,
}

impl Outbound {
    pub(super) fn new(egress: Option<Arc<Egress>>, deadline: Instant) -> Self {
        Self { egress, deadline, in_flight: Arc::new(Semaphore::new(MAX_IN_FLIGHT)), refusal: Arc::default() }
    }

    /// The latest refusal, if there was any.
    pub(super) fn refusal(&self) -> Option<Refusal> {
        self.refusal.lock().expect("no panic while held").clone()
    }
}

/// What a guest sees of a refusal, and where the host keeps the rest of it.
fn note(slot: &Mutex<Option<Refusal>>, refusal: Refusal) -> HttpError {
    let seen = match &refusal {
        Refusal::Denied(_) => HttpError::HttpRequestDenied,
        Refusal::Unavailable { .. } => HttpError::DestinationUnavailable,
        Refusal::TimedOut { .. } => HttpError::HttpResponseTimeout,
        Refusal::ResponseTooLarge { .. } => HttpError::HttpResponseBodySize(None),
        Refusal::ResponseEncoded { .. } => HttpError::HttpResponseContentCoding(None),
        Refusal::RequestBroken => HttpError::HttpRequestBodySize(None),
    };
    *slot.lock().expect("no panic while held") = Some(refusal);
    seen
}

type Sent = (http::Response<WasiBody>, Box<dyn Future<Output = Result<(), HttpError>> + Send>);

impl WasiHttpHooks for Outbound {
    /// Nothing is forbidden here: `egress` drops what a guest must not set, at the one place where that is decided.
    fn is_forbidden_header(&mut self, _name: &http::HeaderName) -> bool {
        false
    }

    fn set_host_header(&mut self) -> bool {
        false
    }

    fn send_request(
        &mut self,
        request: http::Request<WasiBody>,
        _options: Option<RequestOptions>,
        _request_error: Box<dyn Future<Output = Result<(), HttpError>> + Send>,
    ) -> Box<dyn Future<Output = Result<Sent, HttpError>> + Send> {
        let Self { egress, deadline, in_flight, refusal } = self.clone();
        Box::new(async move {
            // `describe` has no mediator: a provider says what it needs before anything is granted.
            let egress = egress.ok_or(HttpError::HttpRequestDenied)?;
            let permit = in_flight.acquire_owned().await.expect("never closed");
            let sent = Pin::from(Box::new(egress.send(request, deadline))).await;
            let response = sent.map_err(|it| note(&refusal, it))?;
            // What failed before doesn't explain what fails from here on.
            refusal.lock().expect("no panic while held").take();
            let response = response.map(|body| {
                let noted = body.map_err(move |it| {
                    let _until_the_end = &permit;
                    note(&refusal, it)
                });
                noted.boxed_unsync()
            });
            Ok((response, Box::new(async { Ok(()) }) as Box<_>))
        })
    }
}
