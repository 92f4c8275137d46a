//! What plugins offer besides operations, by the same way as a call: admit, run in a fresh instance, hand back, log.
//!
//! One plugin at a time: whose a URI is, is for the door to find out. It doesn't charge the caller either: a door asks several plugins
//! for one request.

use tracing::Instrument;

use super::{count, document, noted};
use crate::{
    callers::Reading,
    component::Plugin,
    contract::{Dialogue, FilledIn, Link, Prompt, PromptMessages, Resource, ResourceTemplate, Subject, Suggestions},
    failure::{Failure, InputProblem},
    sandbox::Allowance,
};

/// Whom a request goes to, and who asks.
#[derive(Clone, Debug)]
pub struct Request {
    /// The plugin, and proof that the caller may ask it. Holding it keeps the plugin alive, as with a call.
    pub reading: Reading,
    /// What the caller can be asked and wants to hear.
    pub dialogue: Dialogue,
}

/// The plugin's resources; none if it hasn't any, which costs nothing.
///
/// # Errors
/// As [`super::invoke`], for this function and those below. Only [`read_resource`] and [`get_prompt`] may ask something back.
pub async fn list_resources(request: Request) -> Result<Vec<Link>, Failure> {
    if let Some(facts) = request.reading.plugin().facts() {
        return Ok(document::links(facts, &request.reading));
    }
    match request.reading.plugin().offers().resources {
        true => {
            let list = async |plugin: &Plugin, allowance| unasked(plugin.list_resources(allowance).await);
            request.run("resources/list", list).await
        }
        false => Ok(Vec::new()),
    }
}

/// The plugin's families of resources; none if it hasn't any, which costs nothing.
///
/// # Errors
/// As above.
pub async fn list_templates(request: Request) -> Result<Vec<ResourceTemplate>, Failure> {
    if let Some(facts) = request.reading.plugin().facts() {
        return Ok(document::templates(facts, &request.reading));
    }
    match request.reading.plugin().offers().resources {
        true => {
            let list = async |plugin: &Plugin, allowance| unasked(plugin.list_templates(allowance).await);
            request.run("resources/templates/list", list).await
        }
        false => Ok(Vec::new()),
    }
}

/// One of the plugin's resources; `None` if it hasn't this one.
///
/// # Errors
/// As above.
pub async fn read_resource(request: Request, uri: String) -> Result<Option<Vec<Resource>>, Failure> {
    if request.reading.plugin().facts().is_some() {
        return document::read(request, uri).await;
    }
    match request.reading.plugin().offers().resources {
        true => {
            let read = async |plugin: &Plugin, allowance| plugin.read_resource(allowance, uri).await;
            request.run("resources/read", read).await
        }
        false => Ok(None),
    }
}

/// The plugin's prompts; none if it hasn't any, which costs nothing.
///
/// # Errors
/// As above.
pub async fn list_prompts(request: Request) -> Result<Vec<Prompt>, Failure> {
    if let Some(facts) = request.reading.plugin().facts() {
        return Ok(facts.prompts.iter().map(|written| written.prompt.clone()).collect());
    }
    match request.reading.plugin().offers().prompts {
        true => {
            let list = async |plugin: &Plugin, allowance| unasked(plugin.list_prompts(allowance).await);
            request.run("prompts/list", list).await
        }
        false => Ok(Vec::new()),
    }
}

/// One of the plugin's prompts, filled in; `None` if it hasn't this one.
///
/// # Errors
/// As above; [`Failure::InvalidInput`] names the required arguments that aren't there.
pub async fn get_prompt(
    request: Request,
    name: String,
    arguments: Vec<FilledIn>,
) -> Result<Option<PromptMessages>, Failure> {
    let prompts = list_prompts(request.clone()).await?;
    let Some(prompt) = prompts.into_iter().find(|prompt| prompt.name == name) else { return Ok(None) };
    require(&prompt, &arguments)?;
    if let Some(facts) = request.reading.plugin().facts() {
        return document::fill_in(facts, &prompt, &arguments);
    }
    let get = async |plugin: &Plugin, allowance| plugin.get_prompt(allowance, name, arguments).await;
    request.run("prompts/get", get).await
}

/// What the plugin suggests for a field; nothing if it doesn't suggest.
///
/// # Errors
/// As above.
pub async fn complete(
    request: Request,
    subject: Subject,
    typed: String,
    filled_in: Vec<FilledIn>,
) -> Result<Suggestions, Failure> {
    match request.reading.plugin().offers().completions {
        true => {
            let suggest =
                async |plugin: &Plugin, allowance| unasked(plugin.complete(allowance, subject, typed, filled_in).await);
            request.run("completion/complete", suggest).await
        }
        false => Ok(Suggestions::default()),
    }
}

impl Request {
    /// `what` stands where a call has its operation; no operation has a slash in its name.
    async fn run<T>(
        self,
        what: &str,
        code: impl AsyncFnOnce(&Plugin, Allowance) -> Result<T, Failure>,
    ) -> Result<T, Failure> {
        let Self { reading, dialogue } = self;
        let plugin = reading.plugin();
        let abilities = dialogue.abilities;
        let asked = async {
            let _permit = plugin.admit().await?;
            let outcome = code(plugin, plugin.allowance(what, reading.caller(), dialogue)).await;
            outcome.map_err(|failure| noted(failure, abilities))
        };
        let outcome = asked.instrument(tracing::info_span!("call", plugin = plugin.name(), operation = what)).await;
        outcome.inspect_err(|failure| count(plugin, failure))
    }
}

/// Refuses arguments that lack what the prompt requires.
fn require(prompt: &Prompt, arguments: &[FilledIn]) -> Result<(), Failure> {
    let missing = prompt.parameters.iter().filter(|it| it.required);
    let missing = missing.filter(|it| arguments.iter().all(|argument| argument.name != it.name));
    let problems: Vec<_> = missing
        .map(|it| InputProblem { parameter: Some(it.name.clone()), message: "is required".to_owned() })
        .collect();
    match problems.is_empty() {
        true => Ok(()),
        false => Err(Failure::InvalidInput(problems)),
    }
}

/// Refuses questions where MCP has no way to ask them.
fn unasked<T>(outcome: Result<T, Failure>) -> Result<T, Failure> {
    outcome.map_err(|failure| match failure {
        Failure::InputRequired(_) => {
            let reason = "it asks something back, which only a call, a resource and a prompt can do".to_owned();
            Failure::BadReply { reason }
        }
        other => other,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::contract::{Consent, Questions};

    #[test]
    fn a_list_asks_nothing_back() {
        let questions = Questions { questions: Vec::new(), state: None, consent: Consent::Unasked };
        let asked: Result<(), _> = unasked(Err(Failure::InputRequired(Box::new(questions))));
        assert!(matches!(asked, Err(Failure::BadReply { .. })), "{asked:?}");
        let busy: Result<(), _> = unasked(Err(Failure::Busy { running: 1 }));
        assert!(matches!(busy, Err(Failure::Busy { running: 1 })), "{busy:?}");
        assert_eq!(unasked(Ok(1)).expect("no failure"), 1);
    }
}
