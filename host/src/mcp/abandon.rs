//! Cancels the requests of clients that go away: whoever doesn't wait for an answer any more wants no work done for it.
//!
//! For sessions only: without one, rmcp does the same. A client that came back for the rest of a stream would find its request
//! cancelled; none does so for a call that it has given up.

use std::sync::Arc;

use axum::http::HeaderMap;
use rmcp::{
    model::{CancelledNotification, CancelledNotificationParam, ClientJsonRpcMessage, ClientNotification, RequestId},
    transport::streamable_http_server::session::{SessionManager, local::LocalSessionManager},
};

use super::owner::SESSION;

/// A request of a session that isn't answered yet. Dropping it cancels the request.
pub(super) struct Unanswered {
    sessions: Arc<LocalSessionManager>,
    session: Arc<str>,
    /// `None` once it is answered.
    request: Option<RequestId>,
}

impl Unanswered {
    /// The request of this id, if it is one of a session.
    pub(super) fn of(sessions: &Arc<LocalSessionManager>, headers: &HeaderMap, id: Option<RequestId>) -> Option<Self> {
        let session = headers.get(SESSION)?.to_str().ok()?.into();
        Some(Self { sessions: sessions.clone(), session, request: Some(id?) })
    }

    /// It is answered.
    pub(super) fn answered(mut self) {
        self.request = None;
    }
}

impl Drop for Unanswered {
    fn drop(&mut self) {
        let Some(request) = self.request.take() else { return };
        let (sessions, session) = (self.sessions.clone(), self.session.clone());
        let reason = Some("the client is gone".to_owned());
        let params = CancelledNotificationParam::new(Some(request), reason);
        let cancelled = ClientNotification::CancelledNotification(CancelledNotification::new(params));
        tokio::spawn(async move {
            // An error: the session is gone as well, and all its requests with it.
            let _ = sessions.accept_message(&session, ClientJsonRpcMessage::notification(cancelled)).await;
        });
    }
}
