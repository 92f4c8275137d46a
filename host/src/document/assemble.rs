//! All offers of a document -> the plan: which of them are one operation, what they are called, which upstreams they need.

use std::collections::{BTreeSet, HashSet};

use serde_json::Value as Json;

use super::forward::Handover;
use super::link::{Called, Offer, reads};
use super::model::{Consumed, Consumes, Document, Hints, Semantics, Surface};
use super::names::free_name;
use super::plan::{Action, Plan};
use crate::contract::{Credential, Description, Effects, Facts, MAX_NAME, Operation, ReadByOperation, Upstream};

/// A REST operation, a tool, or both if they mean the same; or what a resource is read by, which may be a REST operation too.
struct Group<'a> {
    rest: Option<&'a Offer<'a>>,
    tool: Option<&'a Offer<'a>>,
    resource: Option<&'a Offer<'a>>,
}

/// Assembles the plan.
pub fn assemble(document: &Document, offers: &[Offer], handovers: &[Handover]) -> Plan {
    let groups = group(offers);
    let names = name_all(&groups);
    let mut taken: HashSet<String> = names.iter().cloned().collect();
    let resources = groups.iter().zip(&names).filter_map(|(group, name)| group.readable(name)).collect();
    let called = groups.iter().zip(names).map(|(group, name)| (group.operation(name), group.any().action.clone()));
    let handed_on = handovers.iter().flat_map(|handover| handover.operations(&mut taken));
    let (operations, actions): (Vec<Operation>, Vec<Action>) = called.chain(handed_on).unzip();
    let requests = operations.iter().zip(&actions).filter(|(_, action)| matches!(action, Action::Call(_)));
    Plan {
        facts: Facts {
            one_request: requests.map(|(operation, _)| operation.name.clone()).collect(),
            resources,
            prompts: document.prompts.clone(),
            freshness: document.freshness,
        },
        actions,
        description: Description {
            title: title(document),
            summary: document.summary.clone(),
            operations,
            upstreams: upstreams(document, offers, handovers),
        },
    }
}

