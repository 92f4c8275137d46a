//! `airlock export openapi`: the OpenAPI document that a host serves for a plugin, without a host.

use std::sync::Arc;

use super::{CliError, ExportOpenapi, check, plugin_name, write_or_print};
use crate::{component::Loader, rest};

pub(super) async fn openapi(args: ExportOpenapi) -> Result<(), CliError> {
    let source = check::read(&args.file)?;
    let description = match check::document(&args.file, &source)? {
        Some(description) => description,
        None => {
            let loader = Loader::new(Arc::new(check::sandbox()?));
            loader.describe(source).await.map_err(|reason| check::load_error(&args.file, reason))?
        }
    };
    let document = rest::openapi_of(&plugin_name(&args.file), &description);
    let text = serde_json::to_string_pretty(&document).expect("JSON is written as text");
    write_or_print(args.output.as_deref(), &format!("{text}\n"))
}
