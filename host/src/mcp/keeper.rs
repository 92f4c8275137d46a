//! What a call has at hand for a result that is too long: where it is kept, for whom, and how its client is told.
//!
//! How long is too long is `reply`'s, how much is kept is `kept`'s.

use std::sync::Arc;

use rmcp::model::{ProtocolVersion, Resource};

use super::{
    Asked,
    converse::Client,
    kept::{Draft, Kept, LIFETIME, Owner},
};
use crate::{callers::Account, contract::Contents};

/// Keeps the results of a call.
pub(super) struct Keeper<'a> {
    kept: &'a Arc<Kept>,
    caller: &'a str,
    account: Account,
    telling: Telling,
}

/// How a client is told where the whole is.
#[derive(Clone, Copy)]
enum Telling {
    /// By a link, and in words for its model.
    ByLink,
    /// In words alone: up to 2025-03-26 there are no links, and clients refuse a result with a block that they don't know.
    InWords,
}

/// A result that is kept.
pub(super) struct Whole {
    /// Where it is.
    pub(super) uri: String,
    /// The link to it, for clients that know links.
    pub(super) link: Option<Resource>,
}

impl<'a> Keeper<'a> {
    /// For a client's call on this account.
    pub(super) fn new(kept: &'a Arc<Kept>, client: &'a Client<'_>, account: Account) -> Self {
        let version = client.context.protocol_version();
        let telling = match version.is_some_and(|it| it >= ProtocolVersion::V_2025_06_18) {
            true => Telling::ByLink,
            false => Telling::InWords,
        };
        Self { kept, caller: &client.name, account, telling }
    }

    /// Room for a result of a plugin's that is on its way.
    pub(super) fn begin(&self, plugin: &str) -> Draft {
        let (caller, plugin) = (self.caller.to_owned(), plugin.to_owned());
        self.kept.begin(Owner { caller, plugin, account: self.account.clone() })
    }
}

