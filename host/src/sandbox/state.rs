//! What a store holds: the tables behind WASI, the memory limit, and the hook by which every outbound request enters `egress`.

use std::{
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use http_body_util::BodyExt;
use tokio::sync::Semaphore;
use wasmtime::{
    ResourceLimiter,
    component::{Resource, ResourceTable},
};
use wasmtime_wasi::{WasiCtx, WasiCtxView, WasiView};
use wasmtime_wasi_http::{
    Error as HttpError, RequestOptions, WasiBody, WasiHttpCtx, WasiHttpCtxView, WasiHttpHooks, WasiHttpView,
    p2::types::HostIncomingResponse,
};

use super::{engine::MAX_TABLE_ENTRIES, events::Telling, log::GuestLog, refusals::Refusals};
use crate::{
    conditions::Conditions,
    contract::Dialogue,
    egress::{self, Context, Egress, Patience, Refusal, Surplus, refuse_in_describe},
    failure::Failure,
    grant::Limits,
    invoke::Upload,
};

/// Resources that one call may hold. A request with its body, headers, streams and pollables is about ten.
const MAX_RESOURCES: usize = 1000;

/// The header fields of one request that a guest builds. 64 kB: upstreams take 8 to 16. If every resource of a call were headers of
/// that size, it would be the memory that a call has by default.
pub(super) const MAX_HEADERS: usize = 64 << 10;

/// Random bytes at once. 64 kB: keys and nonces have 32 bytes.
const MAX_RANDOM: u64 = 64 << 10;

pub(super) struct State {
    table: ResourceTable,
    wasi: Wasi,
    http: WasiHttpCtx,
    /// The mediator's door.
    pub(super) outbound: Outbound,
    /// The caller's side.
    pub(super) dialogue: Dialogue,
    /// What it is told.
    pub(super) telling: Telling,
    /// What it sends along.
    pub(super) upload: Upload,
    /// What the body of the guest's next request begins with.
    pub(super) body: Vec<u8>,
    /// How long a body may be.
    pub(super) body_limit: usize,
    memory: Memory,
}

/// What WASI needs. It is made when a guest asks for something of it: a document's doesn't.
struct Wasi {
    made: Option<WasiCtx>,
    plugin: Arc<str>,
    /// What it may write to each of its streams.
    log: usize,
}

impl Wasi {
    /// No arguments, no environment, no directories, no sockets: the builder's defaults. The log is all that there is.
    fn get(&mut self) -> &mut WasiCtx {
        let Self { made, plugin, log } = self;
        let log = |stream| GuestLog::new(plugin.clone(), stream, *log);
        made.get_or_insert_with(|| {
            let mut builder = WasiCtx::builder();
            builder.stdout(log("stdout")).stderr(log("stderr")).max_random_size(MAX_RANDOM).build()
        })
    }
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
    pub(super) fn new(
        plugin: &Arc<str>,
        outbound: Outbound,
        dialogue: Dialogue,
        upload: Upload,
        limits: &Limits,
    ) -> Self {
        let mut table = ResourceTable::new();
        table.set_max_capacity(MAX_RESOURCES);
        let mut http = WasiHttpCtx::new();
        http.set_field_size_limit(MAX_HEADERS);
        let telling = Telling::new(plugin.clone(), dialogue.events.clone(), limits);
        let memory = Memory { used: 0, limit: limits.memory, denied: false };
        let wasi = Wasi { made: None, plugin: plugin.clone(), log: limits.log };
        let (body, body_limit) = (Vec::new(), limits.request);
        Self { table, wasi, http, body, body_limit, outbound, dialogue, telling, upload, memory }
    }

    /// The same instance's next call: all is new but the memory that the guest has already.
    pub(super) fn renew(&mut self, fresh: Self) {
        let (used, before) = (self.memory.used, self.outbound.requests.load(Ordering::Relaxed));
        *self = fresh;
        self.memory.used = used;
        self.outbound.begin_at(before);
    }

    /// Whose guest it is.
    pub(super) fn plugin(&self) -> &Arc<str> {
        &self.wasi.plugin
    }

    /// True when the guest has nothing of the host's any more.
    pub(super) fn holds_nothing(&self) -> bool {
        self.table.is_empty()
    }

    /// The memory that the guest has.
    pub(super) fn memory(&self) -> usize {
        self.memory.used
    }

    /// True when the guest asked for more memory than its limit: the trap that follows is a consequence.
    pub(super) fn memory_was_denied(&self) -> bool {
        self.memory.denied
    }

    /// Gives the guest a stream or a response.
    pub(super) fn put<T: Send + 'static>(&mut self, resource: T) -> wasmtime::Result<Resource<T>> {
        Ok(self.table.push(resource)?)
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
        WasiCtxView { ctx: self.wasi.get(), table: &mut self.table }
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

/// The door to the mediator for one call. Its clones share the count of requests and the memory of what was refused.
#[derive(Clone)]
pub(super) struct Outbound {
    plugin: Arc<str>,
    egress: Option<Arc<Egress>>,
    context: Context,
    conditions: Conditions,
    limit: usize,
    /// The requests of earlier calls of the instance.
    before: usize,
    /// Those and the requests so far, which are numbered by it; refused ones included: deciding about a request costs something too.
    requests: Arc<AtomicUsize>,
    in_flight: Arc<Semaphore>,
    refusals: Refusals,
}

impl Outbound {
    pub(super) fn new(
        plugin: Arc<str>,
        egress: Option<Arc<Egress>>,
        context: Context,
        conditions: Conditions,
        limit: usize,
    ) -> Self {
        Self {
            plugin,
            egress,
            context,
            conditions,
            limit,
            before: 0,
            requests: Arc::default(),
            in_flight: Arc::new(Semaphore::new(MAX_IN_FLIGHT)),
            refusals: Refusals::default(),
        }
    }

    /// The instance has made so many requests in earlier calls: the guest goes on counting.
    fn begin_at(&mut self, before: usize) {
        self.before = before;
        self.requests.store(before, Ordering::Relaxed);
    }

    /// Whether a request is within the limit of the call. The error says by how many it is over.
    fn check(&self, number: usize) -> Result<(), Surplus> {
        match (number - self.before + 1).checked_sub(self.limit) {
            None | Some(0) => Ok(()),
            Some(nth) => Err(Surplus { limit: self.limit, nth }),
        }
    }

    /// Sends a request, whichever way it came. What it depends on is taken along at once; it is sent when the future is polled.
    pub(super) fn send(
        &self,
        mut request: http::Request<WasiBody>,
        options: Option<RequestOptions>,
    ) -> impl Future<Output = Result<http::Response<WasiBody>, HttpError>> + Send + use<> {
        let number = self.requests.fetch_add(1, Ordering::Relaxed);
        let counted = self.check(number);
        let patience = options.map(patience).unwrap_or_default();
        // They are those of what the caller asks for. A document asks for nothing else; what else asks for more must not spread them.
        if number == self.before {
            self.conditions.add_to(request.headers_mut());
        }
        let Self { plugin, egress, context, in_flight, refusals, .. } = self.clone();
        async move {
            let egress = match (egress, counted) {
                (Some(egress), Ok(())) => egress,
                (Some(egress), Err(surplus)) => {
                    return Err(note(&refusals, number, egress.refuse_surplus(&request, &context, surplus)));
                }
                // `describe` has no mediator: a provider says what it needs before anything is granted.
                (None, counted) => {
                    let surplus = counted.err().unwrap_or(Surplus { limit: 0, nth: 1 });
                    return Err(note(&refusals, number, refuse_in_describe(&plugin, &request, &context, surplus)));
                }
            };
            let permit = in_flight.acquire_owned().await.expect("never closed");
            let sent = Pin::from(Box::new(egress.send(request, patience, context))).await;
            let response = sent.map_err(|it| note(&refusals, number, it))?;
            // What failed before doesn't explain what fails from here on.
            refusals.forget_latest();
            let noted = |body: egress::Body| {
                let noted = body.map_err(move |it| {
                    let _until_the_end = &permit;
                    note(&refusals, number, it)
                });
                noted.boxed_unsync()
            };
            Ok(response.map(noted))
        }
    }

    /// What was refused so far.
    pub(super) fn refusals(&self) -> &Refusals {
        &self.refusals
    }
}

/// What a guest sees of the refusal of a request, and where the host keeps the rest of it.
fn note(refusals: &Refusals, number: usize, refusal: Refusal) -> HttpError {
    let seen = match &refusal {
        Refusal::Denied(_) => HttpError::HttpRequestDenied,
        Refusal::Unavailable { .. } | Refusal::Token { .. } => HttpError::DestinationUnavailable,
        Refusal::TimedOut { .. } => HttpError::HttpResponseTimeout,
        Refusal::ResponseTooLarge { .. } => HttpError::HttpResponseBodySize(None),
        Refusal::ResponseEncoded { .. } => HttpError::HttpResponseContentCoding(None),
        Refusal::RequestBroken | Refusal::RequestTooLarge { .. } => HttpError::HttpRequestBodySize(None),
        Refusal::RateLimited { .. } => HttpError::ConnectionLimitReached,
        Refusal::CircuitOpen { .. } => HttpError::DestinationUnavailable,
    };
    refusals.add(number, refusal);
    seen
}

fn patience(options: RequestOptions) -> Patience {
    Patience {
        connect: options.connect_timeout,
        first_byte: options.first_byte_timeout,
        idle: options.between_bytes_timeout,
    }
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
        options: Option<RequestOptions>,
        _request_error: Box<dyn Future<Output = Result<(), HttpError>> + Send>,
    ) -> Box<dyn Future<Output = Result<Sent, HttpError>> + Send> {
        let sent = self.send(request, options);
        Box::new(async move { Ok((sent.await?, Box::new(async { Ok(()) }) as Box<_>)) })
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use bytes::Bytes;
    use http::{HeaderMap, HeaderValue, Request, header};
    use http_body_util::Empty;
    use tokio::time::Instant;

    use super::*;
    use crate::{
        contract::Upstream,
        egress::tests::fake::{Fake, Reply},
        grant::{Destination, Grant},
    };

    #[tokio::test]
    async fn what_the_caller_depends_on_is_said_in_the_first_request_alone() {
        let answer = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n";
        let upstream = Fake::start(|_| Reply::Answer(answer.to_vec())).await;
        let base_url = upstream.url("");
        let hosts = vec![Destination::parse(&base_url).expect("a destination").into()];
        let declared = Upstream { base_url, methods: vec!["PUT".to_owned()], credentials: Vec::new(), name: None };
        let egress = Egress::new("p", &Grant { hosts, ..Grant::default() }, &[declared]).expect("a grant");
        let deadline = Instant::now() + Duration::from_secs(3600);
        let context = Context { operation: "o".into(), caller: "c".into(), deadline };
        let given = HeaderMap::from_iter([(header::IF_NONE_MATCH, HeaderValue::from_static("*"))]);
        let conditions = Conditions::of(&given);
        let mut outbound = Outbound::new("p".into(), Some(Arc::new(egress)), context, conditions, 10);
        for _ in 0..2 {
            let body = Empty::<Bytes>::new().map_err(|never| match never {}).boxed_unsync();
            let request = Request::put(upstream.url("/x")).body(body).expect("a request");
            let sent = outbound.send_request(request, None, Box::new(async { Ok(()) }));
            assert!(Pin::from(sent).await.is_ok());
        }
        let requests = upstream.requests.lock().expect("no panic while held");
        let conditional: Vec<bool> = requests.iter().map(|it| it.contains("if-none-match: *")).collect();
        assert_eq!(conditional, [true, false], "{requests:?}");
    }
}
