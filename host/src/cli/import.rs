//! `airlock import openapi`: a description, from a file or an address, becomes a capability document.
//!
//! What can't be carried over goes to standard error, a line each. Of an address nothing but itself is fetched: no redirect is
//! followed, and no reference.

use std::{fs, time::Duration};

use bytes::Bytes;
use http::{Request, StatusCode, Uri, header};
use http_body_util::{BodyExt, Empty, Limited};
use hyper_rustls::HttpsConnectorBuilder;
use hyper_util::{client::legacy::Client, rt::TokioExecutor};
use tokio::time::timeout;
use url::Url;

use super::{CliError, ImportOpenapi, write_or_print};
use crate::{
    document::{self, Mode},
    egress,
    import::{self, ImportError, Imported, MAX_SOURCE_BYTES, Options},
};

/// How long fetching may take: the largest descriptions come in a few seconds.
const TIMEOUT: Duration = Duration::from_secs(30);

pub(super) async fn openapi(args: ImportOpenapi) -> Result<(), CliError> {
    let address = address(&args.source)?;
    let bytes = match &address {
        Some(address) => fetch(address).await.map_err(|reason| CliError::Checked(format!("{address}: {reason}")))?,
        None => fs::read(&args.source).map_err(|e| CliError::io(&args.source, e))?,
    };
    let text = String::from_utf8(bytes).map_err(|_| CliError::Checked(format!("{}: not UTF-8 text", args.source)))?;
    let options = Options {
        origin: origin(&args.source, address.as_ref()),
        address,
        namespace: args.namespace,
        server: args.server,
        tags: args.tags,
        paths: args.paths,
        operations: args.operations,
    };
    let imported = import::openapi(&text, &options).map_err(|error| told(&args.source, &error))?;
    check(&imported)?;
    for note in &imported.notes {
        eprintln!("note: {note}");
    }
    write_or_print(args.output.as_deref(), &imported.document)?;
    eprintln!("{} operations imported, {} notes", imported.operations, imported.notes.len());
    Ok(())
}

/// The address, unless it is a file.
fn address(source: &str) -> Result<Option<Url>, CliError> {
    match source.split_once("://") {
        None => Ok(None),
        Some(("http" | "https", _)) => match Url::parse(source) {
            Ok(address) => Ok(Some(address)),
            Err(e) => Err(CliError::Usage(format!("{source}: {e}"))),
        },
        Some(_) => Err(CliError::Usage(format!("{source}: expected a file, or an address with http or https"))),
    }
}

/// What the document says of where it comes from: neither a password nor a token of the address, nor the folders of this machine.
fn origin(source: &str, address: Option<&Url>) -> String {
    match address {
        Some(address) => format!("{}{}", address.origin().ascii_serialization(), address.path()),
        None => {
            std::path::Path::new(source).file_name().map_or_else(String::new, |it| it.to_string_lossy().into_owned())
        }
    }
}

fn told(source: &str, error: &ImportError) -> CliError {
    match error.place() {
        Some((line, column)) => CliError::Checked(format!("{source}:{line}:{column}: {error}")),
        None => CliError::Checked(format!("{source}: {error}")),
    }
}

/// No document is handed out that a host would not take.
fn check(imported: &Imported) -> Result<(), CliError> {
    let Err(diagnostics) = document::compile(&imported.document, Mode::Strict) else {
        return Ok(());
    };
    for diagnostic in diagnostics {
        eprintln!("{}", diagnostic.render("the document", &imported.document));
    }
    Err(CliError::Checked(
        "the document that was made has errors, which is a mistake of airlock: please report it".to_owned(),
    ))
}

async fn fetch(address: &Url) -> Result<Vec<u8>, String> {
    timeout(TIMEOUT, ask(address)).await.unwrap_or_else(|_| Err(format!("no answer within {TIMEOUT:?}")))
}

async fn ask(address: &Url) -> Result<Vec<u8>, String> {
    let connector = HttpsConnectorBuilder::new().with_tls_config(egress::plain_tls()).https_or_http().enable_http1();
    let client: Client<_, Empty<Bytes>> = Client::builder(TokioExecutor::new()).build(connector.build());
    let uri: Uri = address.as_str().parse().map_err(|_| "not an address that can be asked".to_owned())?;
    let request =
        Request::get(uri).header(header::ACCEPT, "application/json, application/yaml, */*").body(Empty::new());
    let answer = client.request(request.map_err(|e| e.to_string())?).await.map_err(|e| e.to_string())?;
    if answer.status().is_redirection() {
        let to = answer.headers().get(header::LOCATION).and_then(|it| it.to_str().ok()).unwrap_or("nowhere");
        return Err(format!("leads on to {to}, which isn't followed; give that address instead"));
    }
    if answer.status() != StatusCode::OK {
        return Err(format!("answered with status {}; expected 200", answer.status().as_u16()));
    }
    let body = Limited::new(answer.into_body(), MAX_SOURCE_BYTES).collect().await;
    Ok(body.map_err(|e| format!("{e}; expected at most {MAX_SOURCE_BYTES} bytes"))?.to_bytes().to_vec())
}
