//! A loaded plugin: described, checked, compiled, bound to its grant. What a call needs is all here.

use std::{fmt, sync::Arc, time::Duration};

use serde_json::Value;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::{agreements::Agreements, schema::Schemas};
use crate::{
    caller::{Caller, Door},
    conditions::Conditions,
    contract::{
        Description, Dialogue, Facts, FilledIn, Link, Offers, Operation, Prompt, PromptMessages, Resource,
        ResourceTemplate, Subject, Suggestions,
    },
    egress::Egress,
    failure::Failure,
    grant::{Confirm, Limits},
    invoke::{Confirmed, Reply, Upload},
    metrics::Metrics,
    sandbox::{Allowance, Guest, Results, Sandbox},
};

/// How long a call waits for a place at most. 1 s: most calls end within it, and the caller is told to come back after as much.
const PATIENCE: Duration = Duration::from_secs(1);

/// A loaded plugin.
pub struct Plugin {
    name: Arc<str>,
    description: Description,
    schemas: Vec<Schemas>,
    sandbox: Arc<Sandbox>,
    metrics: Arc<Metrics>,
    guest: Guest,
    egress: Arc<Egress>,
    confirm: Confirm,
    agreements: Agreements,
    limits: Limits,
    permits: Arc<Semaphore>,
    queue: Semaphore,
}

/// Leave to run one call. Dropping it makes room for another.
pub type Permit = OwnedSemaphorePermit;

/// What `component::load` has made of a file and its grant.
pub(super) struct Parts {
    pub(super) name: String,
    pub(super) description: Description,
    pub(super) schemas: Vec<Schemas>,
    pub(super) sandbox: Arc<Sandbox>,
    pub(super) metrics: Arc<Metrics>,
    pub(super) guest: Guest,
    pub(super) egress: Egress,
    pub(super) confirm: Confirm,
    pub(super) limits: Limits,
}

impl Plugin {
    pub(super) fn new(parts: Parts) -> Self {
        Self {
            name: parts.name.into(),
            description: parts.description,
            schemas: parts.schemas,
            sandbox: parts.sandbox,
            metrics: parts.metrics,
            guest: parts.guest,
            egress: Arc::new(parts.egress),
            confirm: parts.confirm,
            agreements: Agreements::new(),
            permits: Arc::new(Semaphore::new(parts.limits.concurrency)),
            queue: Semaphore::new(parts.limits.queue),
            limits: parts.limits,
        }
    }

    /// The plugin's name: the stem of its file.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What it offers and needs.
    pub fn description(&self) -> &Description {
        &self.description
    }

    /// The limits of its grant.
    pub fn limits(&self) -> &Limits {
        &self.limits
    }

    /// How many calls are running: admitted, and their answers not read to the end.
    pub fn running(&self) -> usize {
        self.limits.concurrency - self.permits.available_permits()
    }

    /// Checks an input against the schema of the operation at `index` of the description.
    ///
    /// # Errors
    /// [`Failure::InvalidInput`] with everything that is wrong.
    pub fn validate(&self, index: usize, input: &Value) -> Result<(), Failure> {
        self.schemas[index].validate(input)
    }

    /// True when a result is as the operation at `index` of the description promises, or it promises nothing.
    pub fn conforms(&self, index: usize, result: &Value) -> bool {
        self.schemas[index].conforms(result)
    }

    /// Asks for leave to run a call, and waits for a short while in the order of asking. Dropping the future leaves the queue.
    ///
    /// # Errors
    /// [`Failure::Busy`] when as many calls are running as the grant allows, and no place came free or the queue is full too.
    pub async fn admit(&self) -> Result<Permit, Failure> {
        let busy = || Failure::Busy { running: self.limits.concurrency };
        // No call overtakes those that wait: a place that comes free is theirs before anybody can try.
        if let Ok(permit) = self.permits.clone().try_acquire_owned() {
            return Ok(permit);
        }
        let _place = self.queue.try_acquire().map_err(|_| busy())?;
        let patience = PATIENCE.min(self.limits.wall);
        match tokio::time::timeout(patience, self.permits.clone().acquire_owned()).await {
            Ok(permit) => permit.map_err(|_| busy()),
            Err(_elapsed) => Err(busy()),
        }
    }

