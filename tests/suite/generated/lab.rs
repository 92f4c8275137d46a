//! Where made-up documents are tried: a host with them in front of an upstream that answers as it is told, and what a failure tells so that
//! it can be seen again: the seed, and the smallest input that fails.

use std::{
    collections::HashMap,
    fmt::Debug,
    ops::Range,
    sync::{Arc, Mutex},
};

use axum::{body::Body, response::Response};
use http::{HeaderValue, StatusCode, header};
use proptest::{
    strategy::{Strategy, ValueTree},
    test_runner::{RngAlgorithm, TestRng, TestRunner},
};
use serde_json::{Value, json};

use super::document::{self, Offer};
use crate::harness::{Seen, Setup, TestHost, Upstream, json_answer};

/// How often an input that fails is made smaller. Each time is a call; what isn't small by then is small enough to be read.
const SHRINKS: usize = 500;

/// The seeds of so many documents. They are the same each time, so that what fails fails again, unless `AIRLOCK_SEED` says with which to begin: to see
/// one failure again at once, or documents that nobody has seen yet.
pub fn seeds(count: u64) -> Range<u64> {
    let first = std::env::var("AIRLOCK_SEED").map_or(0, |it| it.parse().expect("AIRLOCK_SEED is a number"));
    first..first + count
}

/// An operation that is made up.
pub trait Offered: Debug {
    /// What it adds to the document of this number, in its place.
    fn offer(&self, number: u64, at: usize) -> Offer;
}

/// All that is made up with one seed: the operations of a document, and by and by what they are called with.
pub struct Made<O> {
    pub seed: u64,
    pub runner: TestRunner,
    pub operations: Vec<O>,
}

impl<O: Offered> Made<O> {
    pub fn of(seed: u64, operations: &impl Strategy<Value = Vec<O>>) -> Self {
        let mut bytes = [0; 32];
        bytes[..8].copy_from_slice(&seed.to_le_bytes());
        let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &bytes);
        let mut runner = TestRunner::new_with_rng(Default::default(), rng);
        let operations = make(&mut runner, operations);
        Self { seed, runner, operations }
    }

    pub fn document(&self) -> Value {
        document::of(self.operations.iter().enumerate().map(|(at, it)| it.offer(self.seed, at)).collect())
    }
}

pub fn make<T>(runner: &mut TestRunner, strategy: &impl Strategy<Value = T>) -> T {
    strategy.new_tree(runner).expect("nothing is filtered out").current()
}

/// What is tried, told if the test fails, however it does.
struct Tried<'a>(u64, &'a dyn Debug, &'a dyn Debug);

impl Drop for Tried<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let Self(seed, operation, input) = self;
            eprintln!("AIRLOCK_SEED={seed} begins with what has failed\noperation: {operation:#?}\ninput: {input:#?}");
        }
    }
}

/// Tries each operation of the documents with so many inputs. Gives what each has led to.
pub async fn try_all<O: Debug, S: Strategy<Value: Debug>, V>(
    documents: Vec<Made<O>>,
    count: usize,
    inputs: impl Fn(&O) -> S,
    test: impl AsyncFn((u64, usize), &O, &S::Value) -> Result<V, String>,
) -> Vec<V> {
    let mut all = Vec::new();
    for Made { seed, mut runner, operations } in documents {
        for (at, operation) in operations.iter().enumerate() {
            for _ in 0..count {
                let test = async |input: &S::Value| test((seed, at), operation, input).await;
                all.push(try_one((seed, operation), &mut runner, &inputs(operation), test).await);
            }
        }
    }
    all
}

/// How many are true, and how many aren't.
pub fn count(all: &[bool]) -> (usize, usize) {
    let is = all.iter().filter(|it| **it).count();
    (is, all.len() - is)
}

/// Makes an input up and tries it. One that fails is made smaller as long as it fails, and told with its seed.
async fn try_one<T: Debug, V>(
    (seed, operation): (u64, &dyn Debug),
    runner: &mut TestRunner,
    inputs: &impl Strategy<Value = T>,
    test: impl AsyncFn(&T) -> Result<V, String>,
) -> V {
    let mut tree = inputs.new_tree(runner).expect("nothing is filtered out");
    let mut input = tree.current();
    let mut failure = match attempt((seed, operation), &input, &test).await {
        Ok(done) => return done,
        Err(failure) => failure,
    };
    let mut goes_on = tree.simplify();
    for _ in 0..SHRINKS {
        if !goes_on {
            break;
        }
        let smaller = tree.current();
        goes_on = match attempt((seed, operation), &smaller, &test).await {
            Ok(_) => tree.complicate(),
            Err(told) => {
                (input, failure) = (smaller, told);
                tree.simplify()
            }
        };
    }
    let _tried = Tried(seed, operation, &input);
    panic!("{failure}");
}

