//! One issuer of tokens: its keys, and the callers that its tokens make.

use std::sync::Arc;

use super::{
    Identity, IssuerSettings, Rejection, TokenSettings,
    identity::Role,
    keys::{Keys, Lookup, fetch},
    token,
};

/// An issuer.
pub(super) struct Issuer {
    settings: IssuerSettings,
    keys: Arc<Keys>,
    roles: Vec<(TokenSettings, Arc<Role>)>,
}

impl Issuer {
    pub(super) fn new(settings: IssuerSettings, roles: Vec<(TokenSettings, Arc<Role>)>) -> Self {
        let (issuer, metadata) = (settings.issuer.clone(), settings.metadata.clone());
        let keys = Keys::new(Box::new(move || Box::pin(fetch(issuer.clone(), metadata.clone()))));
        Self { settings, keys, roles }
    }

    pub(super) fn address(&self) -> &str {
        &self.settings.issuer
    }

    pub(super) fn scopes(&self) -> impl Iterator<Item = &str> {
        self.roles.iter().flat_map(|(token, _)| token.scopes.iter().map(String::as_str))
    }

    /// Who has this token. It says by its own word that it comes from this issuer.
    pub(super) async fn identify(&self, token: &str) -> Result<Identity, Rejection> {
        let header = token::header(token, &self.settings.algorithms)?;
        let key = match self.keys.find(header.kid.as_deref()).await {
            Lookup::Found(key) => key,
            Lookup::Unknown => return Err(Rejection::BadToken("its issuer has no such key")),
            Lookup::Unavailable => return Err(Rejection::NoKeys),
        };
        let claims = token::check(token, &header, &key, &self.settings)?;
        // Scopes are what a client can ask for.
        let possible = self.roles.iter().filter(|(wanted, _)| claims.have_claims(wanted));
        let (own, others): (Vec<_>, Vec<_>) = possible.partition(|(wanted, _)| claims.have_scopes(wanted));
        let roles = |these: Vec<&(TokenSettings, Arc<Role>)>| these.iter().map(|(_, role)| role.clone()).collect();
        if own.is_empty() {
            let scopes = others.first().map(|(token, _)| token.scopes.clone()).unwrap_or_default();
            return Err(Rejection::NoRole { scopes });
        }
        let names: Vec<&str> = own.iter().map(|(_, role)| role.name.as_str()).collect();
        let name = format!("{} ({})", names.join("+"), claims.subject());
        let principal = claims.principal(self.address(), token);
        Ok(Identity::known(name, principal, roles(own), roles(others)))
    }
}
