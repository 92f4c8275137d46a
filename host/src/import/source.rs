//! Text -> a description of a known version. Limits hold before anything is built from it.

use serde_json::Value;
use serde_saphyr::{MessageFormatter, options::NonFiniteFloatPolicy};

use super::{ImportError, notes::Notes, place::Place, refs::Refs};

/// The largest text. The largest public descriptions of one API have about 12 MB.
pub const MAX_SOURCE_BYTES: usize = 16 << 20;
/// The most values, those that aliases repeat included. 16 MB of description have half a million; a million fit into 200 MB of memory.
const MAX_VALUES: usize = 1_000_000;
/// The deepest nesting: 16 objects inside each other in a schema that is written in place. An unoptimised build takes 42 kB of stack
/// for each level of YAML, and a thread has 2 MiB.
const MAX_DEPTH: usize = 40;
/// The most aliases: some generators write each repeated value as one.
const MAX_ALIASES: usize = 20_000;
/// The most values that aliases repeat. They stand for examples and errors; a hundred thousand are a bomb, and take seconds to unfold.
const MAX_REPEATED: usize = 100_000;

/// A description.
#[derive(Debug)]
pub struct Source {
    root: Value,
    /// What it is written in.
    pub version: Version,
}

/// The versions that are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Version {
    /// Swagger 2.0.
    Swagger2,
    /// OpenAPI 3.0.
    OpenApi30,
    /// OpenAPI 3.1.
    OpenApi31,
}

impl Source {
    /// Reads a description.
    ///
    /// # Errors
    /// The text is too large, no YAML or JSON, or something else than a description.
    pub fn read(text: &str) -> Result<Self, ImportError> {
        if text.len() > MAX_SOURCE_BYTES {
            let found = format!("{} bytes; expected at most {MAX_SOURCE_BYTES}", text.len());
            return Err(ImportError::TooLarge(found));
        }
        let root = parse(text)?;
        let version = version(&root)?;
        Ok(Self { root, version })
    }

    /// The references in it.
    pub fn refs(&self) -> Refs<'_> {
        Refs(&self.root)
    }

    /// A value at the top.
    pub fn get(&self, key: &str) -> Option<&Value> {
        self.root.get(key)
    }

    /// The name of the API.
    pub fn title(&self) -> &str {
        self.root.pointer("/info/title").and_then(Value::as_str).unwrap_or_default().trim()
    }

    /// Names the parts of a description that say nothing about operations.
    pub fn note_what_is_no_operation(&self, notes: &mut Notes) {
        for key in ["webhooks", "externalDocs"] {
            if self.root.get(key).is_some() {
                notes.left_out(key, &key);
            }
        }
        for key in self.root.as_object().into_iter().flatten().map(|(key, _)| key).filter(|key| key.starts_with("x-")) {
            notes.left_out(key, key);
        }
        if let Some(dialect) = self.root.get("jsonSchemaDialect") {
            notes.say(&Place::whole("jsonSchemaDialect"), format!("read as JSON Schema 2020-12: {dialect}"));
        }
    }
}

impl Version {
    /// How it is called.
    pub fn name(self) -> &'static str {
        match self {
            Self::Swagger2 => "Swagger 2.0",
            Self::OpenApi30 => "OpenAPI 3.0",
            Self::OpenApi31 => "OpenAPI 3.1",
        }
    }
}

/// JSON is read as such, for the sake of its escapes; everything else is YAML.
fn parse(text: &str) -> Result<Value, ImportError> {
    let text = text.trim_start_matches('\u{feff}');
    if !text.trim_start().starts_with('{') {
        return parse_yaml(text);
    }
    // Each value but the first comes after one of these, so that there aren't more.
    let values = text.bytes().filter(|byte| b",:[{".contains(byte)).count();
    if values > 4 * MAX_VALUES {
        return Err(ImportError::TooLarge(format!("more than {MAX_VALUES} values")));
    }
    match serde_json::from_str(text) {
        Ok(root) => Ok(root),
        // A flow mapping of YAML begins like this too.
        Err(json) => parse_yaml(text).map_err(|_| ImportError::Syntax {
            line: json.line(),
            column: json.column(),
            reason: json.to_string(),
        }),
    }
}

