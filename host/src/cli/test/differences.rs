//! What is different between what was expected and what came, each with its place.

use serde_json::Value;

/// The most differences of one example that are shown: the first ones tell what is wrong.
const MOST: usize = 20;
/// The most characters of a value that are shown.
const MAX_SHOWN: usize = 200;

/// What is different.
#[derive(Debug, Default)]
pub(super) struct Differences(Vec<(String, String, String)>);

impl Differences {
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Something else than what was expected.
    pub(super) fn add(&mut self, place: &str, expected: &str, got: &str) {
        if self.0.len() < MOST {
            self.0.push((place.to_owned(), clipped(expected), clipped(got)));
        }
    }

    /// Text that should be equal.
    pub(super) fn text(&mut self, place: &str, expected: &str, got: &str) {
        if expected != got {
            self.add(place, expected, got);
        }
    }

    /// JSON that should be equal; members and items are compared one by one. Numbers are equal by their value.
    pub(super) fn json(&mut self, place: &str, expected: &Value, got: &Value) {
        match (expected, got) {
            (Value::Object(one), Value::Object(other)) => {
                for (name, expected) in one {
                    match other.get(name) {
                        Some(got) => self.json(&format!("{place}.{name}"), expected, got),
                        None => self.add(&format!("{place}.{name}"), &expected.to_string(), "nothing"),
                    }
                }
                for (name, got) in other.iter().filter(|(name, _)| !one.contains_key(*name)) {
                    self.add(&format!("{place}.{name}"), "nothing", &got.to_string());
                }
            }
            (Value::Array(one), Value::Array(other)) if one.len() == other.len() => {
                for (index, (expected, got)) in one.iter().zip(other).enumerate() {
                    self.json(&format!("{place}[{index}]"), expected, got);
                }
            }
            (Value::Number(one), Value::Number(other)) if one.as_f64() == other.as_f64() => {}
            (expected, got) if expected == got => {}
            (expected, got) => self.add(place, &expected.to_string(), &got.to_string()),
        }
    }

    /// A line for each place, and one for each side.
    pub(super) fn lines(&self) -> impl Iterator<Item = String> {
        self.0.iter().flat_map(|(place, expected, got)| {
            [place.clone(), format!("  expected  {expected}"), format!("  got       {got}")]
        })
    }
}

fn clipped(text: &str) -> String {
    let text = text.replace(char::is_control, " ");
    match text.char_indices().nth(MAX_SHOWN) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn each_difference_has_its_place() {
        let mut found = Differences::default();
        found.json(
            "r",
            &json!({"a": 1, "b": [1, {"c": 2}], "d": null}),
            &json!({"a": 1.0, "b": [1, {"c": 3}], "e": true}),
        );
        let lines: Vec<String> = found.lines().collect();
        assert_eq!(
            lines,
            [
                "r.b[1].c",
                "  expected  2",
                "  got       3",
                "r.d",
                "  expected  null",
                "  got       nothing",
                "r.e",
                "  expected  nothing",
                "  got       true"
            ]
        );
        let mut long = Differences::default();
        long.json("r", &vec![1; 100].into(), &vec![2; 100].into());
        assert_eq!(long.lines().count(), 3 * MOST);
        long.text("x", "same", "same");
        assert!(Differences::default().is_empty() && !long.is_empty());
    }
}
