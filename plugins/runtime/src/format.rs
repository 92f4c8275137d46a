//! An answer in one of the raw formats -> JSON. Pure.
//!
//! What a format can't say in JSON's terms is left out: comments, processing instructions, the layout of a text. Nothing is fetched
//! that an answer refers to.

mod delimited;
#[cfg(feature = "formats")]
mod html;
#[cfg(feature = "formats")]
mod markdown;
mod xml;

use serde_json::Value as Json;

use crate::bindings::airlock::capability::plan::RawFormat;

/// Reads an answer.
///
/// # Errors
/// What is wrong with it, to be read behind "the upstream's answer is".
pub fn read(format: &RawFormat, bytes: Vec<u8>) -> Result<Json, String> {
    if matches!(format, RawFormat::Json) {
        return serde_json::from_slice(&bytes).map_err(|e| format!("not JSON: {e}"));
    }
    let text = String::from_utf8(bytes).map_err(|e| format!("not UTF-8 text: {e}"))?;
    let text = text.strip_prefix('\u{feff}').unwrap_or(&text);
    match format {
        RawFormat::Json | RawFormat::Text => Ok(text.into()),
        RawFormat::Xml => xml::read(text).map_err(|e| format!("not XML: {e}")),
        RawFormat::Delimited(separator) => delimited::read(text, *separator),
        #[cfg(feature = "formats")]
        RawFormat::Yaml => serde_saphyr::from_str(text).map_err(|e| format!("not YAML: {e}")),
        #[cfg(feature = "formats")]
        RawFormat::Markdown(heading) => markdown::read(text, heading.as_deref()),
        #[cfg(feature = "formats")]
        RawFormat::Html(selectors) => html::read(text, selectors),
        #[cfg(not(feature = "formats"))]
        RawFormat::Yaml | RawFormat::Markdown(_) | RawFormat::Html(_) => {
            Err("in a format that this runtime was built without".to_owned())
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn json_and_text() {
        let read = |format, text: &str| read(&format, text.as_bytes().to_vec());
        assert_eq!(read(RawFormat::Json, "[1]"), Ok(json!([1])));
        assert_eq!(read(RawFormat::Text, "\u{feff}[1]\n"), Ok(json!("[1]\n")));
        assert!(read(RawFormat::Json, "<a/>").unwrap_err().starts_with("not JSON: "));
        assert!(super::read(&RawFormat::Text, vec![0xff]).unwrap_err().starts_with("not UTF-8 text: "));
        assert!(read(RawFormat::Json, &"[".repeat(100_000)).unwrap_err().starts_with("not JSON: recursion limit"));
    }

    #[cfg(feature = "formats")]
    #[test]
    fn yaml() {
        let read = |text: &str| read(&RawFormat::Yaml, text.as_bytes().to_vec());
        assert_eq!(
            read("a: [1, x, true, null]\nb: &b {c: 1.5}\nd: *b\n").unwrap(),
            json!({"a": [1, "x", true, null], "b": {"c": 1.5}, "d": {"c": 1.5}})
        );
        let bomb = (1..30).fold("a0: &a0 [x]\n".to_owned(), |text, i| {
            format!("{text}a{i}: &a{i} [{}]\n", vec![format!("*a{}", i - 1); 9].join(", "))
        });
        for bad in ["a: [", "a: 1\na: 2\n", &bomb, &"[".repeat(10_000)] {
            assert!(read(bad).unwrap_err().starts_with("not YAML: "), "{}", &bad[..8]);
        }
    }
}
