//! Follows `$ref` inside one description. What leads out of it is refused: nothing is fetched.

use percent_encoding::percent_decode_str;
use serde_json::Value;

use super::place::Place;

/// How many references may lead to each other. Real ones are two; a longer row is a circle.
const MAX_HOPS: usize = 16;

/// A whole description, in which references are looked up.
#[derive(Clone, Copy, Debug)]
pub struct Refs<'a>(pub &'a Value);

impl<'a> Refs<'a> {
    /// What a reference leads to, and where that stands.
    ///
    /// # Errors
    /// Why it leads to nothing.
    pub fn target(self, reference: &str) -> Result<(&'a Value, Place<'static>), String> {
        let Some(pointer) = reference.strip_prefix('#') else {
            return Err(format!("reference leads out of the description and isn't followed: {reference}"));
        };
        let nowhere = || format!("reference leads to nothing: {reference}");
        let pointer = percent_decode_str(pointer).decode_utf8().map_err(|_| nowhere())?;
        if !pointer.is_empty() && !pointer.starts_with('/') {
            return Err(format!("reference by anchor isn't followed: {reference}"));
        }
        let target = self.0.pointer(&pointer).ok_or_else(nowhere)?;
        let steps: Vec<String> =
            pointer.split('/').skip(1).map(|it| it.replace("~1", "/").replace("~0", "~")).collect();
        Ok((target, Place::whole(steps.join("."))))
    }

    /// The value itself, or what its reference leads to in the end.
    ///
    /// # Errors
    /// Why it leads to nothing.
    pub fn follow<'p>(self, value: &'a Value, place: Place<'p>) -> Result<(&'a Value, Place<'p>), String> {
        let (mut value, mut place) = (value, place);
        for _ in 0..MAX_HOPS {
            let Some(reference) = value.get("$ref").and_then(Value::as_str) else {
                return Ok((value, place));
            };
            (value, place) = self.target(reference)?;
        }
        Err("reference leads back to itself".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn references_are_followed_inside_the_description_only() {
        let root = json!({
            "a/b": {"c d": {"x": 1}},
            "hop": {"$ref": "#/a~1b/c%20d"},
            "circle": {"$ref": "#/circle"},
        });
        let refs = Refs(&root);
        let (found, place) = refs.follow(&root["hop"], Place::whole("hop")).unwrap();
        assert_eq!((found, place.to_string()), (&json!({"x": 1}), "a/b.c d".to_owned()));
        for (reference, reason) in [
            ("other.yaml#/x", "leads out"),
            ("https://example.com/x.json", "leads out"),
            ("file:///etc/passwd", "leads out"),
            ("#/nowhere", "leads to nothing"),
            ("#anchor", "by anchor"),
            ("#/circle", "back to itself"),
        ] {
            let value = json!({"$ref": reference});
            let told = match refs.target(reference) {
                Err(told) => told,
                Ok((target, place)) => refs.follow(target, place).unwrap_err(),
            };
            assert!(told.contains(reason), "{value}: {told}");
        }
    }
}
