//! `outputRawFormat` and what belongs to it: what the answer of a consumed operation is.

use super::{output, responses, selector};
use crate::document::diagnostic::Code;
use crate::document::fields::Fields;
use crate::document::model::RawAnswer;
use crate::document::plan::{Binary, RawFormat};
use crate::document::report::Report;
use crate::document::tree::{Kind, Placed};
use serde_json::Value as Json;

/// The formats that answers are read in.
const FORMATS: [&str; 10] = ["json", "xml", "csv", "tsv", "psv", "yaml", "html", "markdown", "text", "binary"];

/// Reads the format, and the schema of the result. `max_binary` is what holds where the operation says nothing.
pub fn read(fields: &mut Fields, max_binary: Option<u64>, report: &Report) -> (RawAnswer, Option<Json>) {
    let stated = fields.text("outputRawFormat");
    let format = stated.as_ref().map_or("json", |format| format.value);
    let media_type = fields.text("outputMediaType");
    let max_size = read_size(fields, report);
    if let Some(media_type) = media_type.as_ref().filter(|_| format != "binary") {
        // What isn't handed on unread becomes JSON.
        if media_type.value != "application/json" || matches!(format, "json" | "text") {
            responses::report_unpublished(
                &media_type.at,
                "the media type of what isn't binary is the upstream's",
                report,
            );
        }
    }
    let (selector, schema) = match format {
        "html" | "markdown" => output::read_selector(fields, report),
        "text" | "binary" => {
            report_schema(fields, format, report);
            (None, None)
        }
        _ => (None, output::read_schema(fields, report)),
    };
    let data = |format: RawFormat| (RawAnswer::Data(format), schema.clone());
    match format {
        "json" => data(RawFormat::Json),
        "xml" => data(RawFormat::Xml),
        "csv" => data(RawFormat::Delimited(',')),
        "tsv" => data(RawFormat::Delimited('\t')),
        "psv" => data(RawFormat::Delimited('|')),
        "yaml" => data(RawFormat::Yaml),
        "markdown" => data(RawFormat::Markdown(selector.map(|it| it.value.to_owned()))),
        "html" => data(RawFormat::Html(selector.map_or_else(Vec::new, |it| selector::read(&it, report)))),
        "text" => data(RawFormat::Text),
        "binary" => {
            let media_type = media_type.and_then(|it| read_media_type(&it, report));
            let max_size = max_size.or(max_binary);
            (RawAnswer::Bytes(Binary { media_type, max_size }), schema)
        }
        _ => {
            if let Some(stated) = &stated {
                report_unknown(stated, report);
            }
            data(RawFormat::Json)
        }
    }
}

/// A schema is of JSON, which such a result isn't: published, it would be a promise that no result keeps.
fn report_schema(fields: &mut Fields, format: &str, report: &Report) {
    if let Some(entry) = fields.entry("outputSchema") {
        report
            .warning(
                Code::InvalidValue,
                &entry.key_at,
                format!("outputSchema has no effect on an answer of format {format}"),
            )
            .expected("an answer that is JSON, or becomes JSON")
            .hint("remove it; what `outputParameters` make of text has a schema of its own");
    }
}

fn report_unknown(format: &Placed<&str>, report: &Report) {
    let expected = format!("one of: {}", FORMATS.join(", "));
    match format.value {
        "avro" | "protobuf" => {
            report.not_supported(&format.at, format!("outputRawFormat {}", format.value)).expected(expected);
        }
        unknown => {
            report
                .error(Code::InvalidValue, &format.at, format!("unknown format: {unknown}"))
                .expected(expected)
                .did_you_mean(unknown, FORMATS);
        }
    }
}

/// Reads a media type, which may have parameters.
pub fn read_media_type(text: &Placed<&str>, report: &Report) -> Option<String> {
    let token =
        |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"!#$&^_.+-".contains(&b));
    let (essence, parameters) = text.value.split_once(';').unwrap_or((text.value, ""));
    let is_essence = essence.trim_end().split_once('/').is_some_and(|(kind, subtype)| token(kind) && token(subtype));
    let is_media_type = is_essence && parameters.bytes().all(|b| matches!(b, b' '..=b'~'));
    if !is_media_type {
        report
            .error(Code::InvalidValue, &text.at, format!("not a media type: {:?}", text.value))
            .expected("type/subtype, e.g. `image/png`");
    }
    is_media_type.then(|| text.value.to_owned())
}

/// Reads `maxBinarySize`.
pub fn read_size(fields: &mut Fields, report: &Report) -> Option<u64> {
    const EXPECTED: &str = "a number and a unit: B, KiB, MiB or GiB, e.g. `5MiB`";
    let node = fields.node("maxBinarySize")?;
    let size = match &node.kind {
        Kind::Text(text) => parse_size(text),
        _ => None,
    };
    if size.is_none() {
        report.error(Code::InvalidValue, &node.at, format!("not a size: {}", node.describe())).expected(EXPECTED);
    }
    size
}

fn parse_size(text: &str) -> Option<u64> {
    let (number, shift) = [("KiB", 10), ("MiB", 20), ("GiB", 30), ("B", 0)]
        .into_iter()
        .find_map(|(unit, shift)| Some((text.strip_suffix(unit)?, shift)))?;
    let is_number =
        number.starts_with(|c: char| c.is_ascii_digit()) && number.bytes().all(|b| b.is_ascii_digit() || b == b'.');
    // Up to 2^53 exact, which is more than anyone sends.
    number.parse::<f64>().ok().filter(|_| is_number).map(|number| (number * f64::from(1_u32 << shift)) as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes() {
        for (text, expected) in [
            ("512KiB", Some(512 << 10)),
            ("1.5MiB", Some(3 << 19)),
            ("1GiB", Some(1 << 30)),
            ("7B", Some(7)),
            ("7", None),
            ("-1B", None),
            ("1e3B", None),
            ("1..5B", None),
            ("MiB", None),
            ("5MB", None),
        ] {
            assert_eq!(parse_size(text), expected, "{text}");
        }
    }
}
