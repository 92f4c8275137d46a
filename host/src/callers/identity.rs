//! Who a caller is and how far they get; and the proof that a call is allowed.

use std::{fmt, sync::Arc};

use tokio::time::Instant;

use super::rules::{Reach, Rules};
use crate::{
    caller::Caller,
    catalog::OperationRef,
    component::Plugin,
    contract::{Audience, Effect, Operation},
    failure::{Failure, Forbidden},
    rate::Rate,
};

/// Who a caller is.
#[derive(Clone)]
pub struct Identity(Arc<Who>);

enum Who {
    /// Whoever runs the host: at the command line, or at the other end of its standard input. May do everything.
    Operator,
    /// Any caller of a host that knows none: may do everything that isn't for known callers.
    Anyone,
    /// One of the configured callers, or several at once.
    Known { name: String, principal: String, roles: Vec<Arc<Role>>, others: Vec<Arc<Role>> },
}

/// One `[callers.<name>]` at work.
pub(super) struct Role {
    pub(super) name: String,
    pub(super) rules: Rules,
    /// Shared by all who have the role.
    pub(super) rate: Option<Rate>,
    /// What a token needs in order to have it; none for a key's.
    pub(super) scopes: Vec<String>,
}

impl Identity {
    /// Who runs the host, and may do everything.
    pub fn operator() -> Self {
        Self(Arc::new(Who::Operator))
    }

    /// Any caller of a host that knows none.
    pub fn anyone() -> Self {
        Self(Arc::new(Who::Anyone))
    }

    /// May do nothing and sees nothing: a request that nobody has looked at.
    pub fn nobody() -> Self {
        Self::known("nobody".to_owned(), "nobody".to_owned(), Vec::new(), Vec::new())
    }

    /// May do what any of the roles allows. `others` are those that a token with more scopes would have. `principal` is nobody else's,
    /// and the same tomorrow.
    pub(super) fn known(name: String, principal: String, roles: Vec<Arc<Role>>, others: Vec<Arc<Role>>) -> Self {
        Self(Arc::new(Who::Known { name, principal, roles, others }))
    }

    /// Whose what is given out for later is: a session, a state, a result. Absent where callers aren't told apart.
    pub fn principal(&self) -> Option<&str> {
        match &*self.0 {
            Who::Operator | Who::Anyone => None,
            Who::Known { principal, .. } => Some(principal),
        }
    }

    /// For the log, where two may look alike; absent where callers aren't told apart.
    pub fn name(&self) -> Option<&str> {
        match &*self.0 {
            Who::Operator | Who::Anyone => None,
            Who::Known { name, .. } => Some(name),
        }
    }

    /// Whether it is one of the configured callers.
    pub fn is_known(&self) -> bool {
        matches!(*self.0, Who::Known { .. })
    }

    /// How far the caller gets with an operation. For listings; a call needs [`Permitted`].
    pub fn reach(&self, plugin: &str, operation: &Operation) -> Reach {
        match &*self.0 {
            Who::Operator => Reach::Callable,
            Who::Anyone => match operation.audience {
                Audience::Anyone => Reach::Callable,
                Audience::Known => Reach::Hidden,
            },
            Who::Known { roles, .. } => {
                let reaches = roles.iter().map(|role| role.rules.reach(plugin, operation));
                reaches.max().unwrap_or(Reach::Hidden)
            }
        }
    }

    /// How far the caller gets with an operation of the catalog's.
    pub fn reaches(&self, operation: &OperationRef) -> Reach {
        self.reach(operation.plugin().name(), operation.operation())
    }

    /// Whether the caller may have what a plugin offers besides operations. It is for known callers where any of its operations is. For
    /// listings; a request needs [`Reading`].
    pub fn reads(&self, plugin: &Plugin) -> bool {
        match &*self.0 {
            Who::Operator => true,
            Who::Anyone => plugin.description().operations.iter().all(|it| it.audience == Audience::Anyone),
            Who::Known { .. } => self.reader(plugin.name()).is_some(),
        }
    }

