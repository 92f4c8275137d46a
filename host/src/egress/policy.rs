//! Decides whether a plugin may send a request: only what it declares and the operator grants passes.
//!
//! Values in, a decision out. It doesn't resolve names (`address` decides about what they resolve to) and sends nothing.
//!
#![doc = include_str!("MODEL.md")]

use http::{Method, Uri};

use super::{
    grant_error::Problem,
    refusal::{Aspect, Denial, Rule},
    toml_lines,
};
use crate::{
    contract::Upstream,
    grant::{BadDestination, Destination, Grant, Pattern, TokenUrl, is_below},
};

/// What one plugin may ask for: declared ∧ granted.
#[derive(Debug)]
pub(super) struct Policy {
    plugin: String,
    declared: Vec<Declared>,
    hosts: Vec<Pattern>,
    /// `None` = every declared method.
    methods: Option<Vec<String>>,
    /// From, to.
    rewrites: Vec<(Pattern, Destination)>,
}

#[derive(Debug)]
struct Declared {
    at: Pattern,
    methods: Vec<String>,
    /// Which requests it is for; `None` = all.
    name: Option<String>,
}

/// The proof that a request may be sent, and what is needed to send it. Only `Policy::check` makes one.
#[derive(Debug)]
pub(super) struct Permitted {
    to: Destination,
    path: String,
    upstream: usize,
}

impl Policy {
    /// Reads a declaration against a grant.
    ///
    /// A declared upstream that isn't granted is no error as long as another one is: operators may grant less than a document
    /// asks for. Its secrets aren't needed then, and requests to it are denied one by one.
    pub(super) fn new(plugin: &str, grant: &Grant, upstreams: &[Upstream]) -> Result<Self, Vec<Problem>> {
        let mut declared: Vec<Declared> = Vec::new();
        let mut problems = Vec::new();
        for upstream in upstreams {
            match Pattern::parse(&upstream.base_url) {
                Ok(at) => {
                    let Upstream { methods, name, .. } = upstream.clone();
                    declared.push(Declared { at, methods, name });
                }
                Err(reason) => problems.push(Problem::Upstream { base_url: upstream.base_url.clone(), reason }),
            }
        }
        if !declared.is_empty() && !upstreams.iter().any(|upstream| is_granted(grant, upstream)) {
            problems.push(Problem::NothingGranted {
                declared: declared.iter().map(|it| it.at.to_string()).collect::<Vec<_>>().join(", "),
                line: toml_lines::hosts(&grant.hosts, toml_lines::destinations(upstreams)),
            });
        }
        problems.extend(upstreams.iter().filter(|it| is_granted(grant, it)).filter_map(|it| no_address(grant, it)));
        if !problems.is_empty() {
            return Err(problems);
        }
        Ok(Self {
            plugin: plugin.to_owned(),
            declared,
            hosts: grant.hosts.clone(),
            methods: grant.methods.clone(),
            rewrites: rewrites(grant),
        })
    }

    /// Decides about one request, which may say by name which declared upstream it means. Its other header fields and its body don't
    /// matter here, nor its query.
    pub(super) fn check(&self, method: &Method, uri: &Uri, name: Option<&str>) -> Result<Permitted, Denial> {
        let denied = |(rule, hint): (Rule, String)| Denial::new(rule, method, uri, hint);
        let asked = read(uri).map_err(|(rule, reason)| denied((rule, format!("not a usable address: {reason}"))))?;
        if method == Method::CONNECT || method == Method::TRACE {
            // One opens a tunnel around every check, the other has the upstream repeat the credentials.
            return Err(denied((Rule::Method, format!("method is never sent: {method}"))));
        }
        let upstream = self.check_declared(method, &asked, name).map_err(denied)?;
        self.check_granted(method, &asked, &self.declared[upstream].at).map_err(denied)?;
        let (to, path) = rewrite(&self.rewrites, &asked, uri.path());
        Ok(Permitted { to, path, upstream })
    }

    /// The hint for a permitted destination whose public name has a private address behind it.
    pub(super) fn vouching_hint(&self, permitted: &Permitted) -> String {
        let line = toml_lines::vouch(&permitted.to.to_string());
        let lines = toml_lines::section(&self.plugin, &[line]);
        format!(
            "the name resolves to a private address; if that is right, add the address or its network to addresses.allow of \
             the plugin's grant, or vouch for this name, whatever it resolves to, by adding to airlock.toml:\n{lines}"
        )
    }

