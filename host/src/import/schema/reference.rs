//! References: what they lead to, written in their place, with what stands beside them.

use serde_json::{Map, Value};

use super::{
    KEYWORD_COST, TooLarge, Walk, all_of, keywords,
    older::{is_nullable, make_nullable},
};
use crate::import::place::Place;

impl Walk<'_, '_> {
    pub(super) fn reference(
        &mut self,
        reference: &str,
        beside: &Map<String, Value>,
        place: &Place<'_>,
        levels: usize,
    ) -> Result<Value, TooLarge> {
        let (target, target_place) = match self.renderer.refs.target(reference) {
            Ok(found) => found,
            Err(reason) => {
                self.notes.say(place, format!("{reason}; taken as anything"));
                return Ok(self.free(beside)?.into());
            }
        };
        if self.stack.iter().any(|it| it == reference) {
            self.notes.say(&target_place, "schema refers to itself: there it is a free value");
            let target = target.as_object().cloned().unwrap_or_default();
            return Ok(self.free(&target)?.into());
        }
        self.stack.push(reference.to_owned());
        let rendered = self.schema(target, &target_place, levels);
        self.stack.pop();
        self.beside_reference(rendered?, beside, place, levels)
    }

    /// What stands beside a reference counts since 3.1. Before, only a description and `nullable` are meant in earnest.
    fn beside_reference(
        &mut self,
        target: Value,
        beside: &Map<String, Value>,
        place: &Place<'_>,
        levels: usize,
    ) -> Result<Value, TooLarge> {
        let mut beside = beside.clone();
        beside.remove("$ref");
        if self.is_old() {
            beside.retain(|key, _| {
                matches!(key.as_str(), "description" | "nullable" | "x-nullable" | "readOnly" | "writeOnly")
            });
        }
        let Value::Object(mut target) = target else {
            return Ok(target);
        };
        if beside.is_empty() {
            return Ok(target.into());
        }
        let nullable = is_nullable(&beside);
        let mut own = self.keywords(&beside, place, levels)?;
        if let Some(description) = own.remove("description") {
            put_second(&mut target, "description", description);
        }
        all_of::merge(&mut target, vec![own.into()]);
        if nullable {
            make_nullable(&mut target);
        }
        Ok(target.into())
    }

    /// A schema of which only the type and the description are left.
    pub(super) fn free(&mut self, keywords: &Map<String, Value>) -> Result<Map<String, Value>, TooLarge> {
        let mut free = Map::new();
        if let Some(kind) = keywords.get("type").and_then(keywords::types) {
            free.insert("type".to_owned(), kind);
        }
        if let Some(description) = keywords.get("description").and_then(keywords::text) {
            self.spend(KEYWORD_COST + description.to_string().len())?;
            free.insert("description".to_owned(), description);
        }
        if self.is_old() && is_nullable(keywords) {
            make_nullable(&mut free);
        }
        Ok(free)
    }
}

/// Sets a keyword that is read right after the type.
fn put_second(schema: &mut Map<String, Value>, keyword: &str, value: Value) {
    let at = usize::from(schema.keys().next().is_some_and(|first| first == "type"));
    schema.shift_remove(keyword);
    schema.shift_insert(at.min(schema.len()), keyword.to_owned(), value);
}