    /// The first role that allows to read: the request is on its account.
    fn reader(&self, plugin: &str) -> Option<Arc<Role>> {
        match &*self.0 {
            Who::Operator | Who::Anyone => None,
            Who::Known { roles, .. } => roles.iter().find(|role| role.rules.reads(plugin)).cloned(),
        }
    }

    /// The first role that allows the operation: the call is on its account.
    fn role_for(&self, plugin: &str, operation: &Operation) -> Option<Arc<Role>> {
        match &*self.0 {
            Who::Operator | Who::Anyone => None,
            Who::Known { roles, .. } => {
                roles.iter().find(|role| role.rules.reach(plugin, operation) == Reach::Callable).cloned()
            }
        }
    }

    /// What a token would need besides to call the operation; empty where no token could.
    fn missing_scopes(&self, plugin: &str, operation: &Operation) -> Vec<String> {
        match &*self.0 {
            Who::Operator | Who::Anyone => Vec::new(),
            Who::Known { others, .. } => {
                let role = others.iter().find(|role| role.rules.reach(plugin, operation) == Reach::Callable);
                role.map(|role| role.scopes.clone()).unwrap_or_default()
            }
        }
    }

    fn permit(&self, plugin: &str, operation: &Operation) -> Result<Option<Arc<Role>>, Denied> {
        match self.reach(plugin, operation) {
            Reach::Callable => Ok(self.role_for(plugin, operation)),
            Reach::Hidden => Err(Denied::Hidden),
            Reach::Forbidden => Err(Denied::Forbidden(Forbidden {
                effect: Effect::of(operation.effects),
                scopes: self.missing_scopes(plugin, operation),
            })),
        }
    }
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let unnamed = if matches!(*self.0, Who::Operator) { "operator" } else { "anyone" };
        write!(f, "Identity({})", self.name().unwrap_or(unnamed))
    }
}

/// Proof that a caller may call an operation. There is no other way to get one than [`Caller::may_call`], and without one nothing
/// is invoked.
#[derive(Clone)]
pub struct Permitted {
    operation: OperationRef,
    caller: Caller,
    account: Account,
}

/// Proof that a caller may have what a plugin offers besides operations. Got from [`Caller::may_read`] alone, and nothing of this is
/// asked for without it.
#[derive(Clone)]
pub struct Reading {
    plugin: Arc<Plugin>,
    caller: Caller,
    account: Account,
}

/// What requests are charged to.
#[derive(Clone, Default)]
pub struct Account(Option<Arc<Role>>);

/// Why a call isn't allowed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Denied {
    /// For this caller there is no such operation, and that is what the caller is told.
    Hidden,
    /// The caller may know of it.
    Forbidden(Forbidden),
}

impl Caller {
    /// Decides whether this caller may call an operation.
    ///
    /// # Errors
    /// See [`Denied`].
    pub fn may_call(self, operation: OperationRef) -> Result<Permitted, Denied> {
        let role = self.identity.permit(operation.plugin().name(), operation.operation())?;
        Ok(Permitted { operation, caller: self, account: Account(role) })
    }

    /// Decides whether this caller may have what a plugin offers besides operations. `None` if not: for the caller it offers nothing.
    pub fn may_read(self, plugin: Arc<Plugin>) -> Option<Reading> {
        let account = Account(self.identity.reader(plugin.name()));
        self.identity.reads(&plugin).then(|| Reading { plugin, caller: self, account })
    }
}

impl Permitted {
    /// The operation.
    pub fn operation(&self) -> &OperationRef {
        &self.operation
    }

    /// Who calls it.
    pub fn caller(&self) -> &Caller {
        &self.caller
    }

    /// What the call is charged to, for requests that follow from it.
    pub fn account(&self) -> &Account {
        &self.account
    }

    /// Takes the call from the caller's rate.
    ///
    /// # Errors
    /// [`Failure::OverRate`].
    pub fn charge(&self) -> Result<(), Failure> {
        self.account.charge()
    }
}