impl Asked<'_> {
    /// Keeps what is too long for the result, if there is room.
    pub(super) fn keep(&self, contents: Contents, media_type: &str) -> Option<Whole> {
        let keeper = self.keeper?;
        let size = contents.size();
        let mut draft = keeper.begin(self.plugin);
        draft.grow(size).ok()?;
        let uri = draft.keep(contents);
        let link = match keeper.telling {
            Telling::ByLink => Some(self.link(&uri, media_type, size)),
            Telling::InWords => None,
        };
        Some(Whole { uri, link })
    }

    fn link(&self, uri: &str, media_type: &str, size: usize) -> Resource {
        let minutes = LIFETIME.as_secs() / 60;
        let description = format!("The whole result, for {minutes} minutes, in parts: ?part=2 is the second.");
        let mut link = Resource::new(uri, self.operation.name.clone());
        link.description = Some(description);
        link.mime_type = Some(media_type.to_owned());
        link.size = u64::try_from(size).ok();
        link
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use futures::{StreamExt, stream};
    use http_body::Frame;
    use http_body_util::{BodyExt, StreamBody};
    use serde_json::{Value, json};

    use super::*;
    use crate::{
        contract::{Blob, Content},
        failure::Failure,
        invoke::Reply,
        mcp::{
            Era,
            reply::{
                self, MAX_BLOCK,
                tests::{json_reply, operation},
            },
        },
    };

    /// The blocks of a result.
    async fn blocks(reply: Reply, keeper: &Keeper<'_>) -> Vec<Value> {
        let operation = operation(None);
        let asked = Asked {
            plugin: "users",
            operation: &operation,
            conforms: &|_| true,
            era: Era::Modern,
            keeper: Some(keeper),
        };
        let result = serde_json::to_value(reply::render(reply, asked).await).expect("a result is JSON");
        assert_eq!((&result["isError"], result.get("structuredContent")), (&json!(false), None));
        result["content"].as_array().expect("blocks").clone()
    }

    fn keeper(kept: &Arc<Kept>, telling: Telling) -> Keeper<'_> {
        Keeper { kept, caller: "a", account: Account::default(), telling }
    }

    fn upstream(parts: impl futures::Stream<Item = Result<Bytes, Failure>> + Send + 'static) -> Reply {
        let body = StreamBody::new(parts.map(|part| part.map(Frame::data))).boxed_unsync();
        let response = http::Response::builder().header("content-type", "text/csv");
        Reply::Upstream(response.body(body).expect("a response"))
    }

    const LONG: usize = MAX_BLOCK * 2 + 10;

    fn long() -> String {
        "x".repeat(LONG)
    }

    #[tokio::test]
    async fn a_long_result_comes_with_a_link_to_the_whole() {
        let image = Blob { media_type: "image/png".to_owned(), data: long().into() };
        let chunks = long().into_bytes().chunks(1000).map(|it| Ok(Bytes::copy_from_slice(it))).collect::<Vec<_>>();
        for (reply, media_type, part, size) in [
            (Reply::Content(vec![Content::Text(long())]), "text/plain", 2, LONG),
            (json_reply(Value::String(long())), "application/json", 2, LONG + 2),
            (Reply::Content(vec![Content::Image(image)]), "image/png", 1, LONG),
            (upstream(stream::iter(chunks)), "text/csv", 2, LONG),
        ] {
            let kept = Arc::new(Kept::default());
            let blocks = blocks(reply, &keeper(&kept, Telling::ByLink)).await;
            let [text, link] = blocks.as_slice() else { panic!("two blocks: {}", blocks.len()) };
            let uri = link["uri"].as_str().expect("a URI");
            assert!(kept.read(uri, "a").is_some());
            let text = text["text"].as_str().expect("a text");
            let way = format!(
                "; for 10 minutes what is missing can be read, from the resource {uri}?part={part} on; or ask for less at once: a filter, a smaller page]"
            );
            assert!(
                text.ends_with(&way) && text.len() < MAX_BLOCK + 300,
                "{}",
                &text[text.len().saturating_sub(300)..]
            );
            assert_eq!(
                *link,
                json!({
                    "type": "resource_link", "uri": uri, "name": "read", "mimeType": media_type, "size": size,
                    "description": "The whole result, for 10 minutes, in parts: ?part=2 is the second.",
                })
            );
        }
    }

    #[tokio::test]
    async fn clients_that_know_no_links_are_told_in_words() {
        let kept = Arc::new(Kept::default());
        let reply = Reply::Content(vec![Content::Text(long())]);
        let blocks = blocks(reply, &keeper(&kept, Telling::InWords)).await;
        assert_eq!(blocks.len(), 1);
        let text = blocks[0]["text"].as_str().expect("a text");
        assert!(text.contains("what is missing can be read, from the resource airlock://result/"));
    }

    #[tokio::test(start_paused = true)]
    async fn what_can_not_be_kept_is_cut_as_ever() {
        let too_long = "x".repeat(17 << 20);
        let chunk = || Ok(Bytes::from(vec![b'x'; MAX_BLOCK]));
        let broken = Err(Failure::BadReply { reason: "it broke off".to_owned() });
        let endless = stream::iter([chunk(), chunk()]).chain(stream::pending());
        for reply in [
            Reply::Content(vec![Content::Text(too_long)]),
            upstream(stream::iter((0..17).map(move |_| chunk()))),
            upstream(stream::iter([chunk(), chunk(), broken])),
            upstream(endless),
        ] {
            let kept = Arc::new(Kept::default());
            let blocks = blocks(reply, &keeper(&kept, Telling::ByLink)).await;
            assert_eq!(blocks.len(), 1);
            let text = blocks[0]["text"].as_str().expect("a text");
            assert!(
                text.ends_with("\n[cut here, after 1048576 bytes; ask for less at once: a filter, a smaller page]")
            );
            let room = keeper(&kept, Telling::ByLink).begin("users").grow(16 << 20);
            assert!(room.is_ok(), "nothing is left of it");
        }
    }
}