async fn attempt<T: Debug, V>(
    (seed, operation): (u64, &dyn Debug),
    input: &T,
    test: &impl AsyncFn(&T) -> Result<V, String>,
) -> Result<V, String> {
    let _tried = Tried(seed, operation, input);
    test(input).await
}

/// Whether two values are the same, else what was seen and wanted.
pub fn same<T: PartialEq + Debug>(what: &str, seen: &T, wanted: &T) -> Result<(), String> {
    if seen == wanted { Ok(()) } else { Err(format!("{what}\n  seen: {seen:?}\nwanted: {wanted:?}")) }
}

/// What the upstream answers at a path.
#[derive(Clone, Debug)]
pub struct Told {
    pub status: u16,
    pub media_type: &'static str,
    pub body: String,
}

/// A file's name and text.
pub type File = (String, String);

/// A host with made-up documents, and their upstream.
pub struct Lab {
    pub host: TestHost,
    pub upstream: Upstream,
    told: Arc<Mutex<HashMap<String, Told>>>,
}

impl Lab {
    /// With these documents. They are written as lists, as maps, or with imports, one after the other.
    pub async fn of<O: Offered>(documents: &[Made<O>]) -> Self {
        let spelled: Vec<_> = documents.iter().map(|it| (it.seed, spell(it.seed, &it.document()))).collect();
        let lab = Self::with(&spelled).await;
        for (seed, files) in &spelled {
            let status = lab.host.file(&format!("{}.yaml", plugin(*seed))).await.expect("a file");
            assert_eq!(status.state, "loaded", "AIRLOCK_SEED={seed} {status:?}\n{files:?}");
        }
        lab
    }

    /// With these files for each seed, whether they can be loaded or not.
    pub async fn with(documents: &[(u64, Vec<File>)]) -> Self {
        let told = Arc::<Mutex<HashMap<String, Told>>>::default();
        let answers = told.clone();
        let upstream = Upstream::answering(move |seen: Seen| {
            let path = seen.target.split('?').next().expect("a first part");
            let answers = answers.lock().expect("no panic while held");
            // What is said of a path holds for one more segment, too.
            let above = path.rsplit_once('/').map_or("", |(above, _)| above);
            let told = answers.get(path).or_else(|| answers.get(above)).cloned();
            told.map_or_else(|| json_answer(StatusCode::OK, &json!({"id": "any"})), Told::into_response)
        })
        .await;
        let to = upstream.url();
        let mut setup = Setup::default();
        for (seed, files) in documents {
            let name = plugin(*seed);
            setup = setup.config(&format!(
                "[grants.{name}]\nhosts = [\"http://upstream.test\"]\nupstreams.\"http://upstream.test\" = \"{to}\"\n"
            ));
            setup = files.iter().fold(setup, |setup, (file, text)| setup.file(file, text));
        }
        Self { host: setup.start().await, upstream, told }
    }

    /// From now on the upstream answers this, at this path below its base.
    pub fn tell(&self, path: &str, told: Told) {
        self.told.lock().expect("no panic while held").insert(format!("/base{path}"), told);
    }

    /// Calls a tool of a document.
    pub async fn call(&self, seed: u64, tool: &str, input: &Value) -> crate::harness::ToolResult {
        self.host.mcp_at(&format!("/mcp/{}", plugin(seed))).call(tool, input.clone()).await
    }
}

/// The files of a document: it itself, and what it imports from.
fn spell(seed: u64, document: &Value) -> Vec<File> {
    let file = format!("{}.yaml", plugin(seed));
    match seed % 3 {
        0 => vec![(file, document.to_string())],
        1 => vec![(file, document::keyed(document).to_string())],
        _ => {
            let other = format!("{}.parts.yaml", plugin(seed));
            let (importing, parts) = document::imported(document, &other);
            vec![(file, importing.to_string()), (other, parts.to_string())]
        }
    }
}

/// The plugin that is made of a document.
pub fn plugin(seed: u64) -> String {
    format!("generated-{seed}")
}

impl Told {
    pub fn json(status: u16, body: &Value) -> Self {
        Self { status, media_type: "application/json", body: body.to_string() }
    }

    fn into_response(self) -> Response {
        let mut response = Response::new(Body::from(self.body));
        *response.status_mut() = StatusCode::from_u16(self.status).expect("a status");
        response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(self.media_type));
        response
    }
}
