//! `airlock inspect`: what a document or component is made of, as a host would see it. No grant is needed and nothing is called.

use std::{fmt::Write, path::PathBuf, sync::Arc};

use ring::digest::{SHA256, digest};
use serde_json::{Value, json};

use super::{CliError, check, plugin_name, terminal};
use crate::{
    component::{self, Loader, Source, World},
    contract::{Description, Effects, Facts, Operation, Placement, Prompt, ReadByOperation, Upstream},
    document::Palette,
};

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The document or component
    file: PathBuf,
    /// Print one JSON object, with the schemas whole
    #[arg(long)]
    json: bool,
}

pub(super) async fn run(args: Args) -> Result<(), CliError> {
    let source = check::read(&args.file)?;
    check::document(&args.file, &source)?;
    let failed = |reason| check::load_error(&args.file, reason);
    let (kind, own) = match &source {
        Source::Document { text, .. } | Source::Shared(text) => ("document", Content::of(text.as_bytes())),
        Source::Component(wasm) => ("component", Content::of(wasm)),
    };
    let loader = Loader::new(Arc::new(check::sandbox()?));
    let wasm = loader.component(source).await.map_err(failed)?;
    let world = component::inspect(&wasm).map_err(|reason| failed(reason.into()))?;
    let component = Content::of(&wasm);
    let (description, facts) = loader.examine(Source::Component(wasm)).await.map_err(failed)?;
    let seen = Seen {
        file: args.file.display().to_string(),
        plugin: plugin_name(&args.file),
        kind,
        own,
        component,
        world,
        description,
        facts,
    };
    match args.json {
        true => terminal::say(format_args!("{:#}", seen.json())),
        false => terminal::say(seen.text(terminal::palette()).trim_end()),
    }
    Ok(())
}

/// Size and hash.
#[derive(PartialEq, Eq)]
struct Content {
    bytes: usize,
    sha256: String,
}

impl Content {
    fn of(bytes: &[u8]) -> Self {
        let hash = digest(&SHA256, bytes);
        Self { bytes: bytes.len(), sha256: hash.as_ref().iter().map(|byte| format!("{byte:02x}")).collect() }
    }

    fn json(&self) -> Value {
        json!({"bytes": self.bytes, "sha256": self.sha256})
    }
}

/// Everything about a file.
struct Seen {
    file: String,
    plugin: String,
    kind: &'static str,
    /// The file.
    own: Content,
    /// The component: the file itself, or what a document is compiled to.
    component: Content,
    world: World,
    description: Description,
    facts: Facts,
}

impl Seen {
    fn json(&self) -> Value {
        let Description { title, summary, operations, upstreams } = &self.description;
        json!({
            "file": self.file,
            "plugin": self.plugin,
            "kind": self.kind,
            "bytes": self.own.bytes,
            "sha256": self.own.sha256,
            "component": self.component.json(),
            "imports": self.world.imports,
            "exports": self.world.exports,
            "title": title,
            "summary": summary,
            "upstreams": upstreams.iter().map(upstream_json).collect::<Vec<_>>(),
            "operations": operations.iter().map(operation_json).collect::<Vec<_>>(),
            "resources": self.facts.resources.iter().map(resource_json).collect::<Vec<_>>(),
            "prompts": self.facts.prompts.iter().map(|it| prompt_json(&it.prompt)).collect::<Vec<_>>(),
        })
    }

