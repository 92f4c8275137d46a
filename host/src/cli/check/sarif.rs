//! Findings as SARIF 2.1.0 (OASIS), for code scanning: every rule with its page, every result with its span.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Value, json};

use super::checked::{Checked, NO_PLUGIN, NO_PLUGIN_MEANING};
use crate::document::{Diagnostic, PAGES, Page};

/// What stands in a relative reference of RFC 3986 as it is. A colon in the first segment would make a scheme of it.
const NOT_IN_PATH: &AsciiSet = &NON_ALPHANUMERIC.remove(b'/').remove(b'-').remove(b'.').remove(b'_').remove(b'~');

pub(super) fn report(checked: &[Checked]) -> Value {
    json!({
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [{
            "tool": { "driver": {
                "name": "airlock",
                "semanticVersion": env!("CARGO_PKG_VERSION"),
                "rules": rules(),
            }},
            "columnKind": "unicodeCodePoints",
            "results": checked.iter().flat_map(results).collect::<Vec<_>>(),
        }],
    })
}

fn rules() -> Vec<Value> {
    let no_plugin = json!({ "id": NO_PLUGIN, "shortDescription": { "text": NO_PLUGIN_MEANING } });
    std::iter::once(no_plugin).chain(PAGES.iter().map(rule)).collect()
}

fn rule(page: &Page) -> Value {
    let Page { code, title, meaning, mend, example } = page;
    json!({
        "id": code,
        "shortDescription": { "text": title },
        "fullDescription": { "text": meaning },
        "help": {
            "text": format!("{meaning}\n\n{mend}"),
            "markdown": format!("{meaning}\n\n{mend}\n\nA document that has it:\n\n```yaml\n{example}```\n"),
        },
    })
}

/// Where a code stands in `rules`.
fn index(code: &str) -> usize {
    PAGES.iter().position(|page| page.code == code).map_or(0, |index| index + 1)
}

fn results(it: &Checked) -> impl Iterator<Item = Value> {
    let uri = |file: &str| utf8_percent_encode(file, NOT_IN_PATH).to_string();
    let found = it.diagnostics.iter().map(move |found| {
        let (file, text) = it.place(found);
        result(found, text, &uri(&file))
    });
    found.chain(it.fault().map(move |message| fault(message, &uri(&it.file))))
}

fn result(it: &Diagnostic, text: &str, uri: &str) -> Value {
    let notes = [("expected", &it.expected), ("help", &it.hint)];
    let notes = notes.iter().filter_map(|(label, text)| Some(format!("\n{label}: {}", text.as_ref()?)));
    let message: String = std::iter::once(it.message.clone()).chain(notes).collect();
    json!({
        "ruleId": it.code.as_str(),
        "ruleIndex": index(it.code.as_str()),
        "level": it.severity.to_string(),
        "message": { "text": message },
        "locations": [{
            "physicalLocation": {
                "artifactLocation": { "uri": uri },
                "region": {
                    "startLine": it.line,
                    "startColumn": it.column,
                    "endLine": it.line,
                    "endColumn": it.end_column(text),
                },
            },
            "logicalLocations": [{ "fullyQualifiedName": it.path }],
        }],
    })
}

fn fault(message: &str, uri: &str) -> Value {
    json!({
        "ruleId": NO_PLUGIN,
        "ruleIndex": 0,
        "level": "error",
        "message": { "text": message },
        "locations": [{ "physicalLocation": { "artifactLocation": { "uri": uri } } }],
    })
}

#[cfg(test)]
mod tests {
    use super::super::checked::examples;
    use super::*;

    #[test]
    fn results_have_a_rule_with_help_and_a_span() {
        let report = report(&examples());
        let run = &report["runs"][0];
        let results = run["results"].as_array().unwrap();
        assert_eq!(results.len(), 2);
        for result in results {
            let rule = &run["tool"]["driver"]["rules"][result["ruleIndex"].as_u64().unwrap() as usize];
            assert_eq!(rule["id"], result["ruleId"]);
        }
        let place = &results[0]["locations"][0]["physicalLocation"];
        assert_eq!(place["artifactLocation"]["uri"], "a%20b/things%3A1%2C2.yaml");
        assert_eq!(place["region"], json!({"startLine": 2, "startColumn": 8, "endLine": 2, "endColumn": 13}));
        assert_eq!(results[0]["level"], "warning");
        let rules = run["tool"]["driver"]["rules"].as_array().unwrap();
        assert!(rules[1..].iter().all(|rule| rule["help"]["markdown"].as_str().unwrap().contains("```yaml")));
    }
}
