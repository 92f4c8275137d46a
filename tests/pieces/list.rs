//! The pieces of a call that are measured: each with its name, and how to get ready to run it over and over.
//!
//! How they are measured isn't said here: `bench` asks for their time, `instructions` counts.

use std::{
    collections::BTreeMap,
    hint::black_box,
    path::PathBuf,
    sync::{Arc, LazyLock},
    time::Duration,
};

use airlock::{
    caller::{Caller, Door},
    callers::Identity,
    catalog::{Catalog, OperationRef, Snapshot},
    component::{Loader, Source},
    conditions::Conditions,
    contract::{Description, Dialogue, Upstream},
    document::{self, Files, Mode},
    egress::{Context, Egress, Patience, Refusal},
    grant::{self, Grant, Limits, Pattern, Secret},
    invoke::{Invocation, Reply, Upload, invoke},
    pieces,
    sandbox::Sandbox,
};
use airlock_runtime::{
    bindings::airlock::capability::plan::{
        Body, Extent, NamedValue, PathPart, QueryParameter, QueryStyle, Request, TemplatePart, Value,
    },
    path::Path,
    request::{self, Input},
};
use bytes::Bytes;
use http_body_util::Full;
use serde_json::json;
use tokio::runtime::{Builder, Runtime};

/// A piece of a call.
pub struct Piece {
    /// What it is called where its measures are written.
    pub name: &'static str,
    /// Does what a host does once, at its start or when it loads a plugin. What comes of it runs the piece once each time.
    pub prepare: fn() -> Run,
}

/// Runs a piece once.
pub type Run = Box<dyn FnMut()>;

/// Those that need no engine.
pub const PURE: [Piece; 6] = [
    Piece { name: "template", prepare: template },
    Piece { name: "permit", prepare: permit },
    Piece { name: "deny", prepare: deny },
    Piece { name: "jsonpath", prepare: jsonpath },
    Piece { name: "tools", prepare: tools },
    Piece { name: "openapi", prepare: openapi },
];

/// Those of a plugin that is loaded. Callgrind can't run them: the engine reserves terabytes of address space for its instances, and
/// valgrind 3.19 gives a program less than 0.1. What they allocate can be counted without it.
pub const SANDBOXED: [Piece; 2] =
    [Piece { name: "validate", prepare: validate }, Piece { name: "call", prepare: call }];

/// A document that is in use: seven operations, each as a route and as a tool.
const M3TER: &str = include_str!("../../plugins/m3ter-orgusers/capability.yaml");

/// An operation that asks nobody: what a call costs beside its requests.
const MOCK: &str = "
naftiko: 1.0.0-alpha2
info: {label: Mock, description: Greets}
capability:
  consumes: [{type: http, namespace: up, baseUri: 'http://up.test', resources: [{path: /, operations: [{name: get, method: GET}]}]}]
  exposes:
  - type: rest
    namespace: rest
    resources:
    - path: /greetings/{name}
      operations:
      - method: GET
        name: greet
        inputParameters: [{name: name, in: path, type: string, description: Whom}]
        outputParameters: [{name: greeting, type: string, value: 'Hello, {{name}}'}]
";

/// Everything is on the thread that measures: nothing is handed over, and no other thread's work is in the figures.
static RUNTIME: LazyLock<Runtime> =
    LazyLock::new(|| Builder::new_current_thread().enable_time().build().expect("a runtime"));

/// The documents as a host has loaded them.
static LOADED: LazyLock<Arc<Snapshot>> = LazyLock::new(|| {
    let loader = Loader::new(Arc::new(Sandbox::new().expect("an engine")));
    let secrets = BTreeMap::from([("M3TER_API_KEY".to_owned(), grant::Source::value(Secret::new("key".to_owned())))]);
    let org_users = Grant { hosts: vec![pattern("https://api.m3ter.com")], secrets, ..Grant::default() };
    let catalog = Catalog::default();
    for (name, document, grant) in [("m3ter-orgusers", M3TER, org_users), ("mock", MOCK, Grant::default())] {
        let (text, path) = (document.to_owned(), PathBuf::from(format!("{name}.yaml")));
        let source = Source::Document { text, files: Files::default(), path };
        let plugin = RUNTIME.block_on(loader.load(name, source, Some(&grant)));
        catalog.put(plugin.unwrap_or_else(|e| panic!("{e}"))).unwrap_or_else(|e| panic!("{e}"));
    }
    catalog.snapshot()
});

/// What a document says about itself.
static DESCRIBED: LazyLock<Description> =
    LazyLock::new(|| document::compile(M3TER, Mode::Strict).expect("a document without warnings").plan.description);

/// Checks the input of an update: an object of arrays of objects.
fn validate() -> Run {
    let update = operation("m3ter-orgusers", "putorguser");
    let statement = json!({"effect": "allow", "action": ["config:create", "config:retrieve"], "resource": ["*"]});
    let body = json!({
        "version": 3, "permissionPolicy": [statement, statement], "dtEndAccess": "2027-01-31T00:00:00Z",
    });
    let input = json!({"id": "a3b1", "orgId": "0d1f", "body": body});
    Box::new(move || update.validate(black_box(&input)).expect("a valid input"))
}

