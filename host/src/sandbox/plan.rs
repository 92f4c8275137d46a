//! A plan as the document runtime takes it. (What the runtime then answers goes through `convert` as any guest's answers do.)

use serde_json::Value as Json;

mod flow;
mod pages;

use super::{
    bindings::{plan as wit_plan, types as wit},
    convert, facts,
    shape::shape,
};
use crate::{contract, document::plan};

impl From<&plan::Plan> for wit_plan::Plan {
    fn from(it: &plan::Plan) -> Self {
        Self {
            description: wit_description(&it.description),
            actions: it.actions.iter().map(action).collect(),
            facts: facts::wit_facts(&it.facts),
        }
    }
}

fn action(it: &plan::Action) -> wit_plan::Action {
    match it {
        plan::Action::Call(it) => wit_plan::Action::Call(call(it)),
        plan::Action::Made(it) => wit_plan::Action::Made(shape(it)),
        plan::Action::Flow(it) => wit_plan::Action::Flow(flow::flow(it)),
        plan::Action::Constant(it) => wit_plan::Action::Constant(convert::wit_resource(it)),
        plan::Action::Pages(it) => wit_plan::Action::Pages(pages::pages(it)),
    }
}

fn call(it: &plan::Call) -> wit_plan::Call {
    wit_plan::Call { request: request(&it.request), answer: answer(&it.answer) }
}

fn answer(it: &plan::Answer) -> wit_plan::Answer {
    match it {
        plan::Answer::HandedOn => wit_plan::Answer::HandedOn,
        plan::Answer::Shaped(format, it) => wit_plan::Answer::Shaped(shaped(format, it)),
        plan::Answer::Binary(it) => {
            wit_plan::Answer::Binary(wit_plan::Binary { media_type: it.media_type.clone(), max_size: it.max_size })
        }
    }
}

fn shaped(format: &plan::RawFormat, made: &plan::Shape) -> wit_plan::Shaped {
    wit_plan::Shaped { format: raw_format(format), shape: shape(made) }
}

fn raw_format(it: &plan::RawFormat) -> wit_plan::RawFormat {
    match it {
        plan::RawFormat::Json => wit_plan::RawFormat::Json,
        plan::RawFormat::Xml => wit_plan::RawFormat::Xml,
        plan::RawFormat::Delimited(separator) => wit_plan::RawFormat::Delimited(*separator),
        plan::RawFormat::Yaml => wit_plan::RawFormat::Yaml,
        plan::RawFormat::Markdown(heading) => wit_plan::RawFormat::Markdown(heading.clone()),
        plan::RawFormat::Text => wit_plan::RawFormat::Text,
        plan::RawFormat::Html(selectors) => {
            let part = |it: &plan::ElementSelector| wit_plan::ElementSelector {
                tag: it.tag.clone(),
                id: it.id.clone(),
                classes: it.classes.clone(),
            };
            let selector = |it: &plan::Selector| it.iter().map(part).collect();
            wit_plan::RawFormat::Html(selectors.iter().map(selector).collect())
        }
    }
}

fn request(it: &plan::Request) -> wit_plan::Request {
    wit_plan::Request {
        method: it.method.clone(),
        scheme: it.scheme.clone(),
        authority: it.authority.clone(),
        path: it.path.iter().map(path_part).collect(),
        query: it.query.iter().map(query_parameter).collect(),
        headers: it.headers.iter().map(named_value).collect(),
        cookies: it.cookies.iter().map(named_value).collect(),
        body: body(&it.body),
    }
}

fn body(it: &plan::Body) -> wit_plan::Body {
    match it {
        plan::Body::Empty => wit_plan::Body::Empty,
        plan::Body::Json(it) => wit_plan::Body::Json(value(it)),
        plan::Body::JsonMembers(members) => wit_plan::Body::JsonMembers(members.iter().map(named_value).collect()),
        plan::Body::JsonTree(nodes) => wit_plan::Body::JsonTree(nodes.iter().map(json_node).collect()),
        plan::Body::Text(text) => wit_plan::Body::Text(wit_plan::TextBody {
            media_type: text.media_type.clone(),
            parts: text.parts.iter().map(text_part).collect(),
        }),
        plan::Body::Form(fields) => wit_plan::Body::Form(fields.iter().map(named_value).collect()),
        plan::Body::Multipart(parts) => wit_plan::Body::Multipart(parts.iter().map(form_part).collect()),
        plan::Body::Streamed => wit_plan::Body::Streamed,
    }
}

fn json_node(it: &plan::JsonNode) -> wit_plan::JsonNode {
    match it {
        plan::JsonNode::Value(it) => wit_plan::JsonNode::Value(value(it)),
        plan::JsonNode::Object(members) => {
            let member = |(name, node): &(String, u32)| wit_plan::JsonMember { name: name.clone(), node: *node };
            wit_plan::JsonNode::Object(members.iter().map(member).collect())
        }
        plan::JsonNode::Array(items) => wit_plan::JsonNode::Array(items.clone()),
    }
}

fn text_part(it: &plan::TextPart) -> wit_plan::TextPart {
    match it {
        plan::TextPart::Text(text) => wit_plan::TextPart::Text(text.clone()),
        plan::TextPart::Hole(it, how) => wit_plan::TextPart::Hole(wit_plan::Hole {
            value: value(it),
            escape: match how {
                plan::Escape::None => wit_plan::Escape::None,
                plan::Escape::Xml => wit_plan::Escape::Xml,
                plan::Escape::Form => wit_plan::Escape::Form,
                plan::Escape::SparqlString => wit_plan::Escape::SparqlString,
                plan::Escape::SparqlIri => wit_plan::Escape::SparqlIri,
                plan::Escape::SparqlTerm => wit_plan::Escape::SparqlTerm,
            },
        }),
    }
}

