//! CSS selectors, as far as they choose elements by what stands in their tags: names, `#id`, `.class`, one inside of another, and several
//! with commas between them. Others are refused.

use crate::document::diagnostic::Code;
use crate::document::plan::{ElementSelector, Selector};
use crate::document::report::Report;
use crate::document::tree::Placed;

/// The most parts of all selectors together. Ones that people write have two or three; each is held against every element.
const MAX_PARTS: usize = 32;

/// Reads selectors; none after an error.
pub fn read(text: &Placed<&str>, report: &Report) -> Vec<Selector> {
    parse(text.value).unwrap_or_else(|what| {
        report
            .error(Code::Selector, &text.at, format!("selector can't be followed, {what}: {}", text.value))
            .expected("names of elements, `#id` and `.class`, with spaces for `inside of`: `#prices table.current`")
            .hint("choose by something that is around the table, or take all tables and choose one by a JSONPath");
        Vec::new()
    })
}

fn parse(text: &str) -> Result<Vec<Selector>, &'static str> {
    let selectors: Vec<Selector> =
        text.split(',').map(|it| it.split_ascii_whitespace().map(parse_part).collect()).collect::<Result<_, _>>()?;
    if selectors.iter().any(Vec::is_empty) {
        return Err("there is none");
    }
    if selectors.iter().flatten().count() > MAX_PARTS {
        return Err("it has too many parts");
    }
    Ok(selectors)
}

fn parse_part(text: &str) -> Result<ElementSelector, &'static str> {
    let mut part = ElementSelector::default();
    let end = |text: &str| text.find(['.', '#']).unwrap_or(text.len());
    let (tag, mut rest) = text.split_at(end(text));
    part.tag = match tag {
        "" | "*" => None,
        tag => Some(name(tag)?.to_ascii_lowercase()),
    };
    while let Some(sign) = rest.chars().next() {
        let (own, others) = rest[1..].split_at(end(&rest[1..]));
        match (sign, &part.id) {
            ('.', _) => part.classes.push(name(own)?.to_owned()),
            (_, None) => part.id = Some(name(own)?.to_owned()),
            (_, Some(_)) => return Err("an element has one id"),
        }
        rest = others;
    }
    Ok(part)
}

/// A name that needs no escapes.
fn name(text: &str) -> Result<&str, &'static str> {
    let is_first = |c: char| c.is_ascii_alphabetic() || c == '_' || c == '-' || !c.is_ascii();
    match text.starts_with(is_first) && text.chars().all(|c| is_first(c) || c.is_ascii_digit()) {
        true => Ok(text),
        false => Err("it has more than names, ids and classes"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_ids_and_classes() {
        let part = |tag: Option<&str>, id: Option<&str>, classes: &[&str]| ElementSelector {
            tag: tag.map(str::to_owned),
            id: id.map(str::to_owned),
            classes: classes.iter().map(|it| (*it).to_owned()).collect(),
        };
        for (text, expected) in [
            ("table", vec![vec![part(Some("table"), None, &[])]]),
            ("TABLE.Results.x-1", vec![vec![part(Some("table"), None, &["Results", "x-1"])]]),
            ("#a.b", vec![vec![part(None, Some("a"), &["b"])]]),
            (" div  *.c ", vec![vec![part(Some("div"), None, &[]), part(None, None, &["c"])]]),
            ("#a, .b", vec![vec![part(None, Some("a"), &[])], vec![part(None, None, &["b"])]]),
        ] {
            assert_eq!(parse(text).as_ref(), Ok(&expected), "{text}");
        }
        for text in [
            "",
            "a,",
            "a > b",
            "a+b",
            "a ~ b",
            "[x]",
            "a:first-child",
            "a[href]",
            ".1",
            "#",
            "a..b",
            "#a#b",
            "a|b",
            r"\31",
        ] {
            assert!(parse(text).is_err(), "{text}");
        }
        assert!(parse(&"a ".repeat(MAX_PARTS + 1)).is_err());
    }
}