    /// The hint for a permitted destination at an address that the operator denies.
    pub(super) fn denied_address_hint(&self) -> String {
        let section = toml_lines::section(&self.plugin, &[]);
        format!("its address lies in a range that airlock.toml denies, under addresses.deny in {}", section.trim_end())
    }

    /// Which declared upstream covers the request: the closest of those with the name that it gives, or of those without one; of
    /// equals, the first. A name never makes more of a request than it is, nor gives it what others have: a redirect could lead there.
    fn check_declared(
        &self,
        method: &Method,
        asked: &Destination,
        name: Option<&str>,
    ) -> Result<usize, (Rule, String)> {
        let mut best: Option<usize> = None;
        let mut closest = Aspect::Host;
        let meant = name.filter(|name| self.declared.iter().any(|declared| declared.name.as_deref() == Some(*name)));
        let is_meant = |declared: &Declared| declared.name.as_deref() == meant;
        for (index, declared) in self.declared.iter().enumerate().filter(|(_, declared)| is_meant(declared)) {
            match covers(&declared.at, asked).and(has_method(&declared.methods, method)) {
                Ok(()) => {
                    let close = |index: usize| closeness(&self.declared[index].at);
                    best = best.filter(|best| close(*best) >= close(index)).or(Some(index));
                }
                Err(aspect) => closest = closest.max(aspect),
            }
        }
        best.ok_or_else(|| {
            let origin = asked.origin();
            let hint = format!("the plugin doesn't declare it; declare an upstream: {origin} with method {method}");
            (Rule::Declared(closest), hint)
        })
    }

    /// The hint offers to grant the whole declared upstream, not the one path asked for: that's what the plugin is made for. Of
    /// hosts that are declared by a star, it offers the one.
    fn check_granted(&self, method: &Method, asked: &Destination, declared: &Pattern) -> Result<(), (Rule, String)> {
        let missing_host = closest_miss(&self.hosts, asked);
        let missing_method = self.methods.as_ref().filter(|methods| has_method(methods, method).is_err());
        let Some(aspect) = missing_host.or(missing_method.map(|_| Aspect::Method)) else {
            return Ok(());
        };

        let mut lines = Vec::new();
        if missing_host.is_some() {
            lines.push(toml_lines::hosts(&self.hosts, [declared.at(&asked.host).into()]));
        }
        if let Some(methods) = missing_method {
            lines.push(toml_lines::methods(methods, method.as_str()));
        }
        Err((Rule::Granted(aspect), format!("add to airlock.toml:\n{}", toml_lines::section(&self.plugin, &lines))))
    }
}

/// What is wrong with an upstream whose address is left to the operator, where the grant doesn't say it for all of it.
fn no_address(grant: &Grant, upstream: &Upstream) -> Option<Problem> {
    let at = Pattern::parse(&upstream.base_url).ok().filter(toml_lines::is_placeholder)?;
    let whole = at.single()?;
    let is_led = rewrites(grant).iter().any(|(from, _)| covers(from, &whole).is_ok());
    (!is_led).then(|| Problem::NoAddress { declared: at.to_string(), line: toml_lines::lead(&at) })
}

/// From, to.
fn rewrites(grant: &Grant) -> Vec<(Pattern, Destination)> {
    grant.rewrites.iter().map(|it| (it.from.clone().into(), it.to.clone())).collect()
}

/// Where a request really goes: by the closest rewrite, or where it says.
fn rewrite(rewrites: &[(Pattern, Destination)], asked: &Destination, path: &str) -> (Destination, String) {
    let rewrites = rewrites.iter().filter(|(from, _)| covers(from, asked).is_ok());
    let Some((from, to)) = rewrites.max_by_key(|(from, _)| closeness(from)) else {
        return (asked.origin(), path.to_owned());
    };
    let rest = path.strip_prefix(&from.prefix).unwrap_or(path);
    match format!("{}{rest}", to.prefix) {
        empty if empty.is_empty() => (to.origin(), "/".to_owned()),
        path => (to.origin(), path),
    }
}