/// Puts each tool to the first REST operation without a tool that means the same.
fn group<'a>(offers: &'a [Offer<'a>]) -> Vec<Group<'a>> {
    let (mut rest, mut tools, mut resources) = (Vec::new(), Vec::new(), Vec::new());
    for offer in offers {
        match offer.subject.exposure.surface {
            Surface::Rest(_) => rest.push(offer),
            Surface::Tool(_) => tools.push(offer),
            Surface::Resource(_) => resources.push(offer),
        }
    }
    let mut groups: Vec<_> =
        rest.into_iter().map(|offer| Group { rest: Some(offer), tool: None, resource: None }).collect();
    for tool in tools {
        let free = groups.iter_mut().filter(|group| group.tool.is_none());
        let same = free.into_iter().find(|group| group.rest.is_some_and(|rest| mean_the_same(rest, tool)));
        match same {
            Some(group) => group.tool = Some(tool),
            None => groups.push(Group { rest: None, tool: Some(tool), resource: None }),
        }
    }
    for resource in resources {
        let free = groups.iter_mut().filter(|group| group.resource.is_none() && group.tool.is_none());
        let is_same = |rest: &Offer| matches!(rest.action, Action::Constant(_)) && mean_the_same(rest, resource);
        let same = free.into_iter().find(|group| group.rest.is_some_and(is_same));
        match same {
            Some(group) => group.resource = Some(resource),
            None => groups.push(Group { rest: None, tool: None, resource: Some(resource) }),
        }
    }
    groups
}

fn mean_the_same(rest: &Offer, tool: &Offer) -> bool {
    rest.subject.exposure.audience == tool.subject.exposure.audience
        && semantics(rest) == semantics(tool)
        && same_calls(&rest.calls, &tool.calls)
        && same_inputs(&rest.inputs.schema, &tool.inputs.schema)
        && rest.action == tool.action
        && output_schema(rest) == output_schema(tool)
}

fn same_calls(one: &[Called], other: &[Called]) -> bool {
    one.len() == other.len() && one.iter().zip(other).all(|(one, other)| std::ptr::eq(one.consumed, other.consumed))
}

/// Equal but for the order of the inputs.
fn same_inputs(one: &Json, other: &Json) -> bool {
    let required = |schema: &Json| -> BTreeSet<String> {
        let names = schema["required"].as_array().into_iter().flatten();
        names.filter_map(Json::as_str).map(str::to_owned).collect()
    };
    one["properties"] == other["properties"] && required(one) == required(other)
}

/// Names that the document gives to REST operations come first; what has to do without one gets what is left.
fn name_all(groups: &[Group]) -> Vec<String> {
    let mut taken: HashSet<String> = groups.iter().filter_map(Group::given_name).collect();
    let mut name = |group: &Group| {
        group.given_name().unwrap_or_else(|| {
            let free = free_name(&group.wanted_name(), |name| taken.contains(name));
            taken.insert(free.clone());
            free
        })
    };
    groups.iter().map(&mut name).collect()
}

impl<'a> Group<'a> {
    fn any(&self) -> &'a Offer<'a> {
        self.rest.or(self.tool).or(self.resource).expect("a group is made of at least one offer")
    }

    fn given_name(&self) -> Option<String> {
        let name = self.rest?.subject.exposure.name.as_ref()?;
        Some(name.value.clone())
    }

    fn wanted_name(&self) -> String {
        let tool_name = || self.tool?.subject.exposure.name.as_ref().map(|name| name.value.clone());
        match self.rest {
            Some(rest) => rest.wanted_name(),
            None => tool_name().or_else(|| self.resource.map(|it| it.wanted_name())).unwrap_or_default(),
        }
    }

    /// The resource that is read by this operation.
    fn readable(&self, operation: &str) -> Option<ReadByOperation> {
        let offer = self.resource?;
        let Surface::Resource(readable) = &offer.subject.exposure.surface else { return None };
        Some(ReadByOperation {
            uri: offer.inputs.uri.clone()?,
            name: offer.subject.exposure.name.as_ref().map_or(String::new(), |name| name.value.clone()),
            title: offer.subject.title().cloned(),
            description: offer.subject.description().cloned(),
            media_type: readable.media_type.clone(),
            binary: readable.binary,
            size: readable.size,
            operation: operation.to_owned(),
        })
    }

    fn operation(&self, name: String) -> Operation {
        let offer = self.any();
        let offers = [self.rest, self.tool, self.resource];
        let mut titles = offers.iter().flatten().filter_map(|offer| offer.subject.title().cloned());
        let tool = self.tool.and_then(|tool| tool.subject.exposure.name.as_ref());
        let hints = match self.tool.map(|tool| &tool.subject.exposure.surface) {
            Some(Surface::Tool(hints)) => *hints,
            _ => Hints::default(),
        };
        Operation {
            name,
            title: titles.next().or_else(|| offer.only_call()?.consumed.title.clone()),
            description: self.description(),
            input_schema: offer.inputs.schema.clone(),
            output_schema: output_schema(offer).cloned(),
            effects: effects(&methods(&offer.calls), semantics(offer), hints),
            audience: offer.subject.exposure.audience,
            route: self.rest.and_then(|rest| rest.inputs.route.clone()),
            tool: tool.map(|name| name.value.clone()),
        }
    }

    /// The longer one of a REST operation and its tool, for the sake of the agent that reads it.
    fn description(&self) -> String {
        let offer = self.any();
        let own = [self.rest, self.tool, self.resource].into_iter().flatten();
        let own = own.filter_map(|offer| offer.subject.description());
        // Of equals the first: `max_by_key` takes the last.
        let longest = own.rev().max_by_key(|text| text.chars().count());
        let called = || offer.only_call()?.consumed.description.as_ref();
        longest.or_else(called).cloned().unwrap_or_else(|| requests(&offer.calls))
    }
}

/// The schema as stated where the result is exposed; else that of what is made; else that of the answer, which is the result then.
fn output_schema<'o>(offer: &'o Offer<'_>) -> Option<&'o Json> {
    let outputs = offer.subject.outputs();
    let derived = match outputs {
        // A schema that says nothing promises nothing.
        Some(outputs) => Some(&outputs.schema).filter(|schema| schema.as_object().is_some_and(|it| !it.is_empty())),
        None => offer.answer_schema.as_deref(),
    };
    offer.subject.output_schema().or(derived)
}

impl<'a> Offer<'a> {
    /// What it is called if the document gives it no name.
    fn wanted_name(&self) -> String {
        if let Action::Constant(resource) = &self.action {
            return name_of(&resource.uri);
        }
        if let (Surface::Resource(_), Some(name)) = (&self.subject.exposure.surface, &self.subject.exposure.name) {
            return name.value.clone();
        }
        let flow = self.subject.shared.map(|(_, flow)| &flow.name.value);
        match (flow.and_then(|name| name.rsplit_once('.')), self.calls.last()) {
            (Some((_, name)), _) => name.to_owned(),
            (None, Some(called)) => called.consumed.name.value.clone(),
            (None, None) => "mock".to_owned(),
        }
    }

    /// The call that is all that it does.
    fn only_call(&self) -> Option<Called<'a>> {
        match self.calls.as_slice() {
            [called] => Some(*called),
            _ => None,
        }
    }
}