fn parse_yaml(text: &str) -> Result<Value, ImportError> {
    let options = serde_saphyr::options! {
        budget: serde_saphyr::budget! {
            max_depth: MAX_DEPTH,
            max_nodes: MAX_VALUES,
            max_events: 4 * MAX_VALUES,
            max_total_scalar_bytes: 2 * MAX_SOURCE_BYTES,
            max_aliases: MAX_ALIASES,
            max_anchors: MAX_ALIASES,
            enforce_alias_anchor_ratio: false,
        },
        alias_limits: serde_saphyr::alias_limits! { max_total_replayed_events: MAX_REPEATED },
        strict_booleans: true,
        underscored_numbers_as_strings: true,
        non_finite_float_policy: NonFiniteFloatPolicy::Reject,
        with_snippet: false,
    };
    serde_saphyr::from_str_with_options(text, options).map_err(|error| {
        let (line, column) = error.location().map_or((1, 1), |it| (it.line() as usize, it.column() as usize));
        let reason = serde_saphyr::DefaultMessageFormatter.format_message(&error).into_owned();
        ImportError::Syntax { line: line.max(1), column: column.max(1), reason }
    })
}

fn version(root: &Value) -> Result<Version, ImportError> {
    let written = |key: &str| match root.get(key)? {
        Value::String(text) => Some(text.clone()),
        // `swagger: 2.0` without quotes.
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    };
    let found = match (written("openapi"), written("swagger")) {
        (Some(text), _) if text == "3.0" || text.starts_with("3.0.") => return Ok(Version::OpenApi30),
        (Some(text), _) if text == "3.1" || text.starts_with("3.1.") => return Ok(Version::OpenApi31),
        (_, Some(text)) if text == "2.0" || text == "2" => return Ok(Version::Swagger2),
        (Some(text), _) => format!("it says `openapi: {text}`"),
        (None, Some(text)) => format!("it says `swagger: {text}`"),
        (None, None) if root.get("naftiko").or_else(|| root.get("ikanos")).is_some() => {
            "it is a capability document already".to_owned()
        }
        (None, None) if root.is_object() => "it says neither `openapi` nor `swagger`".to_owned(),
        (None, None) => "it isn't a mapping".to_owned(),
    };
    Err(ImportError::NotOpenApi { found })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_told_apart() {
        for (text, version) in [
            ("openapi: 3.0.3", Version::OpenApi30),
            ("openapi: '3.1.0'", Version::OpenApi31),
            ("openapi: 3.1", Version::OpenApi31),
            ("swagger: 2.0", Version::Swagger2),
            ("{\"swagger\": \"2.0\"}", Version::Swagger2),
            ("{swagger: '2.0'}", Version::Swagger2),
            ("\u{feff}{\"openapi\": \"3.0.0\", \"x\": \"\\ud83d\\ude00\"}", Version::OpenApi30),
        ] {
            assert_eq!(Source::read(text).unwrap().version, version, "{text}");
        }
    }

    #[test]
    fn what_is_no_description_says_what_was_expected() {
        for (text, said) in [
            ("openapi: 4.0.0", "it says `openapi: 4.0.0`"),
            ("swagger: '1.2'", "it says `swagger: 1.2`"),
            ("naftiko: 1.0.0-alpha2", "a capability document already"),
            ("a: b", "neither `openapi` nor `swagger`"),
            ("just text", "isn't a mapping"),
            ("", "isn't a mapping"),
        ] {
            let told = Source::read(text).unwrap_err().to_string();
            assert!(told.contains(said) && told.contains("expected `openapi: 3.0.x`"), "{text}: {told}");
        }
    }

    #[test]
    fn what_cannot_be_read_has_a_place() {
        for (text, place) in [("a:\n  - b\n c: d", 3), ("{\n\"a\": [}", 2), ("a: *b", 1)] {
            let error = Source::read(text).unwrap_err();
            assert_eq!(error.place().map(|(line, _)| line), Some(place), "{text:?}: {error}");
        }
        let bomb: String =
            (1..12).map(|n| format!("a{n}: &a{n} [{}]\n", vec![format!("*a{}", n - 1); 9].join(","))).collect();
        let error = Source::read(&format!("openapi: 3.0.0\na0: &a0 [x,x,x,x,x,x,x,x,x]\n{bomb}")).unwrap_err();
        assert!(error.place().is_some(), "{error}");
        assert!(matches!(Source::read(&" ".repeat(MAX_SOURCE_BYTES + 1)), Err(ImportError::TooLarge(_))));
    }
}
