//! A reply as a tool result: structured value and text, or blocks of content.
//!
//! An upstream's response is read by `upstream`; what failed is `failure`'s.

use base64::{Engine, prelude::BASE64_STANDARD};
use bytes::Bytes;
use rmcp::model::{CallToolResult, ContentBlock, ResourceContents};
use serde_json::Value;

use super::{
    Asked, Era, failure,
    keeper::Whole,
    kept::{self, LIFETIME},
    tool, upstream,
};
use crate::{
    contract::{Blob, Content, Contents, Link, Operation, Resource},
    invoke::Reply,
};

/// The most bytes of one text, picture or other block. A model's context holds far less, and a client has to keep it all in memory,
/// twice when it is structured.
pub(super) const MAX_BLOCK: usize = 1 << 20;

/// The reply as a tool result.
pub(super) async fn render(reply: Reply, asked: Asked<'_>) -> CallToolResult {
    match reply {
        Reply::Structured(json) => structured(json.text, json.value, asked),
        Reply::Content(blocks) => {
            unstructured(blocks.into_iter().flat_map(|block| content(block, asked)).collect(), asked)
        }
        Reply::Upstream(response) => match upstream::render(response, asked).await {
            Ok(result) => result,
            Err(broken_off) => failure::render(&broken_off, asked),
        },
    }
}

/// A JSON text with its value. It stays text where the value can't be handed over: too long, no JSON at all, not what the tool has
/// promised, or no object for a client that knows only objects.
pub(super) fn structured(text: String, value: Option<Value>, asked: Asked<'_>) -> CallToolResult {
    let fits = |value: &Value| asked.era == Era::Modern || value.is_object();
    let value = value.filter(|value| text.len() <= MAX_BLOCK && fits(value) && (asked.conforms)(value));
    let content = text_block(text, "application/json", asked);
    match value {
        Some(value) => {
            let mut result = CallToolResult::success(content);
            result.structured_content = Some(value);
            result
        }
        None => unstructured(content, asked),
    }
}

/// Blocks without a structured value: an error if the tool has promised one, because clients refuse such a result unread.
pub(super) fn unstructured(mut blocks: Vec<ContentBlock>, asked: Asked<'_>) -> CallToolResult {
    if tool::output_schema(asked.operation, asked.era).is_none() {
        return CallToolResult::success(blocks);
    }
    let explanation = "the call succeeded, but its result can't be given in the form that the tool's output schema promises; \
                       this is the result as it came:";
    blocks.insert(0, ContentBlock::text(explanation));
    CallToolResult::error(blocks)
}

/// A text, cut if it is too long; then with a link to the whole, where that is kept.
pub(super) fn text_block(mut text: String, media_type: &str, asked: Asked<'_>) -> Vec<ContentBlock> {
    if text.len() <= MAX_BLOCK {
        return vec![ContentBlock::text(text)];
    }
    let end = text.floor_char_boundary(MAX_BLOCK);
    let beginning = text[..end].to_owned();
    text.shrink_to_fit();
    let whole = asked.keep(Contents::Text(text), media_type);
    let note = format!("\n[cut here, after {MAX_BLOCK} bytes; {}]", get_it(whole.as_ref(), 2, asked.operation));
    cut(beginning + &note, whole)
}

/// Bytes for `block`, or a note in their place if there are too many: a part of a picture is of no use.
pub(super) fn binary_block(
    data: Bytes,
    media_type: &str,
    asked: Asked<'_>,
    block: impl FnOnce(String) -> ContentBlock,
) -> Vec<ContentBlock> {
    if data.len() <= MAX_BLOCK {
        return vec![block(BASE64_STANDARD.encode(data))];
    }
    let whole = asked.keep(Contents::Binary(data), media_type);
    let way = get_it(whole.as_ref(), 1, asked.operation);
    cut(format!("[{media_type} of more than {MAX_BLOCK} bytes left out; {way}]"), whole)
}

fn cut(text: String, whole: Option<Whole>) -> Vec<ContentBlock> {
    let link = whole.and_then(|it| it.link).map(ContentBlock::ResourceLink);
    [ContentBlock::text(text)].into_iter().chain(link).collect()
}

/// How to get at what is too long for a tool's result: from which part on, where it is kept, and how to ask for less.
fn get_it(whole: Option<&Whole>, from: usize, operation: &Operation) -> String {
    let less = ask_less(operation);
    match whole {
        Some(whole) => {
            let (minutes, uri) = (LIFETIME.as_secs() / 60, kept::part(&whole.uri, from));
            format!("for {minutes} minutes what is missing can be read, from the resource {uri} on; or {less}")
        }
        None => less,
    }
}