    fn text(&self, palette: &Palette) -> String {
        let Palette { strong, margin, .. } = palette;
        let Description { title, summary, operations, upstreams } = &self.description;
        let mut out = format!("{strong}{}{strong:#}: {}, {} bytes\n", self.file, self.kind, self.own.bytes);
        let _ = writeln!(out, "  sha256     {}", self.own.sha256);
        if self.component != self.own {
            let _ =
                writeln!(out, "  component  {} bytes\n  sha256     {}", self.component.bytes, self.component.sha256);
        }
        let _ = writeln!(out, "  title      {title}\n  summary    {summary}");
        for (label, names) in [("imports", &self.world.imports), ("exports", &self.world.exports)] {
            let _ = writeln!(out, "\n{strong}{label}{strong:#}");
            names.iter().for_each(|name| out.push_str(&format!("  {name}\n")));
        }
        let _ = writeln!(out, "\n{strong}needs{strong:#}");
        upstreams.iter().for_each(|upstream| out.push_str(&upstream_text(upstream)));
        let _ = writeln!(out, "\n{strong}operations{strong:#}");
        for operation in operations {
            let Operation { name, description, input_schema, output_schema, effects, route, tool, .. } = operation;
            let route = route.as_ref().map_or("-".to_owned(), |it| format!("{} {}", it.method, it.path));
            let (tool, effects) = (tool.as_deref().unwrap_or("-"), effects_text(*effects));
            let _ = writeln!(out, "  {strong}{name}{strong:#}  {route}  {tool}  {effects}");
            let _ = writeln!(out, "    {description}\n    {margin}input{margin:#}  {input_schema}");
            if let Some(schema) = output_schema {
                let _ = writeln!(out, "    {margin}output{margin:#} {schema}");
            }
        }
        let resources = self.facts.resources.iter();
        let resources = resources.map(|it| (it.uri.to_text(), format!("read by {}", it.operation)));
        let prompts = self.facts.prompts.iter().map(|it| {
            let arguments: Vec<&str> = it.prompt.parameters.iter().map(|it| it.name.as_str()).collect();
            (it.prompt.name.clone(), arguments.join(", "))
        });
        for (label, lines) in [("resources", resources.collect::<Vec<_>>()), ("prompts", prompts.collect())] {
            if !lines.is_empty() {
                let _ = writeln!(out, "\n{strong}{label}{strong:#}");
            }
            lines.iter().for_each(|(name, about)| out.push_str(&format!("  {strong}{name}{strong:#}  {about}\n")));
        }
        out
    }
}

fn upstream_json(it: &Upstream) -> Value {
    let credentials = it.credentials.iter().map(|credential| {
        let names: Vec<&str> = credential.secret_names().collect();
        json!({"placement": placement(&credential.placement), "secrets": names})
    });
    let credentials: Vec<Value> = credentials.collect();
    json!({"baseUrl": it.base_url, "methods": it.methods, "credentials": credentials, "name": it.name})
}

fn upstream_text(it: &Upstream) -> String {
    let credentials = it.credentials.iter().map(|credential| {
        let names: Vec<&str> = credential.secret_names().collect();
        format!("  {} ({})", names.join(", "), placement(&credential.placement))
    });
    let name = it.name.as_ref().map_or_else(String::new, |name| format!("  for {name}"));
    format!("  {}  {}{name}{}\n", it.base_url, it.methods.join(", "), credentials.collect::<String>())
}

fn placement(it: &Placement) -> String {
    match it {
        Placement::Header(name) => format!("header {name}"),
        Placement::Query(key) => format!("query {key}"),
        Placement::Basic => "basic".to_owned(),
        Placement::Digest => "digest".to_owned(),
        Placement::OAuth2(request) => format!("oauth2 from {}", request.url),
    }
}

fn operation_json(it: &Operation) -> Value {
    let Effects { read_only, destructive, idempotent, open_world } = it.effects;
    json!({
        "name": it.name,
        "title": it.title,
        "description": it.description,
        "method": it.route.as_ref().map(|route| &route.method),
        "path": it.route.as_ref().map(|route| &route.path),
        "tool": it.tool,
        "effects": {"readOnly": read_only, "destructive": destructive, "idempotent": idempotent, "openWorld": open_world},
        "inputSchema": it.input_schema,
        "outputSchema": it.output_schema,
    })
}

fn resource_json(it: &ReadByOperation) -> Value {
    json!({
        "uri": it.uri.to_text(),
        "name": it.name,
        "title": it.title,
        "description": it.description,
        "mediaType": it.media_type,
        "bytes": it.size,
        "operation": it.operation,
    })
}

fn prompt_json(it: &Prompt) -> Value {
    let arguments = it.parameters.iter().map(|it| json!({"name": it.name, "required": it.required}));
    json!({
        "name": it.name,
        "title": it.title,
        "description": it.description,
        "arguments": arguments.collect::<Vec<_>>(),
    })
}

fn effects_text(it: Effects) -> &'static str {
    match (it.read_only, it.destructive) {
        (true, _) => "read-only",
        (false, false) => "write",
        (false, true) => "destructive",
    }
}
