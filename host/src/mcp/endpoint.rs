//! One endpoint: the protocol's transport by rmcp, and an end that lets calls in flight finish.
//!
//! Whether a body is a message at all is looked at before, by `message`. What is served there is `server`'s; which endpoints there are is decided by the parent.

use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use axum::{
    body::{Body, Bytes},
    extract::Request,
    http::{HeaderMap, Method, StatusCode, header},
    response::{IntoResponse, Response},
};
use http_body::{Frame, SizeHint};
use rmcp::transport::streamable_http_server::{
    StreamableHttpServerConfig, StreamableHttpService, session::local::LocalSessionManager,
};
use tokio_util::{
    sync::CancellationToken,
    task::{TaskTracker, task_tracker::TaskTrackerToken},
};

use super::{
    abandon::Unanswered,
    message::{self, MAX_REQUEST, Message},
    owner::Owners,
    server::{ASKING, Server, Surface},
};
use crate::callers::{self, Identity};

/// A legacy session that nobody uses is closed after this time. Long enough for a person to think between two calls of a chat (the
/// library's 5 minutes are not: a client would have to initialize anew in the middle of a conversation), short enough that the
/// sessions of scripts that never say goodbye, two small tasks each, don't pile up over a day.
const SESSION_IDLE: Duration = Duration::from_secs(30 * 60);

/// An endpoint. It ends in two steps: when it is *closing*, subscriptions end while calls in flight go on; when the last of them is
/// answered it is *closed*, and so are its sessions.
pub(super) struct Endpoint {
    service: StreamableHttpService<Server, LocalSessionManager>,
    sessions: Arc<LocalSessionManager>,
    owners: Owners,
    /// The POST requests whose answer isn't sent to the end. Not the GET requests: those of legacy sessions last as long as these.
    answering: TaskTracker,
    closing: CancellationToken,
    closed: CancellationToken,
}

impl Endpoint {
    /// Opens an endpoint. It closes when the surface's `closing` is cancelled.
    pub(super) fn open(surface: Surface) -> Self {
        let surface = Arc::new(surface);
        let closing = surface.closing().clone();
        let answering = TaskTracker::new();
        let closed = CancellationToken::new();
        let sessions = Arc::new(sessions());
        tokio::spawn(finish(closing.clone(), answering.clone(), closed.clone()));
        Self {
            service: StreamableHttpService::new(
                move || Ok(Server::new(surface.clone())),
                sessions.clone(),
                transport(closed.clone()),
            ),
            sessions,
            owners: Owners::new(),
            answering,
            closing,
            closed,
        }
    }

    /// Begins to close.
    pub(super) fn close(&self) {
        self.closing.cancel();
    }

    /// Answers a request.
    pub(super) async fn answer(&self, mut request: Request) -> Response {
        if self.closed.is_cancelled() {
            return (StatusCode::SERVICE_UNAVAILABLE, "this endpoint is closed").into_response();
        }
        let identity = callers::identity(request.extensions());
        self.owners.untag(request.headers_mut(), &identity);
        let mut response = match *request.method() {
            Method::POST => self.post(request, identity.clone()).await,
            Method::DELETE => ended(self.service.handle(request).await.map(Body::new)),
            _ => self.service.handle(request).await.map(Body::new),
        };
        self.owners.tag(response.headers_mut(), &identity);
        response
    }

    async fn post(&self, request: Request, identity: Identity) -> Response {
        let answering = self.answering.token();
        let message = match Message::read(request).await {
            Ok(message) => message,
            Err(refused) => return refused,
        };
        let headers = message.request.headers().clone();
        let mut unanswered = Unanswered::of(&self.sessions, &headers, message.id.clone());
        let response = ASKING.scope(identity, self.service.handle(message.request)).await.map(Body::new);
        if !is_stream(response.headers()) {
            unanswered.take().into_iter().for_each(Unanswered::answered);
        }
        let response = message::explain(response, &headers, message.id);
        response.map(|body| Body::new(Tracked { body, unanswered, _answering: answering }))
    }
}

/// A session that is ended has ended, and is not going to (202): there are clients that take the library's word for a failure.
fn ended(mut response: Response) -> Response {
    if response.status() == StatusCode::ACCEPTED {
        *response.status_mut() = StatusCode::NO_CONTENT;
    }
    response
}

/// Whether an answer goes on after its head. What is said at once, a refusal, is an answer already.
fn is_stream(headers: &HeaderMap) -> bool {
    headers.get(header::CONTENT_TYPE).is_some_and(|it| it == "text/event-stream")
}

async fn finish(closing: CancellationToken, answering: TaskTracker, closed: CancellationToken) {
    closing.cancelled().await;
    answering.close();
    answering.wait().await;
    closed.cancel();
}

fn sessions() -> LocalSessionManager {
    let mut sessions = LocalSessionManager::default();
    sessions.session_config.keep_alive = Some(SESSION_IDLE);
    sessions
}

/// Sessions for legacy clients, none for modern ones, on the same URL. The library's check of `Host` is off, and so by default is that
/// of `Origin`: `listen` has decided over both, for all doors in the same way.
fn transport(closed: CancellationToken) -> StreamableHttpServerConfig {
    StreamableHttpServerConfig::default()
        .with_legacy_session_mode(true)
        .with_json_response(true)
        .disable_allowed_hosts()
        // `message` has counted already.
        .with_max_request_body_bytes(MAX_REQUEST)
        .with_cancellation_token(closed)
}

/// A body whose end, or whose client's disappearance, is the end of the request.
struct Tracked {
    body: Body,
    unanswered: Option<Unanswered>,
    _answering: TaskTrackerToken,
}

impl http_body::Body for Tracked {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let frame = Pin::new(&mut self.body).poll_frame(cx);
        if let Poll::Ready(None) = frame {
            self.unanswered.take().into_iter().for_each(Unanswered::answered);
        }
        frame
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
