//! The resources of all plugins of an endpoint.
//!
//! Plugins are asked anew for each list: they may have something else today. One that fails is left out, and logged by `invoke`. The
//! host's own, results that were too long, are in no list: their URIs are in the results.

use std::collections::HashSet;

use futures::future::join_all;
use rmcp::{
    ErrorData,
    model::{ReadResourceRequestParams, ReadResourceResponse, ReadResourceResult, ResourceContents, ResourceTemplate},
};
use serde_json::{Value, json};

use super::{
    converse::{Before, Client, Ended, refuse},
    failure, freshness,
    kept::{Kept, LIFETIME, is_own},
    reply,
    seal::{BadState, Occasion},
    tool::quoted,
};
use crate::{
    callers::Reading,
    contract::{self, Contents, Dialogue, Resource},
    invoke::{Request, list_resources, list_templates, read_resource},
};

/// The resources, each URI once: the first plugin that names it has it.
pub(super) async fn list(plugins: &[Reading]) -> Vec<rmcp::model::Resource> {
    let lists = join_all(plugins.iter().map(|it| list_resources(request(it)))).await;
    let mut seen = HashSet::new();
    let all = lists.into_iter().flat_map(Result::unwrap_or_default);
    all.filter(|it| !is_own(&it.uri) && seen.insert(it.uri.clone())).map(reply::link).collect()
}

/// The families of resources, each URI template once.
pub(super) async fn templates(plugins: &[Reading]) -> Vec<ResourceTemplate> {
    let lists = join_all(plugins.iter().map(|it| list_templates(request(it)))).await;
    let mut seen = HashSet::new();
    let all = lists.into_iter().flat_map(Result::unwrap_or_default);
    all.filter(|it| !is_own(&it.uri_template) && seen.insert(it.uri_template.clone())).map(template).collect()
}

/// Reads a resource: of the first plugin that has it, in the order of their names. A client that answers a plugin's questions comes
/// back to that plugin.
pub(super) async fn read(
    plugins: &[Reading],
    client: &Client<'_>,
    request: ReadResourceRequestParams,
) -> Result<ReadResourceResponse, ErrorData> {
    let ReadResourceRequestParams { uri, input_responses, request_state, .. } = request;
    // Without a state it isn't known whose questions these are the answers to.
    if input_responses.is_some() && request_state.is_none() {
        return Err(refuse(BadState));
    }
    let (mut asked, mut first_failure) = (false, None);
    for reading in plugins.iter().filter(|it| it.plugin().offers().resources) {
        let occasion = Occasion {
            caller: &client.name,
            method: "resources/read",
            plugin: reading.plugin().name(),
            subject: &uri,
            arguments: &Value::Null,
        };
        if request_state.as_ref().is_some_and(|state| !client.knows(state, occasion)) {
            continue;
        }
        asked = true;
        let before = Before { answers: input_responses.clone(), state: request_state.clone() };
        let run = |dialogue| read_resource(Request { reading: reading.clone(), dialogue }, uri.clone());
        match client.converse(occasion, before, run).await? {
            Ended::Done(Ok(None)) => {}
            Ended::Done(Ok(Some(parts))) => {
                let mut result = ReadResourceResult::new(parts.into_iter().map(reply::contents).collect());
                (result.ttl_ms, result.cache_scope) = freshness::of([reading.plugin()], client);
                return Ok(result.into());
            }
            // It may be another's. No plugin keeps what others have from being read.
            Ended::Done(Err(failed)) => {
                first_failure.get_or_insert(failed);
            }
            Ended::Asks(asks) => return Ok(asks.into()),
        }
    }
    match (request_state, first_failure) {
        (Some(_), _) if !asked => Err(refuse(BadState)),
        (_, Some(failed)) => Err(failure::refuse(&failed)),
        _ => {
            let text = format!("unknown resource: {}; list the resources to see their URIs", quoted(&uri));
            Err(ErrorData::resource_not_found(text, Some(json!({"uri": uri}))))
        }
    }
}

/// Reads a part of a result that was too long. No plugin is asked.
pub(super) fn read_kept(kept: &Kept, client: &Client<'_>, uri: &str) -> Result<ReadResourceResponse, ErrorData> {
    let Some((part, account)) = kept.read(uri, &client.name) else {
        let minutes = LIFETIME.as_secs() / 60;
        let text = format!(
            "unknown resource: {}; a result is kept for {minutes} minutes at most, for whoever has asked for it: call the tool again",
            quoted(uri)
        );
        return Err(ErrorData::resource_not_found(text, Some(json!({"uri": uri}))));
    };
    account.charge().map_err(|over| failure::refuse(&over))?;
    // A part of a JSON text or of a picture is none.
    let media_type = match part.contents {
        Contents::Text(_) => "text/plain",
        Contents::Binary(_) => "application/octet-stream",
    };
    let read = Resource { uri: uri.to_owned(), media_type: Some(media_type.to_owned()), contents: part.contents };
    let more = part.next.map(|next| {
        let text = format!("[this was part {}; the next part is the resource {next}]", part.number);
        ResourceContents::text(text, next)
    });
    Ok(ReadResourceResult::new([reply::contents(read)].into_iter().chain(more).collect()).into())
}

/// A request that asks nothing back and tells nothing.
pub(super) fn request(reading: &Reading) -> Request {
    Request { reading: reading.clone(), dialogue: Dialogue::default() }
}

fn template(it: contract::ResourceTemplate) -> ResourceTemplate {
    let mut template = ResourceTemplate::new(it.uri_template, it.name);
    template.title = it.title;
    template.description = it.description;
    template.mime_type = it.media_type;
    template
}
