//! The optional interfaces of a guest: resources, prompts, completions. Each call in a fresh instance with the limits of any other.
//!
//! Whether a prompt exists and its required arguments are there is `invoke`'s to check.

use futures::FutureExt;
use wasmtime::{
    Store,
    component::{Component, ComponentExportIndex, InstancePre},
};

use super::{
    Allowance, Guest, Sandbox,
    bindings::{
        DocumentRuntimePre, WithCompletionsPre, WithPromptsPre, WithResourcesPre, completions as wit_completions,
        prompts as wit_prompts, resources as wit_resources, types as wit,
    },
    convert,
    run::Run,
    state::State,
};
use crate::{
    contract::{
        Facts, FilledIn, Link, Offers, Prompt, PromptMessages, PromptParameter, Resource, ResourceTemplate, Subject,
        Suggestions,
    },
    failure::Failure,
};

/// What a component exports besides the provider, linked.
#[derive(Clone)]
pub(super) struct Optional {
    resources: Option<WithResourcesPre<State>>,
    prompts: Option<WithPromptsPre<State>>,
    completions: Option<WithCompletionsPre<State>>,
    /// What a compiled document tells the host besides.
    pub(super) document: Option<DocumentRuntimePre<State>>,
}

impl Optional {
    /// Looks up what is there, once per component.
    ///
    /// # Errors
    /// It exports one of the interfaces with other types.
    pub(super) fn of(component: &Component, linked: &InstancePre<State>) -> wasmtime::Result<Self> {
        let export = |interface: &str| -> Option<ComponentExportIndex> {
            component.get_export_index(None, &*format!("airlock:capability/{interface}@0.1.0"))
        };
        let linked = || linked.clone();
        Ok(Self {
            resources: export("resources").map(|_| WithResourcesPre::new(linked())).transpose()?,
            prompts: export("prompts").map(|_| WithPromptsPre::new(linked())).transpose()?,
            completions: export("completions").map(|_| WithCompletionsPre::new(linked())).transpose()?,
            document: component
                .get_export_index(None, "configure")
                .map(|_| DocumentRuntimePre::new(linked()))
                .transpose()?,
        })
    }

    fn offers(&self) -> Offers {
        Offers {
            resources: self.resources.is_some(),
            prompts: self.prompts.is_some(),
            completions: self.completions.is_some(),
        }
    }
}

impl Guest {
    /// Which of the optional interfaces it exports, or what of that kind a document has.
    pub fn offers(&self) -> Offers {
        match self.facts() {
            Some(facts) => Offers {
                resources: !facts.resources.is_empty(),
                prompts: !facts.prompts.is_empty(),
                completions: false,
            },
            None => self.optional.offers(),
        }
    }

    /// What a document says besides; `None` for a guest that was written by hand.
    pub fn facts(&self) -> Option<&Facts> {
        self.facts.get()
    }

    /// Whether an operation is one request of a document: what the caller's request depends on is what that request depends on.
    pub fn is_one_request(&self, operation: &str) -> bool {
        self.facts().is_some_and(|facts| facts.one_request.contains(operation))
    }
}

impl Sandbox {
    /// The guest's resources; none if it hasn't the interface.
    ///
    /// # Errors
    /// As [`Sandbox::call`], for this function and those below.
    pub async fn list_resources(&self, guest: &Guest, allowance: Allowance) -> Result<Vec<Link>, Failure> {
        let Some(resources) = guest.optional.resources.clone() else { return Ok(Vec::new()) };
        let listed = self.ask(guest, allowance, move |store| {
            async move {
                let instance = resources.instantiate_async(&mut *store).await?;
                let links = instance.airlock_capability_resources().call_list_resources(&mut *store).await?;
                Ok(links.map(|links| links.into_iter().map(convert::link).collect()))
            }
            .boxed()
        });
        listed.await
    }

    /// The guest's families of resources; none if it hasn't the interface.
    ///
    /// # Errors
    /// As above.
    pub async fn list_templates(&self, guest: &Guest, allowance: Allowance) -> Result<Vec<ResourceTemplate>, Failure> {
        let Some(resources) = guest.optional.resources.clone() else { return Ok(Vec::new()) };
        let listed = self.ask(guest, allowance, move |store| {
            async move {
                let instance = resources.instantiate_async(&mut *store).await?;
                let templates = instance.airlock_capability_resources().call_list_templates(&mut *store).await?;
                Ok(templates.map(|templates| templates.into_iter().map(template).collect()))
            }
            .boxed()
        });
        listed.await
    }