fn ask_less(operation: &Operation) -> String {
    let less = "ask for less at once: a filter, a smaller page";
    match &operation.route {
        Some(route) => format!("{less}; the whole is there over REST: {} {}", route.method, route.path),
        None => less.to_owned(),
    }
}

fn content(block: Content, asked: Asked<'_>) -> Vec<ContentBlock> {
    match block {
        Content::Text(text) => text_block(text, "text/plain", asked),
        Content::Image(Blob { media_type, data }) => {
            binary_block(data, &media_type, asked, |data| ContentBlock::image(data, media_type.as_str()))
        }
        Content::Audio(Blob { media_type, data }) => {
            binary_block(data, &media_type, asked, |data| ContentBlock::audio(data, media_type.as_str()))
        }
        Content::Resource(it) => resource(it.uri, it.media_type, it.contents, asked),
        Content::Link(it) => vec![ContentBlock::ResourceLink(link(it))],
    }
}

fn resource(uri: String, media_type: Option<String>, contents: Contents, asked: Asked<'_>) -> Vec<ContentBlock> {
    match contents {
        Contents::Text(text) if text.len() > MAX_BLOCK => {
            text_block(text, media_type.as_deref().unwrap_or("text/plain"), asked)
        }
        Contents::Text(text) => vec![ContentBlock::resource(ResourceContents::TextResourceContents {
            uri,
            mime_type: media_type,
            text,
            meta: None,
        })],
        Contents::Binary(data) => {
            let shown = media_type.clone().unwrap_or_else(|| "application/octet-stream".to_owned());
            binary_block(data, &shown, asked, |blob| blob_resource(uri, media_type, blob))
        }
    }
}

/// A block as it is, uncut: for a prompt, whose author knows that a model will read it.
pub(super) fn whole(block: Content) -> ContentBlock {
    match block {
        Content::Text(text) => ContentBlock::text(text),
        Content::Image(it) => ContentBlock::image(BASE64_STANDARD.encode(it.data), it.media_type),
        Content::Audio(it) => ContentBlock::audio(BASE64_STANDARD.encode(it.data), it.media_type),
        Content::Resource(it) => ContentBlock::resource(contents(it)),
        Content::Link(it) => ContentBlock::ResourceLink(link(it)),
    }
}

/// A resource with its contents.
pub(super) fn contents(it: Resource) -> ResourceContents {
    let (uri, mime_type) = (it.uri, it.media_type);
    match it.contents {
        Contents::Text(text) => ResourceContents::TextResourceContents { uri, mime_type, text, meta: None },
        Contents::Binary(data) => {
            let blob = BASE64_STANDARD.encode(data);
            ResourceContents::BlobResourceContents { uri, mime_type, blob, meta: None }
        }
    }
}

/// A resource without its contents.
pub(super) fn link(it: Link) -> rmcp::model::Resource {
    let mut link = rmcp::model::Resource::new(it.uri, it.name);
    link.title = it.title;
    link.description = it.description;
    link.mime_type = it.media_type;
    link.size = it.size;
    link
}

/// A resource of base64-encoded bytes.
pub(super) fn blob_resource(uri: String, media_type: Option<String>, blob: String) -> ContentBlock {
    ContentBlock::resource(ResourceContents::BlobResourceContents { uri, mime_type: media_type, blob, meta: None })
}

#[cfg(test)]
pub(super) mod tests {
    use serde_json::json;

    use super::*;
    use crate::{
        contract::{Audience, Effects, Route},
        invoke::Structured,
    };

    /// An operation with this output schema.
    pub(in crate::mcp) fn operation(output_schema: Option<Value>) -> Operation {
        Operation {
            name: "read".to_owned(),
            title: None,
            description: "Reads one.".to_owned(),
            input_schema: json!({"type": "object"}),
            output_schema,
            effects: Effects { read_only: false, destructive: false, idempotent: true, open_world: true },
            audience: Audience::Anyone,
            route: None,
            tool: Some("read".to_owned()),
        }
    }

    pub(in crate::mcp) fn json_reply(value: Value) -> Reply {
        Reply::Structured(Structured { text: value.to_string(), value: Some(value) })
    }

    /// What the wire shows of a reply.
    pub(in crate::mcp) async fn rendered(reply: Reply, operation: &Operation, era: Era) -> Value {
        // What a schema means is tested where schemas are compiled: here, a result with `nope` breaks the promise.
        let conforms = |result: &Value| operation.output_schema.is_none() || result.get("nope").is_none();
        let asked = Asked { plugin: "users", operation, conforms: &conforms, era, keeper: None };
        let result = render(reply, asked).await;
        let mut json = serde_json::to_value(result).expect("a result is JSON");
        json.as_object_mut().expect("an object").remove("resultType");
        json
    }