impl Account {
    /// Takes a request from the rate.
    ///
    /// # Errors
    /// [`Failure::OverRate`].
    pub fn charge(&self) -> Result<(), Failure> {
        match self.0.as_ref().and_then(|role| role.rate.as_ref()) {
            Some(rate) => rate.take(Instant::now()).map_err(|retry_after| Failure::OverRate { retry_after }),
            None => Ok(()),
        }
    }
}

impl Reading {
    /// The plugin.
    pub fn plugin(&self) -> &Arc<Plugin> {
        &self.plugin
    }

    /// Who asks.
    pub fn caller(&self) -> &Caller {
        &self.caller
    }

    /// Takes a request from the caller's rate.
    ///
    /// # Errors
    /// [`Failure::OverRate`].
    pub fn charge(&self) -> Result<(), Failure> {
        self.account.charge()
    }
}

impl fmt::Debug for Reading {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} for {}", self.plugin.name(), self.caller)
    }
}

impl fmt::Debug for Permitted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} for {}", self.operation, self.caller)
    }
}

#[cfg(test)]
mod tests {
    use super::{
        super::rules::tests::{operation, rules},
        *,
    };
    use Effect::{Destructive, ReadOnly, Write};

    fn role(name: &str, rules: Rules, scopes: &[&str]) -> Arc<Role> {
        let scopes = scopes.iter().map(|it| (*it).to_owned()).collect();
        Arc::new(Role { name: name.to_owned(), rules, rate: None, scopes })
    }

    fn decide(identity: &Identity, plugin: &str, operation: &Operation) -> Result<Option<String>, Denied> {
        identity.permit(plugin, operation).map(|role| role.map(|role| role.name.clone()))
    }

    #[test]
    fn who_may_do_what() {
        let reader = role("reader", rules(&["users"], &["*"], &[ReadOnly]), &["read"]);
        let writer = role("writer", rules(&["users"], &["*user"], &[Write]), &["read", "write"]);
        let known = |roles: &[&Arc<Role>], others: &[&Arc<Role>]| {
            let owned = |roles: &[&Arc<Role>]| roles.iter().map(|it| Arc::clone(it)).collect();
            Identity::known("x".to_owned(), "x".to_owned(), owned(roles), owned(others))
        };
        let (get, put, purge) =
            (operation("getuser", ReadOnly), operation("putuser", Write), operation("purge", Destructive));
        let for_known = Operation { audience: Audience::Known, ..get.clone() };
        let forbidden = |effect, scopes: &[&str]| {
            let scopes = scopes.iter().map(|it| (*it).to_owned()).collect();
            Err(Denied::Forbidden(Forbidden { effect, scopes }))
        };
        let by = |name: &str| Ok(Some(name.to_owned()));
        for (identity, plugin, operation, decided) in [
            (Identity::operator(), "users", &purge, Ok(None)),
            (Identity::operator(), "users", &for_known, Ok(None)),
            (Identity::anyone(), "users", &purge, Ok(None)),
            (Identity::anyone(), "users", &for_known, Err(Denied::Hidden)),
            (known(&[&reader], &[]), "users", &for_known, by("reader")),
            (Identity::nobody(), "users", &get, Err(Denied::Hidden)),
            (known(&[&reader], &[]), "users", &get, by("reader")),
            (known(&[&reader], &[]), "users", &put, forbidden(Write, &[])),
            (known(&[&reader], &[&writer]), "users", &put, forbidden(Write, &["read", "write"])),
            (known(&[&reader], &[&writer]), "users", &purge, forbidden(Destructive, &[])),
            (known(&[&reader], &[&writer]), "metal", &get, Err(Denied::Hidden)),
            (known(&[&writer], &[&reader]), "users", &purge, Err(Denied::Hidden)),
            (known(&[&writer], &[&reader]), "users", &get, forbidden(ReadOnly, &["read"])),
            // Several roles allow what any of them allows.
            (known(&[&reader, &writer], &[]), "users", &get, by("reader")),
            (known(&[&reader, &writer], &[]), "users", &put, by("writer")),
            (known(&[&reader, &writer], &[]), "users", &purge, forbidden(Destructive, &[])),
        ] {
            assert_eq!(decide(&identity, plugin, operation), decided, "{identity:?} {plugin} {}", operation.name);
        }
    }
}
