//! Bodies read as an upstream reads them: what is in an attribute of XML, a string of SPARQL, a field of a form. Each reader is a few lines of
//! the standard it follows, and takes nothing that isn't allowed there: a value that has ended its place is never read as that value.

use percent_encoding::percent_decode_str;

/// `&`, `=` and `+` (WHATWG URL, application/x-www-form-urlencoded).
pub fn form(body: &str) -> Option<Vec<(String, String)>> {
    let decode = |text: &str| {
        let text = text.replace('+', " ");
        Some(percent_decode_str(&text).decode_utf8().ok()?.into_owned())
    };
    let pair = |pair: &str| {
        let (name, value) = pair.split_once('=')?;
        Some((decode(name)?, decode(value)?))
    };
    body.split('&').map(pair).collect()
}

/// A text with values in it: what stands before each, how it is read, and what stands behind the last one. Gives the values.
pub fn holes(body: &str, template: &[(&str, Reader)], end: &str) -> Option<Vec<String>> {
    let mut rest = body;
    let mut values = Vec::new();
    for (before, read) in template {
        let (value, behind) = read(rest.strip_prefix(before)?)?;
        values.push(value);
        rest = behind;
    }
    (rest == end).then_some(values)
}

/// Reads a value from the beginning of a text, and gives what is behind it.
pub type Reader = fn(&str) -> Option<(String, &str)>;

/// Up to the quote that ends an attribute (XML 1.0, 3.3.3: white space that isn't written as a reference becomes a space).
pub fn attribute(text: &str) -> Option<(String, &str)> {
    let (raw, rest) = text.split_at(text.find('"')?);
    Some((unescape(&raw.replace(['\t', '\n', '\r'], " "))?, rest))
}

/// Up to the next tag (XML 1.0, 2.11: line breaks are one character).
pub fn content(text: &str) -> Option<(String, &str)> {
    let (raw, rest) = text.split_at(text.find('<')?);
    let is_plain = !raw.contains("]]>");
    is_plain.then_some(())?;
    Some((unescape(&raw.replace("\r\n", "\n").replace('\r', "\n"))?, rest))
}

fn unescape(raw: &str) -> Option<String> {
    let mut parts = raw.split('&');
    let mut text = parts.next()?.to_owned();
    for part in parts {
        let (name, rest) = part.split_once(';')?;
        let number = |digits: &str, radix| char::from_u32(u32::from_str_radix(digits, radix).ok()?);
        text.push(match name {
            "lt" => '<',
            "gt" => '>',
            "amp" => '&',
            "quot" => '"',
            "apos" => '\'',
            name => match name.strip_prefix("#x") {
                Some(digits) => number(digits, 16)?,
                None => number(name.strip_prefix('#')?, 10)?,
            },
        });
        text.push_str(rest);
    }
    let is_allowed = |c: char| matches!(c, '\t' | '\n' | '\r' | ' '..='\u{fffd}' | '\u{10000}'..);
    (!raw.contains('<') && text.chars().all(is_allowed)).then_some(text)
}

/// Up to the quote that ends a string (SPARQL 1.1, STRING_LITERAL2 and ECHAR).
pub fn literal(text: &str) -> Option<(String, &str)> {
    let mut value = String::new();
    let mut chars = text.char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            '"' => return Some((value, &text[at..])),
            '\n' | '\r' => return None,
            '\\' => value.push(match chars.next()?.1 {
                't' => '\t',
                'b' => '\u{8}',
                'n' => '\n',
                'r' => '\r',
                'f' => '\u{c}',
                same @ ('"' | '\'' | '\\') => same,
                _ => return None,
            }),
            c => value.push(c),
        }
    }
    None
}

/// Up to the bracket that ends an address (SPARQL 1.1, IRIREF), decoded.
pub fn address(text: &str) -> Option<(String, &str)> {
    let (raw, rest) = text.split_at(text.find('>')?);
    let is_allowed = |c: char| c > ' ' && !"<\"{}|^`\\".contains(c);
    raw.chars().all(is_allowed).then(|| (percent_decode_str(raw).decode_utf8_lossy().into_owned(), rest))
}

/// Digits.
pub fn number(text: &str) -> Option<(String, &str)> {
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    Some((text[..end].to_owned(), &text[end..]))
}

/// A part of a multipart body.
#[derive(Clone, Debug, PartialEq)]
pub struct Part {
    pub name: String,
    pub filename: Option<String>,
    pub content_type: Option<String>,
    pub value: String,
}

/// The parts between boundaries (RFC 7578; names are quoted as WHATWG HTML says).
pub fn multipart(content_type: &str, body: &str) -> Option<Vec<Part>> {
    let boundary = content_type.strip_prefix("multipart/form-data; boundary=")?;
    let mut parts = format!("\r\n{body}");
    parts.truncate(parts.strip_suffix(&format!("\r\n--{boundary}--\r\n"))?.len());
    let between = format!("\r\n--{boundary}\r\n");
    let mut parts = parts.split(&between);
    parts.next()?.is_empty().then_some(())?;
    parts.map(part).collect()
}

fn part(text: &str) -> Option<Part> {
    let (head, value) = text.split_once("\r\n\r\n")?;
    let mut part = Part { name: String::new(), filename: None, content_type: None, value: value.to_owned() };
    for line in head.split("\r\n") {
        match line.split_once(": ")? {
            ("content-disposition", value) => {
                let mut parameters = value.strip_prefix("form-data; ")?.split("; ");
                part.name = quoted(parameters.next()?.strip_prefix("name=")?)?;
                part.filename = match parameters.next() {
                    Some(it) => Some(quoted(it.strip_prefix("filename=")?)?),
                    None => None,
                };
                parameters.next().is_none().then_some(())?;
            }
            ("content-type", value) => part.content_type = Some(value.to_owned()),
            _ => return None,
        }
    }
    Some(part)
}

fn quoted(text: &str) -> Option<String> {
    let inside = text.strip_prefix('"')?.strip_suffix('"')?;
    (!inside.contains(['"', '\r', '\n'])).then(|| inside.replace("%22", "\""))
}
