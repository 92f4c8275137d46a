//! The host that the official conformance suite asks: it prints the URL of its MCP endpoint and serves until its input ends.
//!
//! What the suite expects to find comes from a guest, `tests/fixtures/conformance`, through the sandbox. `run.py` runs the suite.

#[allow(dead_code, unused_imports, reason = "the suite's host needs a part of what the tests share")]
#[path = "../suite/harness/mod.rs"]
mod harness;

use std::{
    io::{self, Read},
    path::Path,
    sync::Arc,
};

use axum::{Router, http::StatusCode, routing::post};
use tokio::sync::OnceCell;

use harness::{Crafted, Setup, TestHost, Upstream, fixture};

/// A plugin that comes and goes, so that there are changes to be told.
const PASSING: &str = "passing.wasm";

fn main() -> io::Result<()> {
    airlock::app::runtime()?.block_on(async {
        let host = Arc::new(OnceCell::new());
        let upstream = Upstream::of(changing(host.clone())).await;
        let started = host.get_or_init(|| start(&upstream)).await;
        println!("{}", started.mcp_url("/mcp"));
        tokio::task::spawn_blocking(|| io::stdin().read_to_end(&mut Vec::new())).await??;
        Ok(())
    })
}

async fn start(upstream: &Upstream) -> TestHost {
    let to = upstream.url();
    Setup::default()
        .file("conformance.wasm", fixture::CONFORMANCE)
        .file("changes.yaml", include_bytes!("changes.yaml"))
        .config(&format!(
            r#"
            [grants.conformance]
            [grants.passing]
            [grants.changes]
            hosts = ["http://upstream.test"]
            upstreams."http://upstream.test" = "{to}"
            "#
        ))
        .start()
        .await
}

/// The upstream of the tools that are to change a list. It answers when that is done.
fn changing(host: Arc<OnceCell<TestHost>>) -> Router {
    let change = async move || {
        let host = host.get().expect("nobody is served before it has started");
        host.changed_by(come_or_go).await;
        StatusCode::NO_CONTENT
    };
    Router::new().route("/change", post(change))
}

fn come_or_go(folder: &Path) {
    let file = folder.join(PASSING);
    let done = match file.exists() {
        true => std::fs::remove_file(file),
        false => std::fs::write(file, Crafted::new(&[]).component()),
    };
    done.expect("the folder can be written");
}
