//! `airlock demo`: everything at once on loopback, and what to type next.

use super::{
    Addresses, CliError,
    serve::{self, Stop},
    terminal::say,
};
use crate::demo::{Demo, m3ter};

pub(super) async fn run(addresses: Addresses) -> Result<(), CliError> {
    let demo = Demo::start().await.map_err(|e| CliError::io("demo", e))?;
    let mut config = demo.config()?;
    addresses.apply_to(&mut config);
    let host = serve::start(config).await?;
    let stop = Stop::listen()?;
    say(serve::addresses(&host));
    say(format_args!("plugins  {}  (edit a file: the change takes effect at once)", demo.plugins().display()));
    say(format_args!("config   {}  (for airlock mcp and airlock call)", demo.config_file().display()));
    say("\nTry it:");
    let organization = m3ter::ORGANIZATION;
    say(format_args!("  curl 'http://{}/v1/organizations/{organization}/users?pageSize=2'", host.rest));
    say(format_args!("  curl 'http://{}/v1/user?include=default_project_id'", host.rest));
    say(format_args!(
        "  npx @modelcontextprotocol/inspector --cli http://{}/mcp --transport http --method tools/list",
        host.mcp
    ));
    say("\nCtrl-C stops it.");
    stop.end(host).await;
    Ok(())
}
