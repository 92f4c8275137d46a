//! One recorded example: what it says, and how what comes is compared with it. Only what it says is compared.

use std::{collections::BTreeMap, fs, path::Path};

use bytes::Bytes;
use http::Response;
use http_body_util::{BodyExt, Full};
use serde::Deserialize;
use serde_json::{Map, Value};

use super::differences::Differences;
use crate::{
    cli::{CliError, stand_in::Recorded},
    contract::Content,
    failure::Failure,
    invoke::Reply,
};

/// The largest file of examples: as large as a document may be.
const MAX_FILE: u64 = 4 << 20;

/// One example.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Example {
    /// What it shows; the operation's name where it is absent.
    name: Option<String>,
    /// The operation, or its tool.
    pub(super) operation: String,
    /// What it is given.
    #[serde(default = "nothing")]
    pub(super) input: Value,
    /// The request that it must make; absent = none.
    pub(super) request: Option<Expected>,
    /// What the upstream answered.
    answer: Option<Recording>,
    /// The status that must come of it.
    status: Option<u16>,
    /// The result that must come of it.
    result: Option<Value>,
    /// The name of the failure that must come of it.
    error: Option<String>,
}

/// The request that an operation must make.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Expected {
    method: String,
    url: String,
    /// Those that matter; a secret is `••••`.
    #[serde(default)]
    headers: BTreeMap<String, String>,
    /// Text, or JSON.
    body: Option<Value>,
}

/// What the upstream answered.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Recording {
    #[serde(default = "success")]
    status: u16,
    #[serde(default)]
    headers: BTreeMap<String, String>,
    /// Text, or JSON.
    body: Option<Value>,
}

fn nothing() -> Value {
    Value::Object(Map::new())
}

fn success() -> u16 {
    200
}

/// Reads the examples of a file.
pub(super) fn read(file: &Path) -> Result<Vec<Example>, CliError> {
    let failed = |e| CliError::io(file.display(), e);
    let length = fs::metadata(file).map_err(failed)?.len();
    if length > MAX_FILE {
        return Err(CliError::Checked(format!("{}: larger than {MAX_FILE} bytes", file.display())));
    }
    let text = fs::read_to_string(file).map_err(failed)?;
    serde_saphyr::from_str(&text).map_err(|e| CliError::Checked(format!("{}: {e}", file.display())))
}

impl Example {
    pub(super) fn title(&self) -> &str {
        self.name.as_deref().unwrap_or(&self.operation)
    }

    /// What the upstream answers.
    pub(super) fn answer(&self) -> Result<Response<Full<Bytes>>, CliError> {
        let Some(recording) = &self.answer else {
            return Ok(Response::new(Full::default()));
        };
        let mut answer = Response::builder().status(recording.status);
        let has_type = recording.headers.keys().any(|name| name.eq_ignore_ascii_case("content-type"));
        if matches!(recording.body, Some(Value::Object(_) | Value::Array(_))) && !has_type {
            answer = answer.header("content-type", "application/json");
        }
        for (name, value) in &recording.headers {
            answer = answer.header(name, value);
        }
        let answer = answer.body(recording.body.as_ref().map(text_of).unwrap_or_default().into());
        answer.map_err(|e| CliError::Checked(format!("{}: answer can't be made: {e}", self.title())))
    }

    /// Compares what came of it.
    pub(super) async fn compare(&self, outcome: Result<Reply, Failure>, differences: &mut Differences) {
        match (outcome, &self.error) {
            (Err(failure), Some(expected)) => differences.text("error", expected, failure.cause().name()),
            (Err(failure), None) => differences.add("error", "none", &failure.to_string()),
            (Ok(_), Some(expected)) => differences.add("error", expected, "none"),
            (Ok(reply), None) => self.compare_reply(reply, differences).await,
        }
    }

    async fn compare_reply(&self, reply: Reply, differences: &mut Differences) {
        let status = match &reply {
            Reply::Upstream(response) => response.status().as_u16(),
            Reply::Structured(_) | Reply::Content(_) => success(),
        };
        if let Some(expected) = self.status {
            differences.text("status", &expected.to_string(), &status.to_string());
        }
        if let Some(expected) = &self.result {
            match text_of_reply(reply).await {
                Ok(got) => differences.json("result", expected, &value_of(got, expected)),
                Err(reason) => differences.add("result", &expected.to_string(), &reason),
            }
        }
    }
}

impl Expected {
    pub(super) fn title(&self) -> String {
        format!("{} {}", self.method, self.url)
    }

    pub(super) fn compare(&self, got: &Recorded, url: &str, differences: &mut Differences) {
        differences.text("request.method", &self.method.to_uppercase(), got.method.as_str());
        differences.text("request.url", &self.url, url);
        let headers: BTreeMap<String, String> =
            got.headers().map(|(name, value)| (name.to_ascii_lowercase(), value)).collect();
        for (name, expected) in &self.headers {
            let got = headers.get(&name.to_ascii_lowercase()).map_or("nothing", String::as_str);
            differences.text(&format!("request.headers.{name}"), expected, got);
        }
        match (&self.body, got.text()) {
            (None, _) => {}
            (Some(expected), Ok(text)) => differences.json("request.body", expected, &value_of(text, expected)),
            (Some(expected), Err(bytes)) => {
                differences.add("request.body", &expected.to_string(), &format!("{bytes} bytes that aren't text"));
            }
        }
    }
}

/// The result as text; what isn't text can't be compared.
async fn text_of_reply(reply: Reply) -> Result<String, String> {
    match reply {
        Reply::Structured(json) => Ok(json.text),
        Reply::Content(blocks) => blocks
            .into_iter()
            .map(|block| match block {
                Content::Text(text) => Ok(text),
                _ => Err("content that isn't text".to_owned()),
            })
            .collect(),
        Reply::Upstream(response) => {
            let body = response.into_body().collect().await.map_err(|failure| failure.to_string())?.to_bytes();
            String::from_utf8(body.to_vec()).map_err(|_| format!("{} bytes that aren't text", body.len()))
        }
    }
}

/// Text as what it is compared with: text with text, else as JSON.
fn value_of(text: String, expected: &Value) -> Value {
    match expected {
        Value::String(_) => Value::String(text),
        _ => serde_json::from_str(&text).unwrap_or(Value::String(text)),
    }
}

fn text_of(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}
