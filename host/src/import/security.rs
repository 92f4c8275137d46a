//! Security schemes -> the credentials that the host adds, made of secrets that the operator grants.
//!
//! An API of a document has one set of credentials. Operations that need other ones are left out: they would get the wrong ones.

use std::collections::HashMap;

use serde_json::{Value, json};

use super::{
    names::screaming,
    notes::Notes,
    operation::{Api, Operation},
    place::Place,
    source::{Source, Version},
};

/// The credentials of one API.
#[derive(Debug, Default)]
pub struct Credentials {
    /// `authentication` of the document.
    pub authentication: Option<Value>,
    /// Further keys, as parameters whose values are secrets.
    pub parameters: Vec<Value>,
    /// The secrets that are needed.
    pub secrets: Vec<String>,
}

/// What a scheme asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Scheme {
    Bearer,
    Basic,
    Digest,
    Key {
        place: &'static str,
        name: String,
    },
    /// The connection says who it is.
    Certificate,
}

/// Schemes that are needed together, by name.
type Alternative = Vec<String>;

/// Decides on the credentials of each API, and leaves out the operations that need other ones.
pub fn settle(source: &Source, apis: &mut [Api], namespace: &str, notes: &mut Notes) -> Vec<Credentials> {
    let mut schemes = Schemes { source, secrets: HashMap::new(), prefix: prefix(namespace) };
    apis.iter_mut()
        .map(|api| {
            let chosen = choose(&schemes, &api.operations);
            api.operations.retain(|it| is_served(&schemes, it, chosen.as_ref(), notes));
            chosen.map_or_else(Credentials::default, |chosen| schemes.credentials(&chosen, notes))
        })
        .collect()
}

/// What most operations can be called with; of equals the first.
fn choose(schemes: &Schemes<'_>, operations: &[Operation]) -> Option<Alternative> {
    let mut counts: Vec<(Alternative, usize)> = Vec::new();
    for alternative in operations.iter().flat_map(|it| schemes.alternatives(it)) {
        if alternative.is_empty() || schemes.read(&alternative).is_err() {
            continue;
        }
        match counts.iter_mut().find(|(known, _)| *known == alternative) {
            Some((_, count)) => *count += 1,
            None => counts.push((alternative, 1)),
        }
    }
    // Of equals `max_by_key` takes the last.
    counts.into_iter().rev().max_by_key(|(_, count)| *count).map(|(alternative, _)| alternative)
}

fn is_served(schemes: &Schemes<'_>, operation: &Operation, chosen: Option<&Alternative>, notes: &mut Notes) -> bool {
    let alternatives = schemes.alternatives(operation);
    let place = format!("{}.security", operation.place);
    let reasons: Vec<String> = alternatives.iter().filter_map(|it| schemes.read(it).err()).collect();
    let is_open = alternatives.is_empty() || alternatives.iter().any(Vec::is_empty);
    match chosen {
        Some(chosen) if alternatives.contains(chosen) => true,
        Some(_) if is_open => {
            notes.left_out("that no credential is needed: the API's is sent all the same", &place);
            true
        }
        Some(chosen) if reasons.len() < alternatives.len() => {
            let needed: Vec<String> = alternatives.iter().map(|it| it.join(" and ")).collect();
            notes.say(
                &operation.place,
                format!(
                    "left out: it needs {}, and the API's credential is {}; import it into a document of its own with --operation",
                    needed.join(" or "),
                    chosen.join(" and ")
                ),
            );
            false
        }
        _ => {
            for reason in reasons {
                notes.say(&place, format!("no credential is added: {reason}"));
            }
            true
        }
    }
}

struct Schemes<'a> {
    source: &'a Source,
    /// The secrets of each scheme, by its name.
    secrets: HashMap<String, Vec<String>>,
    prefix: String,
}

