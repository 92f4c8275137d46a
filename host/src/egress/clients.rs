//! Who asks token endpoints for what: the clients that the grant names, and those that the plugin declares.
//!
//! A declared one is the plugin's word about where a token comes from and what it is asked for; the operator's is which secrets the
//! client has, and that this endpoint may be asked at all: it has to be granted as any other destination, and is rewritten as one.
//! Nothing is asked here, that is `oauth2`'s; nor are secrets held, that is the vault's.

use std::collections::BTreeMap;

use http::Method;

use super::{grant_error::Problem, policy, toml_lines};
use crate::{
    contract::{Credential, Placement, TokenRequest, names_in},
    grant::{ClientAuthentication, ClientCredentials, Destination, Grant, Pattern, TokenUrl},
};

/// Where the host would ask for what a credential is made of, if it is a token and that is an address.
pub fn token_endpoint(credential: &Credential) -> Option<Destination> {
    match &credential.placement {
        Placement::OAuth2(request) => Some(TokenUrl::parse(&request.url).ok()?.destination()),
        Placement::Header(_) | Placement::Query(_) | Placement::Basic | Placement::Digest => None,
    }
}

/// A client of a token endpoint.
#[derive(Debug)]
pub(super) struct Client {
    /// The endpoint's host as who names it calls it, for messages: where it is led to is the operator's affair.
    pub(super) host: String,
    pub(super) token_url: TokenUrl,
    pub(super) account: ClientAccount,
    pub(super) scope: Option<String>,
    pub(super) audience: Option<String>,
    pub(super) resource: Option<String>,
    pub(super) authentication: ClientAuthentication,
}

/// Where a client's name and secret come from.
#[derive(Debug)]
pub(super) enum ClientAccount {
    /// The grant says the name, and has the secret under the name of the token.
    Granted { id: String },
    /// Templates over the secrets of the grant.
    Declared { id: String, secret: String },
}

impl Client {
    /// As the grant names it.
    pub(super) fn granted(client: &ClientCredentials) -> Self {
        Self {
            host: client.token_url.origin().host.clone(),
            token_url: client.token_url.clone(),
            account: ClientAccount::Granted { id: client.client_id.clone() },
            scope: client.scope.clone(),
            audience: client.audience.clone(),
            resource: None,
            authentication: client.authentication,
        }
    }

    /// The names of the grant's secrets that it is made of.
    pub(super) fn secret_names(&self) -> impl Iterator<Item = &str> {
        let (id, secret) = match &self.account {
            ClientAccount::Granted { .. } => ("", ""),
            ClientAccount::Declared { id, secret } => (id.as_str(), secret.as_str()),
        };
        names_in(id).chain(names_in(secret))
    }

    /// Whether one of them has this name.
    pub(super) fn is_made_of(&self, secret: &str) -> bool {
        self.secret_names().any(|name| name == secret)
    }

    fn declared(host: &str, token_url: TokenUrl, request: &TokenRequest, secret: &str) -> Self {
        Self {
            host: host.to_owned(),
            token_url,
            account: ClientAccount::Declared { id: request.client_id.clone(), secret: secret.to_owned() },
            scope: request.scope.clone(),
            audience: request.audience.clone(),
            resource: request.resource.clone(),
            authentication: ClientAuthentication::Basic,
        }
    }
}

/// The tokens that a plugin declares, each under a name that the grant doesn't use. Upstreams that declare the same share one.
#[derive(Default)]
pub(super) struct DeclaredTokens {
    known: Vec<(Credential, String)>,
    clients: BTreeMap<String, Client>,
    refused: Vec<TokenUrl>,
    problems: Vec<Problem>,
}

impl DeclaredTokens {
    /// A credential of a granted upstream, in whose value a token has a name from now on.
    pub(super) fn name(&mut self, credential: &Credential, grant: &Grant) -> Credential {
        let Placement::OAuth2(request) = &credential.placement else {
            return credential.clone();
        };
        let known = self.known.iter().find(|(known, _)| known == credential).map(|(_, name)| name.clone());
        let name = known.unwrap_or_else(|| self.take(credential, request, grant));
        Credential { placement: credential.placement.clone(), value: format!("{{{{{name}}}}}") }
    }

    fn take(&mut self, credential: &Credential, request: &TokenRequest, grant: &Grant) -> String {
        let is_free = |name: &String| !grant.secrets.contains_key(name) && !self.clients.contains_key(name);
        let name = (1..).map(|number: usize| format!("oauth2-{number}")).find(is_free);
        let name = name.expect("there are more numbers than secrets");
        self.known.push((credential.clone(), name.clone()));
        match TokenUrl::parse(&request.url) {
            Ok(declared) => {
                let granted = policy::granted_endpoint(grant, &declared);
                if granted.is_none() && !self.refused.contains(&declared) {
                    self.refused.push(declared.clone());
                }
                let host = declared.origin().host.clone();
                let client = Client::declared(&host, granted.unwrap_or(declared), request, &credential.value);
                self.clients.insert(name.clone(), client);
            }
            Err(reason) => self.problems.push(Problem::TokenEndpoint { url: request.url.clone(), reason }),
        }
        name
    }

    /// Each client under the name of its token, and what is wrong. The endpoints that aren't granted are one problem, as their line
    /// is one.
    pub(super) fn settle(mut self, grant: &Grant) -> (BTreeMap<String, Client>, Vec<Problem>) {
        if !self.refused.is_empty() {
            let patterns = || self.refused.iter().map(|it| Pattern::from(it.destination()));
            let declared: Vec<String> = patterns().map(|it| it.to_string()).collect();
            let methods = grant.methods.as_ref().filter(|methods| !policy::may_ask_for_tokens(methods));
            let mut lines = vec![toml_lines::hosts(&grant.hosts, patterns())];
            lines.extend(methods.map(|methods| toml_lines::methods(methods, Method::POST.as_str())));
            let line = lines.join("\n");
            self.problems.push(Problem::TokenEndpointNotGranted { declared: declared.join(", "), line });
        }
        (self.clients, self.problems)
    }
}