    /// What it has besides operations, if it is a document: what of that can be done without it.
    pub fn facts(&self) -> Option<&Facts> {
        self.guest.facts()
    }

    /// What it offers besides operations.
    pub fn offers(&self) -> Offers {
        self.guest.offers()
    }

    /// Counts a call that failed.
    pub fn failed(&self, failure: &Failure) {
        self.metrics.call_failed(&self.name, failure.cause());
    }

    /// True where what a call depends on is handed on to the upstream: in documents, for operations that are one request. A
    /// provider of another kind can take the fields as inputs.
    pub fn passes_conditions(&self, operation: &Operation) -> bool {
        self.guest.is_one_request(&operation.name)
    }

    /// Whether the grant wants somebody to agree to each call of an operation.
    pub fn confirms(&self, operation: &Operation) -> bool {
        self.confirm.covers(operation)
    }

    /// What somebody has agreed to, call by call.
    pub fn agreements(&self) -> &Agreements {
        &self.agreements
    }

    /// What one call may use, whatever it is that is called.
    pub fn allowance(&self, operation: &str, caller: &Caller, dialogue: Dialogue) -> Allowance {
        Allowance {
            plugin: self.name.clone(),
            operation: operation.into(),
            caller: caller.to_string().into(),
            conditions: Conditions::default(),
            egress: Some(self.egress.clone()),
            dialogue,
            results: match caller.door {
                Door::Rest | Door::Cli => Results::Texts,
                Door::Mcp => Results::Values,
            },
            upload: Upload::default(),
            limits: self.limits.clone(),
        }
    }

    /// Runs the allowance's operation in an instance, by the proof that it may be carried out. The permit is held until the
    /// reply's body has been read or dropped.
    ///
    /// # Errors
    /// Every way in which a call can fail, for this function and those below.
    pub async fn call(
        &self,
        allowance: Allowance,
        input: String,
        permit: Permit,
        _: Confirmed,
    ) -> Result<Reply, Failure> {
        let reply = self.sandbox.call(&self.guest, allowance, input).await?;
        Ok(reply.holding(permit))
    }

    /// Its resources.
    ///
    /// # Errors
    /// As above.
    pub async fn list_resources(&self, allowance: Allowance) -> Result<Vec<Link>, Failure> {
        self.sandbox.list_resources(&self.guest, allowance).await
    }

    /// Its families of resources.
    ///
    /// # Errors
    /// As above.
    pub async fn list_templates(&self, allowance: Allowance) -> Result<Vec<ResourceTemplate>, Failure> {
        self.sandbox.list_templates(&self.guest, allowance).await
    }

    /// One of its resources; `None` if it hasn't this one.
    ///
    /// # Errors
    /// As above.
    pub async fn read_resource(&self, allowance: Allowance, uri: String) -> Result<Option<Vec<Resource>>, Failure> {
        self.sandbox.read_resource(&self.guest, allowance, uri).await
    }

    /// Its prompts.
    ///
    /// # Errors
    /// As above.
    pub async fn list_prompts(&self, allowance: Allowance) -> Result<Vec<Prompt>, Failure> {
        self.sandbox.list_prompts(&self.guest, allowance).await
    }

    /// One of its prompts, filled in; `None` if it has none at all.
    ///
    /// # Errors
    /// As above.
    pub async fn get_prompt(
        &self,
        allowance: Allowance,
        name: String,
        arguments: Vec<FilledIn>,
    ) -> Result<Option<PromptMessages>, Failure> {
        self.sandbox.get_prompt(&self.guest, allowance, name, arguments).await
    }

    /// What it suggests for a field.
    ///
    /// # Errors
    /// As above.
    pub async fn complete(
        &self,
        allowance: Allowance,
        subject: Subject,
        typed: String,
        filled_in: Vec<FilledIn>,
    ) -> Result<Suggestions, Failure> {
        self.sandbox.complete(&self.guest, allowance, subject, typed, filled_in).await
    }
}

impl fmt::Debug for Plugin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Plugin").field("name", &self.name).finish_non_exhaustive()
    }
}