fn form_part(it: &plan::FormPart) -> wit_plan::FormPart {
    wit_plan::FormPart {
        name: it.name.clone(),
        value: value(&it.value),
        filename: it.filename.as_ref().map(value),
        content_type: it.content_type.as_ref().map(value),
    }
}

fn path_part(it: &plan::PathPart) -> wit_plan::PathPart {
    match it {
        plan::PathPart::Literal(text) => wit_plan::PathPart::Literal(text.clone()),
        plan::PathPart::Value(it) => wit_plan::PathPart::Value(value(it)),
        plan::PathPart::Rest(input) => wit_plan::PathPart::Rest(input.clone()),
    }
}

fn query_parameter(it: &plan::QueryParameter) -> wit_plan::QueryParameter {
    wit_plan::QueryParameter {
        name: it.name.clone(),
        value: value(&it.value),
        style: match it.style {
            plan::QueryStyle::FormExploded => wit_plan::QueryStyle::FormExploded,
            plan::QueryStyle::Form => wit_plan::QueryStyle::Form,
            plan::QueryStyle::SpaceDelimited => wit_plan::QueryStyle::SpaceDelimited,
            plan::QueryStyle::PipeDelimited => wit_plan::QueryStyle::PipeDelimited,
            plan::QueryStyle::DeepObject => wit_plan::QueryStyle::DeepObject,
            plan::QueryStyle::Verbatim => wit_plan::QueryStyle::Verbatim,
        },
    }
}

fn named_value(it: &plan::NamedValue) -> wit_plan::NamedValue {
    wit_plan::NamedValue { name: it.name.clone(), value: value(&it.value) }
}

pub(super) fn value(it: &plan::Value) -> wit_plan::Value {
    match it {
        plan::Value::Input(name) => wit_plan::Value::Input(name.clone()),
        plan::Value::Constant(json) => wit_plan::Value::Constant(json.to_string()),
        plan::Value::Template(parts) => {
            let parts = parts.iter().map(|part| match part {
                plan::TemplatePart::Text(text) => wit_plan::TemplatePart::Text(text.clone()),
                plan::TemplatePart::Input(name) => wit_plan::TemplatePart::Input(name.clone()),
                plan::TemplatePart::Step(it) => wit_plan::TemplatePart::Step(flow::part(it)),
            });
            wit_plan::Value::Template(parts.collect())
        }
        plan::Value::Step(it) => wit_plan::Value::Step(flow::part(it)),
    }
}

fn wit_description(it: &contract::Description) -> wit::Description {
    wit::Description {
        title: it.title.clone(),
        summary: it.summary.clone(),
        operations: it.operations.iter().map(wit_operation).collect(),
        upstreams: it.upstreams.iter().map(wit_upstream).collect(),
    }
}

fn wit_operation(it: &contract::Operation) -> wit::Operation {
    wit::Operation {
        name: it.name.clone(),
        title: it.title.clone(),
        description: it.description.clone(),
        input_schema: it.input_schema.to_string(),
        output_schema: it.output_schema.as_ref().map(Json::to_string),
        effects: wit::Effects {
            read_only: it.effects.read_only,
            destructive: it.effects.destructive,
            idempotent: it.effects.idempotent,
            open_world: it.effects.open_world,
        },
        route: it.route.as_ref().map(wit_route),
        tool: it.tool.clone(),
        audience: match it.audience {
            contract::Audience::Anyone => wit::Audience::Anyone,
            contract::Audience::Known => wit::Audience::Known,
        },
    }
}

fn wit_route(it: &contract::Route) -> wit::Route {
    let parameters = it.parameters.iter().map(|it| wit::Parameter {
        input: it.input.clone(),
        location: match it.location {
            contract::Location::Path => wit::Location::Path,
            contract::Location::Query => wit::Location::Query,
            contract::Location::Header => wit::Location::Header,
            contract::Location::Cookie => wit::Location::Cookie,
            contract::Location::Body => wit::Location::Body,
            contract::Location::BodyMember => wit::Location::BodyMember,
            contract::Location::RawQuery => wit::Location::RawQuery,
            contract::Location::RawBody => wit::Location::RawBody,
        },
        name: it.name.clone(),
    });
    wit::Route { method: it.method.clone(), path: it.path.clone(), parameters: parameters.collect() }
}

fn wit_upstream(it: &contract::Upstream) -> wit::Upstream {
    let credentials = it.credentials.iter().map(|it| wit::Credential {
        placement: match &it.placement {
            contract::Placement::Header(name) => wit::Placement::Header(name.clone()),
            contract::Placement::Query(name) => wit::Placement::Query(name.clone()),
            contract::Placement::Basic => wit::Placement::Basic,
            contract::Placement::Digest => wit::Placement::Digest,
            contract::Placement::OAuth2(it) => wit::Placement::Oauth2(wit::TokenRequest {
                url: it.url.clone(),
                client_id: it.client_id.clone(),
                scope: it.scope.clone(),
                audience: it.audience.clone(),
                resource: it.resource.clone(),
            }),
        },
        value: it.value.clone(),
    });
    wit::Upstream {
        base_url: it.base_url.clone(),
        methods: it.methods.clone(),
        credentials: credentials.collect(),
        name: it.name.clone(),
    }
}