/// Calls an operation from the narrow waist on: a place, the input, a fresh instance, its code, the reply.
fn call() -> Run {
    let greet = operation("mock", "greet");
    let caller = Caller { door: Door::Rest, peer: None, identity: Identity::operator() };
    let permitted = caller.may_call(greet).expect("the operator may do everything");
    let input = json!({"name": "Ada"});
    Box::new(move || {
        let (permitted, input) = (permitted.clone(), input.clone());
        let (dialogue, conditions, upload) = (Dialogue::default(), Conditions::default(), Upload::default());
        let called = RUNTIME.block_on(invoke(Invocation { permitted, input, dialogue, conditions, upload }));
        assert!(matches!(called, Ok(Reply::Structured(_))), "{called:?}");
    })
}

/// Makes a request of a plan and an input, as a document's guest does. Natively: what is counted is our code, not how it is compiled
/// for a sandbox.
fn template() -> Run {
    let input = |name: &str| Value::Input(name.to_owned());
    let query = |name: &str| QueryParameter { name: name.to_owned(), value: input(name), style: QueryStyle::Form };
    let text = |text: &str| TemplatePart::Text(text.to_owned());
    let version = Value::Template(vec![text("version "), TemplatePart::Input("version".to_owned())]);
    let plan = Request {
        method: "PUT".to_owned(),
        scheme: "https".to_owned(),
        authority: "api.m3ter.com".to_owned(),
        path: vec![
            PathPart::Literal("/organizations/".to_owned()),
            PathPart::Value(input("orgId")),
            PathPart::Literal("/users/".to_owned()),
            PathPart::Value(input("id")),
        ],
        query: vec![query("pageSize"), query("ids")],
        headers: vec![NamedValue { name: "x-reason".to_owned(), value: version }],
        cookies: Vec::new(),
        body: Body::Json(input("body")),
    };
    let given = json!({
        "orgId": "0d1f", "id": "a 3/b1", "version": 3, "pageSize": 20, "ids": ["a", "b"],
        "body": {"version": 3, "permissionPolicy": [], "dtEndAccess": null},
    });
    let given = given.to_string();
    Box::new(move || {
        let input = Input::parse(black_box(&given)).expect("an object");
        black_box(request::build(&plan, &input).expect("a request"));
    })
}

/// Follows a JSONPath with a filter through a page of an upstream's answer.
fn jsonpath() -> Run {
    let path = Path::read("$.data[?@.version > 1].email", Extent::Several).expect("a path");
    let users = (0..50).map(|n| json!({"id": n, "version": n % 3, "email": format!("user-{n}@example.com")}));
    let page = json!({"data": users.collect::<Vec<_>>(), "nextToken": null});
    Box::new(move || {
        black_box(path.find(black_box(&page)));
    })
}

/// Decides about a request that may be sent. Nothing is: it has a header field, and the grant's limit for them, which is looked at as
/// soon as the policy has decided, is none.
fn permit() -> Run {
    ask("https://api.m3ter.com/organizations/0d1f/users", |refusal| matches!(refusal, Refusal::RequestTooLarge { .. }))
}

/// Decides about a request that may not be sent, and says what to grant.
fn deny() -> Run {
    ask("https://api.m3ter.com/events", |refusal| matches!(refusal, Refusal::Denied(_)))
}

/// Asks the mediator for leave, with a refusal that is expected.
fn ask(uri: &'static str, is_expected: fn(&Refusal) -> bool) -> Run {
    let upstream = |base_url: &str, methods: &[&str]| Upstream {
        base_url: base_url.to_owned(),
        methods: methods.iter().map(ToString::to_string).collect(),
        credentials: Vec::new(),
        name: None,
    };
    let declared = [
        upstream("https://api.m3ter.com", &["GET", "PUT"]),
        upstream("https://api.m3ter.com/organizations", &["GET"]),
        upstream("https://ingest.m3ter.com", &["POST"]),
    ];
    let grant = Grant {
        hosts: ["https://ingest.m3ter.com", "https://api.m3ter.com/organizations"].map(pattern).into(),
        methods: Some(vec!["GET".to_owned(), "PUT".to_owned()]),
        limits: Limits { headers: 0, ..Limits::default() },
        ..Grant::default()
    };
    let egress = Egress::new("m3ter-orgusers", &grant, &declared).expect("a grant that covers what is declared");
    let (operation, caller): (Arc<str>, Arc<str>) = ("listorgusers".into(), "operator".into());
    Box::new(move || {
        let request = http::Request::get(uri).header("accept", "application/json").body(Full::<Bytes>::default());
        let context = Context::begin(operation.clone(), caller.clone(), Duration::from_secs(30));
        let sent = egress.send(request.expect("a request"), Patience::default(), context);
        let refusal = RUNTIME.block_on(sent).err().expect("nothing is sent");
        assert!(is_expected(&refusal), "{refusal:?}");
    })
}

/// Makes the list of tools, as `tools/list` does for each client.
fn tools() -> Run {
    Box::new(|| {
        black_box(pieces::tools(black_box(&DESCRIBED)));
    })
}

/// Makes the OpenAPI document of a plugin, as REST does after each change.
fn openapi() -> Run {
    Box::new(|| {
        black_box(pieces::openapi("m3ter-orgusers", black_box(&DESCRIBED)));
    })
}

fn pattern(text: &str) -> Pattern {
    Pattern::parse(text).expect("a destination")
}

fn operation(plugin: &str, name: &str) -> OperationRef {
    LOADED.operation(plugin, name).expect("an operation of this name")
}