    /// One of the guest's resources; `None` if it hasn't this one.
    ///
    /// # Errors
    /// As above.
    pub async fn read_resource(
        &self,
        guest: &Guest,
        allowance: Allowance,
        uri: String,
    ) -> Result<Option<Vec<Resource>>, Failure> {
        let Some(resources) = guest.optional.resources.clone() else { return Ok(None) };
        let found = self.ask(guest, allowance, move |store| {
            async move {
                let instance = resources.instantiate_async(&mut *store).await?;
                let found = instance.airlock_capability_resources().call_read(&mut *store, &uri).await?;
                Ok(found.map(|found| match found {
                    Some(parts) => parts.into_iter().map(convert::resource).collect::<Result<_, _>>().map(Some),
                    None => Ok(None),
                }))
            }
            .boxed()
        });
        found.await
    }

    /// The guest's prompts; none if it hasn't the interface.
    ///
    /// # Errors
    /// As above.
    pub async fn list_prompts(&self, guest: &Guest, allowance: Allowance) -> Result<Vec<Prompt>, Failure> {
        let Some(prompts) = guest.optional.prompts.clone() else { return Ok(Vec::new()) };
        let listed = self.ask(guest, allowance, move |store| {
            async move {
                let instance = prompts.instantiate_async(&mut *store).await?;
                let prompts = instance.airlock_capability_prompts().call_list_prompts(&mut *store).await?;
                Ok(prompts.map(|prompts| prompts.into_iter().map(prompt).collect()))
            }
            .boxed()
        });
        listed.await
    }

    /// One of the guest's prompts, filled in; `None` if it hasn't the interface.
    ///
    /// # Errors
    /// As above.
    pub async fn get_prompt(
        &self,
        guest: &Guest,
        allowance: Allowance,
        name: String,
        arguments: Vec<FilledIn>,
    ) -> Result<Option<PromptMessages>, Failure> {
        let Some(prompts) = guest.optional.prompts.clone() else { return Ok(None) };
        let arguments: Vec<_> = arguments.into_iter().map(argument).collect();
        let made = self.ask(guest, allowance, move |store| {
            async move {
                let instance = prompts.instantiate_async(&mut *store).await?;
                let made = instance.airlock_capability_prompts().call_get(&mut *store, &name, &arguments).await?;
                Ok(made.map(|made| messages(made).map(Some)))
            }
            .boxed()
        });
        made.await
    }

    /// What the guest suggests for a field; nothing if it hasn't the interface.
    ///
    /// # Errors
    /// As above.
    pub async fn complete(
        &self,
        guest: &Guest,
        allowance: Allowance,
        subject: Subject,
        typed: String,
        filled_in: Vec<FilledIn>,
    ) -> Result<Suggestions, Failure> {
        let Some(completions) = guest.optional.completions.clone() else { return Ok(Suggestions::default()) };
        let (subject, filled_in) = (wit_subject(subject), filled_in.into_iter().map(argument).collect::<Vec<_>>());
        let suggested = self.ask(guest, allowance, move |store| {
            async move {
                let instance = completions.instantiate_async(&mut *store).await?;
                let completions = instance.airlock_capability_completions();
                let suggested = completions.call_complete(&mut *store, &subject, &typed, &filled_in).await?;
                Ok(suggested.map(|it| Ok(Suggestions::new(it.values, it.total))))
            }
            .boxed()
        });
        suggested.await
    }

    /// Runs code of a guest that makes the host's own of what it gives: that is at the guest's expense too.
    async fn ask<T: Send + 'static>(
        &self,
        guest: &Guest,
        allowance: Allowance,
        code: impl for<'a> FnOnce(&'a mut Store<State>) -> Run<'a, Result<T, Failure>> + Send + 'static,
    ) -> Result<T, Failure> {
        self.run(guest, allowance, code).await?
    }
}

fn template(it: wit_resources::ResourceTemplate) -> Result<ResourceTemplate, Failure> {
    Ok(ResourceTemplate {
        uri_template: convert::uri_template(it.uri_template)?,
        name: it.name,
        title: it.title,
        description: it.description,
        media_type: it.media_type.map(convert::media_type).transpose()?,
    })
}

fn prompt(it: wit_prompts::Prompt) -> Result<Prompt, Failure> {
    let parameters = it.parameters.into_iter().map(|it| PromptParameter {
        name: it.name,
        title: it.title,
        description: it.description,
        required: it.required,
    });
    Ok(Prompt {
        name: convert::name(it.name)?,
        title: it.title,
        description: it.description,
        parameters: parameters.collect(),
    })
}

fn messages(it: wit_prompts::Messages) -> Result<PromptMessages, Failure> {
    let messages = it.messages.into_iter().map(convert::message).collect::<Result<_, _>>()?;
    Ok(PromptMessages { description: it.description, messages })
}

fn argument(it: FilledIn) -> wit::Argument {
    wit::Argument { name: it.name, value: it.value }
}

fn wit_subject(it: Subject) -> wit_completions::Subject {
    match it {
        Subject::Prompt { name: of, parameter: name } => {
            wit_completions::Subject::Prompt(wit_completions::Field { of, name })
        }
        Subject::ResourceTemplate { uri_template: of, variable: name } => {
            wit_completions::Subject::ResourceTemplate(wit_completions::Field { of, name })
        }
    }
}