impl<'a> Schemes<'a> {
    fn place(&self) -> Place<'static> {
        Place::whole(match self.source.version {
            Version::Swagger2 => "securityDefinitions",
            Version::OpenApi30 | Version::OpenApi31 => "components.securitySchemes",
        })
    }

    fn definition(&self, name: &str) -> Option<&'a Value> {
        let all = match self.source.version {
            Version::Swagger2 => self.source.get("securityDefinitions"),
            Version::OpenApi30 | Version::OpenApi31 => self.source.get("components")?.get("securitySchemes"),
        };
        let (definition, _) = self.source.refs().follow(all?.get(name)?, self.place()).ok()?;
        Some(definition)
    }

    /// What an operation can be called with; nothing if anybody may call it.
    fn alternatives(&self, operation: &Operation) -> Vec<Alternative> {
        let stated = operation.security.as_ref().or_else(|| self.source.get("security"));
        let stated = stated.and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_object);
        stated.map(|schemes| schemes.keys().cloned().collect()).collect()
    }

    fn read(&self, alternative: &Alternative) -> Result<Vec<Scheme>, String> {
        let schemes: Vec<Scheme> = alternative.iter().map(|name| self.scheme(name)).collect::<Result<_, _>>()?;
        let is_account = |it: &&Scheme| matches!(it, Scheme::Bearer | Scheme::Basic | Scheme::Digest);
        match schemes.iter().filter(is_account).count() {
            0 | 1 => Ok(schemes),
            _ => Err(format!("{} share one header", alternative.join(" and "))),
        }
    }

    fn scheme(&self, name: &str) -> Result<Scheme, String> {
        let Some(definition) = self.definition(name) else {
            return Err(format!("there is no security scheme {name}"));
        };
        let text = |key: &str| definition.get(key).and_then(Value::as_str).unwrap_or_default();
        match (text("type"), text("scheme").to_ascii_lowercase().as_str(), text("in")) {
            ("http", "bearer", _) | ("oauth2" | "openIdConnect", ..) => Ok(Scheme::Bearer),
            ("http", "basic", _) | ("basic", ..) => Ok(Scheme::Basic),
            ("http", "digest", _) => Ok(Scheme::Digest),
            ("mutualTLS", ..) => Ok(Scheme::Certificate),
            ("apiKey", _, "header") if crate::document::may_send_header(text("name")) => {
                Ok(Scheme::Key { place: "header", name: text("name").to_owned() })
            }
            ("apiKey", _, "query") if !text("name").is_empty() => {
                Ok(Scheme::Key { place: "query", name: text("name").to_owned() })
            }
            ("apiKey", _, place) => Err(format!("{name} is a key in: {place}, by the name {:?}", text("name"))),
            ("http", other, _) => Err(format!("{name} is HTTP authentication {other}")),
            (other, ..) => Err(format!("{name} is of the type {other:?}")),
        }
    }

    fn credentials(&mut self, chosen: &Alternative, notes: &mut Notes) -> Credentials {
        let mut credentials = Credentials::default();
        let schemes = self.read(chosen).unwrap_or_default();
        for (name, scheme) in chosen.iter().zip(schemes) {
            let secrets = self.secrets_of(name, &scheme);
            let template = |index: usize| format!("{{{{env.{}}}}}", secrets[index]);
            let authentication = match &scheme {
                Scheme::Bearer => json!({"type": "bearer", "token": template(0)}),
                Scheme::Basic => json!({"type": "basic", "username": template(0), "password": template(1)}),
                Scheme::Digest => json!({"type": "digest", "username": template(0), "password": template(1)}),
                Scheme::Key { place, name } if credentials.authentication.is_none() && chosen.len() == 1 => {
                    json!({"type": "apikey", "key": name, "value": template(0), "placement": place})
                }
                Scheme::Key { place, name } => {
                    credentials.parameters.push(json!({"name": name, "in": place, "value": template(0)}));
                    Value::Null
                }
                Scheme::Certificate => Value::Null,
            };
            if !authentication.is_null() {
                credentials.authentication = Some(authentication);
            }
            self.note(name, &scheme, &secrets, notes);
            credentials.secrets.extend(secrets);
        }
        credentials
    }

    fn note(&self, name: &str, scheme: &Scheme, secrets: &[String], notes: &mut Notes) {
        let definition = self.definition(name).unwrap_or(&Value::Null);
        let place = self.place();
        let here = place.key(name);
        match (definition.get("type").and_then(Value::as_str), scheme) {
            (Some("oauth2"), _) => {
                let flow =
                    definition.pointer("/flows/clientCredentials/tokenUrl").or_else(|| definition.get("tokenUrl"));
                let url = flow.and_then(Value::as_str).unwrap_or("…");
                let secret = &secrets[0];
                notes.say(
                    &here,
                    format!(
                        "sent as a bearer token; the grant can have it fetched: secrets.{secret} = {{ oauth2 = {{ token_url = \"{url}\", … }} }}"
                    ),
                );
            }
            (Some("openIdConnect"), _) => {
                notes.say(&here, format!("sent as a bearer token, the secret {}", secrets[0]));
            }
            (_, Scheme::Certificate) => {
                notes.say(&here, "the certificate is given in the plugin's grant, under tls");
            }
            _ => {}
        }
    }

    /// The names of a scheme's secrets: the same each time it is needed.
    fn secrets_of(&mut self, name: &str, scheme: &Scheme) -> Vec<String> {
        if let Some(known) = self.secrets.get(name) {
            return known.clone();
        }
        let endings: &[&str] = match scheme {
            Scheme::Bearer => &["TOKEN"],
            Scheme::Basic | Scheme::Digest => &["USER", "PASSWORD"],
            Scheme::Key { .. } => &["API_KEY"],
            Scheme::Certificate => &[],
        };
        let is_taken = |wanted: &String| self.secrets.values().flatten().any(|known| known == wanted);
        let plain = self.prefix.clone();
        let own = format!("{plain}_{}", screaming(name));
        let numbered = (2..).map(|number: usize| format!("{own}_{number}"));
        let named = |prefix: &String| endings.iter().map(|ending| format!("{prefix}_{ending}")).collect::<Vec<_>>();
        let prefixes = [plain, own.clone()].into_iter().chain(numbered);
        let free = prefixes.map(|prefix| named(&prefix)).find(|names| !names.iter().any(is_taken));
        let free = free.expect("there are more numbers than names");
        self.secrets.insert(name.to_owned(), free.clone());
        free
    }
}

/// Environment variables don't begin with a digit.
fn prefix(namespace: &str) -> String {
    match screaming(namespace) {
        name if name.is_empty() => "API".to_owned(),
        name if name.starts_with(|c: char| c.is_ascii_digit()) => format!("API_{name}"),
        name => name,
    }
}