    #[tokio::test]
    async fn values_are_structured_where_the_client_can_take_them() {
        let promise = || Some(json!({"type": "object"}));
        let explanation = "the call succeeded, but its result can't be given in the form that the tool's output schema promises; \
                           this is the result as it came:";
        for (value, schema, era, expected) in [
            (
                json!({"a": 1}),
                promise(),
                Era::Legacy,
                json!({"content": [{"type": "text", "text": "{\"a\":1}"}], "structuredContent": {"a": 1}, "isError": false}),
            ),
            (
                json!({"nope": 1}),
                promise(),
                Era::Modern,
                json!({
                    "content": [{"type": "text", "text": explanation}, {"type": "text", "text": "{\"nope\":1}"}],
                    "isError": true
                }),
            ),
            (
                json!([1]),
                None,
                Era::Modern,
                json!({"content": [{"type": "text", "text": "[1]"}], "structuredContent": [1], "isError": false}),
            ),
            (
                json!(null),
                None,
                Era::Modern,
                json!({"content": [{"type": "text", "text": "null"}], "structuredContent": null, "isError": false}),
            ),
            (json!([1]), None, Era::Legacy, json!({"content": [{"type": "text", "text": "[1]"}], "isError": false})),
            (
                json!([1]),
                Some(json!({"type": "array"})),
                Era::Legacy,
                json!({"content": [{"type": "text", "text": "[1]"}], "isError": false}),
            ),
            (
                json!([1]),
                promise(),
                Era::Legacy,
                json!({"content": [{"type": "text", "text": explanation}, {"type": "text", "text": "[1]"}], "isError": true}),
            ),
        ] {
            let shown = rendered(json_reply(value), &operation(schema), era).await;
            assert_eq!(shown, expected);
        }
    }

    #[tokio::test]
    async fn each_kind_of_block_has_its_form() {
        let blob = |media_type: &str| Blob { media_type: media_type.to_owned(), data: Bytes::from_static(b"abc") };
        let embedded = |media_type: Option<&str>, contents| {
            let (uri, media_type) = ("file:///a".to_owned(), media_type.map(str::to_owned));
            Content::Resource(Resource { uri, media_type, contents })
        };
        let link = Link {
            uri: "users://7".to_owned(),
            name: "7".to_owned(),
            title: Some("Seven".to_owned()),
            description: None,
            media_type: Some("text/plain".to_owned()),
            size: Some(3),
        };
        for (block, expected) in [
            (Content::Text("hi".to_owned()), json!({"type": "text", "text": "hi"})),
            (Content::Image(blob("image/png")), json!({"type": "image", "data": "YWJj", "mimeType": "image/png"})),
            (
                Content::Link(link),
                json!({"type": "resource_link", "uri": "users://7", "name": "7", "title": "Seven", "mimeType": "text/plain", "size": 3}),
            ),
            (Content::Audio(blob("audio/wav")), json!({"type": "audio", "data": "YWJj", "mimeType": "audio/wav"})),
            (
                embedded(Some("text/plain"), Contents::Text("hi".to_owned())),
                json!({"type": "resource", "resource": {"uri": "file:///a", "mimeType": "text/plain", "text": "hi"}}),
            ),
            (
                embedded(None, Contents::Binary(Bytes::from_static(b"abc"))),
                json!({"type": "resource", "resource": {"uri": "file:///a", "blob": "YWJj"}}),
            ),
        ] {
            let shown = rendered(Reply::Content(vec![block]), &operation(None), Era::Legacy).await;
            assert_eq!(shown, json!({"content": [expected], "isError": false}));
        }
    }

    #[tokio::test]
    async fn what_is_too_long_is_cut_and_says_how_to_get_it() {
        let mut operation = operation(None);
        operation.route =
            Some(Route { method: "GET".to_owned(), path: "/v1/users".to_owned(), parameters: Vec::new() });
        let hint = "ask for less at once: a filter, a smaller page; the whole is there over REST: GET /v1/users]";
        let long = vec![b'x'; MAX_BLOCK + 1];
        let text = String::from_utf8(long.clone()).expect("ascii");
        let image = Blob { media_type: "image/png".to_owned(), data: long.into() };
        for (reply, shown) in [
            (json_reply(Value::String(text.clone())), "[cut here, after 1048576 bytes; "),
            (Reply::Content(vec![Content::Text(text)]), "[cut here, after 1048576 bytes; "),
            (Reply::Content(vec![Content::Image(image)]), "[image/png of more than 1048576 bytes left out; "),
        ] {
            let result = rendered(reply, &operation, Era::Modern).await;
            assert_eq!(result["isError"], false);
            assert_eq!(result.get("structuredContent"), None);
            let text = result["content"][0]["text"].as_str().expect("a text");
            assert!(text.ends_with(&format!("{shown}{hint}")), "{}", &text[text.len().saturating_sub(200)..]);
        }
    }
}