/// A URI as a name: `skill://users/SKILL.md` -> `skill-users-SKILL.md`.
fn name_of(uri: &str) -> String {
    let is_allowed = |c: char| c.is_ascii_alphanumeric() || "_.".contains(c);
    let words = uri.split(|c: char| !is_allowed(c)).filter(|word| !word.is_empty());
    let mut name = words.collect::<Vec<_>>().join("-");
    name.truncate(MAX_NAME);
    name
}

/// `GET /users/{id}, GET /teams`, for want of a description.
fn requests(calls: &[Called]) -> String {
    let requests = calls.iter().map(|Called { consumed, .. }| {
        let path = consumed.path.as_ref().map_or(String::new(), |path| path.to_text());
        format!("{} {path}", consumed.method)
    });
    requests.collect::<Vec<_>>().join(", ")
}

fn methods<'a>(calls: &[Called<'a>]) -> Vec<&'a str> {
    calls.iter().map(|called| called.consumed.method.as_str()).collect()
}

fn semantics(offer: &Offer) -> Semantics {
    offer.subject.shared.map_or(Semantics::default(), |(_, flow)| flow.semantics)
}

/// What a tool's hints leave open is what the flow says that it refers to, and else follows from the methods of the upstream
/// requests (RFC 9110). What isn't said to be harmless counts as destructive, as MCP has it: a POST or PUT may write over what
/// can't be restored. Several requests, each of which could be repeated, can't always be repeated together.
pub fn effects(methods: &[&str], semantics: Semantics, hints: Hints) -> Effects {
    let all = |is: fn(&str) -> bool| methods.iter().all(|method| is(method));
    let reads = semantics.safe.unwrap_or_else(|| all(reads));
    let repeats = methods.len() <= 1 && all(|method| matches!(method, "PUT" | "DELETE"));
    let deletes = semantics.safe != Some(true) && !all(|method| method != "DELETE");
    let read_only = hints.read_only.unwrap_or(reads);
    Effects {
        read_only,
        destructive: hints.destructive.unwrap_or(!read_only || deletes),
        idempotent: hints.idempotent.or(semantics.idempotent).unwrap_or(reads || repeats),
        // What calls nothing touches nothing outside.
        open_world: hints.open_world.unwrap_or(!methods.is_empty()),
    }
}

fn title(document: &Document) -> String {
    let first = document.consumes.first().map(|api| api.namespace.value.clone());
    document.title.clone().or(first).unwrap_or_default()
}

/// The APIs that are called, with the methods that are used; and each operation that is called with credentials of its own.
fn upstreams(document: &Document, offers: &[Offer], handovers: &[Handover]) -> Vec<Upstream> {
    let mut upstreams = Vec::new();
    for api in &document.consumes {
        let calls = offers.iter().flat_map(|offer| &offer.calls);
        let mut called: Vec<&Consumed> = Vec::new();
        for call in calls.filter(|called| std::ptr::eq(called.consumes, api)) {
            if !called.iter().any(|known| std::ptr::eq(*known, call.consumed)) {
                called.push(call.consumed);
            }
        }
        let (own, plain): (Vec<&Consumed>, Vec<&Consumed>) =
            called.into_iter().partition(|it| it.credentials.is_some());
        let handed_on = handovers.iter().filter(|handover| std::ptr::eq(handover.consumes, api));
        let methods = plain.iter().map(|it| it.method.as_str());
        let methods = methods.chain(handed_on.flat_map(|handover| handover.methods.iter().copied()));
        upstreams.extend(upstream(api, &api.credentials, methods.collect(), None));
        for operation in own {
            let credentials = operation.credentials.as_deref().unwrap_or_default();
            let methods = BTreeSet::from([operation.method.as_str()]);
            upstreams.extend(upstream(api, credentials, methods, api.upstream_of(operation)));
        }
    }
    upstreams
}

/// `None` for what is never asked.
fn upstream(
    api: &Consumes,
    credentials: &[Credential],
    methods: BTreeSet<&str>,
    name: Option<String>,
) -> Option<Upstream> {
    let base = api.base.as_ref().filter(|_| !methods.is_empty())?;
    Some(Upstream {
        base_url: base.to_url(),
        methods: methods.into_iter().map(str::to_owned).collect(),
        credentials: credentials.to_vec(),
        name,
    })
}
