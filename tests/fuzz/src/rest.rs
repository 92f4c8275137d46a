//! The REST door without what needs a server: how the parts of a request are read.

#[path = "../../../host/src/rest/coerce.rs"]
mod coerce;
#[path = "../../../host/src/rest/input.rs"]
mod input;
#[path = "../../../host/src/rest/percent.rs"]
mod percent;
#[path = "../../../host/src/rest/properties.rs"]
mod properties;
#[path = "../../../host/src/rest/query.rs"]
mod query;

/// A request with these parts.
pub fn check_request([path, query, cookie, body]: &[String; 4]) {
    properties::check_request(path, query, cookie, body);
}

/// Stands in for what receives a body.
mod body {
    #[derive(Debug)]
    pub(super) enum Received {
        Json(bytes::Bytes),
        Unwanted,
    }
}
