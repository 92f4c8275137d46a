//! Lines of cells: CSV (RFC 4180), and the same with tabs or bars. The first line has the names; each other one is an object of texts.

use csv::ReaderBuilder;
use serde_json::{Map, Value as Json};

/// Reads all lines. One that ends early lacks members.
///
/// # Errors
/// A line has more cells than there are names.
pub fn read(text: &str, separator: char) -> Result<Json, String> {
    let separator = u8::try_from(separator).map_err(|_| format!("separated by something else than: {separator}"))?;
    let mut reader = ReaderBuilder::new().delimiter(separator).flexible(true).from_reader(text.as_bytes());
    let wrong = |e: csv::Error| format!("not a table: {e}");
    let names = reader.headers().map_err(wrong)?.clone();
    let mut rows = Vec::new();
    for row in reader.records() {
        let row = row.map_err(wrong)?;
        if row.len() > names.len() {
            let line = row.position().map_or(0, csv::Position::line);
            return Err(format!(
                "not a table: line {line} has {} cells, and there are {} names",
                row.len(),
                names.len()
            ));
        }
        let members = names.iter().zip(row.iter()).map(|(name, cell)| (name.to_owned(), Json::from(cell)));
        rows.push(Json::Object(members.collect::<Map<_, _>>()));
    }
    Ok(Json::Array(rows))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn lines_are_objects() {
        for (text, separator, expected) in [
            ("a,b\n1,\"x, \"\"y\"\"\nz\"\r\n2,\n", ',', json!([{"a": "1", "b": "x, \"y\"\nz"}, {"a": "2", "b": ""}])),
            ("a\tb\n1\t2", '\t', json!([{"a": "1", "b": "2"}])),
            ("a|b\n1|2,3\n", '|', json!([{"a": "1", "b": "2,3"}])),
            ("a,b\n1\n", ',', json!([{"a": "1"}])),
            ("a,b\n", ',', json!([])),
            ("", ',', json!([])),
        ] {
            assert_eq!(read(text, separator), Ok(expected), "{text}");
        }
        assert_eq!(read("a\n1\n2,3\n", ','), Err("not a table: line 3 has 2 cells, and there are 1 names".to_owned()));
    }
}
