//! The prompts of all plugins of an endpoint, under the names that clients see.
//!
//! Plugins are asked anew for each list, as with resources.

use std::collections::{HashMap, HashSet};

use futures::future::join_all;
use rmcp::{
    ErrorData,
    model::{
        GetPromptRequestParams, GetPromptResponse, GetPromptResult, JsonObject, PromptArgument, PromptMessage, Role,
    },
};
use serde_json::Value;

use super::{
    converse::{Before, Client, Ended},
    failure, reply,
    resources::request,
    seal::Occasion,
    tool::quoted,
};
use crate::{
    callers::Reading,
    component::Plugin,
    contract::{self, FilledIn, Message, Prompt},
    invoke::{Request, get_prompt, list_prompts},
};

/// A prompt under its name at an endpoint.
pub(super) struct Named {
    /// Plain, or `<plugin>.<prompt>` where the plain name could mean another, as with tools.
    pub(super) name: String,
    pub(super) reading: Reading,
    pub(super) prompt: Prompt,
}

/// The prompts, in the order of the plugins' names and their own lists.
pub(super) async fn list(plugins: &[Reading]) -> Vec<Named> {
    let lists = join_all(plugins.iter().map(|it| list_prompts(request(it)))).await;
    let lists = plugins
        .iter()
        .zip(lists)
        .flat_map(|(reading, prompts)| prompts.unwrap_or_default().into_iter().map(|prompt| (reading.clone(), prompt)));
    // "Each name once" is the contract, and a page begins behind a name.
    let mut seen = HashSet::new();
    name(
        lists
            .filter(|(reading, prompt)| seen.insert((reading.plugin().name().to_owned(), prompt.name.clone())))
            .collect(),
    )
}

/// A plain name is one that no other prompt has and that isn't the qualified name of any.
fn name(prompts: Vec<(Reading, Prompt)>) -> Vec<Named> {
    let qualify = |plugin: &Plugin, prompt: &Prompt| format!("{}.{}", plugin.name(), prompt.name);
    let mut users: HashMap<String, usize> = HashMap::new();
    let mut qualified = HashSet::new();
    for (reading, prompt) in &prompts {
        *users.entry(prompt.name.clone()).or_default() += 1;
        qualified.insert(qualify(reading.plugin(), prompt));
    }
    let named = prompts.into_iter().map(|(reading, prompt)| {
        let name = match users[&prompt.name] == 1 && !qualified.contains(&prompt.name) {
            true => prompt.name.clone(),
            false => qualify(reading.plugin(), &prompt),
        };
        Named { name, reading, prompt }
    });
    named.collect()
}

/// Fills in a prompt.
pub(super) async fn get(
    plugins: &[Reading],
    client: &Client<'_>,
    request: GetPromptRequestParams,
) -> Result<GetPromptResponse, ErrorData> {
    let GetPromptRequestParams { name, arguments, input_responses, request_state, .. } = request;
    let Some(named) = list(plugins).await.into_iter().find(|it| it.name == name) else {
        let text = format!("unknown prompt: {}; list the prompts to see their names", quoted(&name));
        return Err(ErrorData::invalid_params(text, None));
    };
    let (reading, prompt) = (named.reading, named.prompt.name);
    let arguments = arguments.unwrap_or_default();
    let filled_in = filled_in(&arguments)?;
    let arguments = Value::Object(arguments);
    let occasion = Occasion {
        caller: &client.name,
        method: "prompts/get",
        plugin: reading.plugin().name(),
        subject: &prompt,
        arguments: &arguments,
    };
    let before = Before { answers: input_responses, state: request_state };
    let run = |dialogue| {
        let request = Request { reading: reading.clone(), dialogue };
        get_prompt(request, prompt.clone(), filled_in.clone())
    };
    match client.converse(occasion, before, run).await? {
        Ended::Done(Ok(Some(it))) => {
            let mut result = GetPromptResult::new(it.messages.into_iter().map(message).collect());
            result.description = it.description;
            Ok(result.into())
        }
        // It was there a moment ago.
        Ended::Done(Ok(None)) => Err(ErrorData::invalid_params(format!("unknown prompt: {}", quoted(&name)), None)),
        Ended::Done(Err(failed)) => Err(failure::refuse(&failed)),
        Ended::Asks(asks) => Ok(asks.into()),
    }
}

/// A prompt as it is listed.
pub(super) fn render(named: Named) -> rmcp::model::Prompt {
    let parameters = named.prompt.parameters.into_iter().map(|it| {
        let mut argument = PromptArgument::new(it.name);
        argument.title = it.title;
        argument.description = it.description;
        argument.required = Some(it.required);
        argument
    });
    let mut prompt = rmcp::model::Prompt::new(named.name, named.prompt.description, Some(parameters.collect()));
    prompt.title = named.prompt.title;
    prompt
}

fn filled_in(arguments: &JsonObject) -> Result<Vec<FilledIn>, ErrorData> {
    let fields = arguments.iter().map(|(name, value)| match value {
        Value::String(value) => Ok(FilledIn { name: name.clone(), value: value.clone() }),
        _ => Err(ErrorData::invalid_params(format!("the argument {name:?} is not a text, as a prompt's are"), None)),
    });
    fields.collect()
}

/// A message for a model.
pub(super) fn message(it: Message) -> PromptMessage {
    let role = match it.role {
        contract::Role::User => Role::User,
        contract::Role::Assistant => Role::Assistant,
    };
    PromptMessage::new(role, reply::whole(it.content))
}