/// Where the host may ask for the tokens of a plugin that declares this endpoint; `None` where the operator hasn't granted it. That
/// the host asks by POST is settled; where a grant names methods, that is one of them.
pub(super) fn granted_endpoint(grant: &Grant, endpoint: &TokenUrl) -> Option<TokenUrl> {
    let asked = endpoint.destination();
    if closest_miss(&grant.hosts, &asked).is_some() || !grant.methods.as_deref().is_none_or(may_ask_for_tokens) {
        return None;
    }
    let (to, path) = rewrite(&rewrites(grant), &asked, endpoint.path());
    Some(endpoint.moved(to, &path))
}

/// Whether the host may ask for tokens where a grant names methods.
pub(super) fn may_ask_for_tokens(methods: &[String]) -> bool {
    has_method(methods, &Method::POST).is_ok()
}

impl Permitted {
    /// The declared upstream whose credentials the request gets, by its place in the declaration.
    pub(super) fn upstream(&self) -> usize {
        self.upstream
    }

    /// The origin that it is sent to.
    pub(super) fn origin(&self) -> String {
        self.to.to_string()
    }

    /// The address to send it to, with the given query. It fails where that makes it longer than 64 KB.
    pub(super) fn uri(&self, query: Option<&str>) -> Result<Uri, http::Error> {
        let path_and_query = match query {
            Some(query) => format!("{}?{query}", self.path),
            None => self.path.clone(),
        };
        Uri::builder()
            .scheme(self.to.scheme.as_str())
            .authority(self.to.authority())
            .path_and_query(path_and_query)
            .build()
    }
}

/// What a request asks for, its whole path as the prefix.
fn read(uri: &Uri) -> Result<Destination, (Rule, BadDestination)> {
    let scheme = uri.scheme_str().unwrap_or_default();
    let authority = uri.authority().map(http::uri::Authority::as_str).unwrap_or_default();
    Destination::from_parts(scheme, authority, uri.path()).map_err(|reason| {
        let rule = match reason {
            BadDestination::NoScheme | BadDestination::Scheme(_) => Rule::Scheme,
            BadDestination::Userinfo => Rule::Userinfo,
            BadDestination::Host(_)
            | BadDestination::Wildcard(_)
            | BadDestination::FinalDot(_)
            | BadDestination::Port(_) => Rule::Authority,
            BadDestination::Path(_) | BadDestination::Query => Rule::Path,
        };
        (rule, reason)
    })
}

/// Whether `asked` lies within `allowed`; if not, the first part that differs.
fn covers(allowed: &Pattern, asked: &Destination) -> Result<(), Aspect> {
    if !allowed.hosts.contains(&asked.host) {
        return Err(Aspect::Host);
    }
    if allowed.scheme != asked.scheme {
        return Err(Aspect::Scheme);
    }
    if allowed.port != asked.port {
        return Err(Aspect::Port);
    }
    if !is_below(&allowed.prefix, &asked.prefix) {
        return Err(Aspect::Path);
    }
    Ok(())
}

/// Of several patterns that cover a request, the one with most of it counts: one host before many, then the longer prefix.
fn closeness(pattern: &Pattern) -> (bool, usize) {
    (pattern.single().is_some(), pattern.prefix.len())
}

/// The aspect that fails in the destination that comes closest; `None` = one of them covers the request.
fn closest_miss(allowed: &[Pattern], asked: &Destination) -> Option<Aspect> {
    let mut closest = Aspect::Host;
    for pattern in allowed {
        match covers(pattern, asked) {
            Ok(()) => return None,
            Err(aspect) => closest = closest.max(aspect),
        }
    }
    Some(closest)
}

fn has_method(allowed: &[String], method: &Method) -> Result<(), Aspect> {
    let is_allowed = allowed.iter().any(|name| name == method.as_str());
    is_allowed.then_some(()).ok_or(Aspect::Method)
}

/// Whether anything of a declared upstream is granted.
pub(super) fn is_granted(grant: &Grant, upstream: &Upstream) -> bool {
    Pattern::parse(&upstream.base_url).is_ok_and(|at| grant.hosts.iter().any(|host| overlap(host, &at)))
}

/// Whether a request could lie within both.
fn overlap(one: &Pattern, other: &Pattern) -> bool {
    one.hosts.overlap(&other.hosts)
        && one.scheme == other.scheme
        && one.port == other.port
        && (is_below(&one.prefix, &other.prefix) || is_below(&other.prefix, &one.prefix))
}

#[cfg(test)]
mod tests;
