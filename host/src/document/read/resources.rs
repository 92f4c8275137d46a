//! `resources` of an MCP expose: what is read by a call, and files that are served as they are.

use super::argument::Scope;
use super::exposes::{read_common, read_inputs};
use super::parameter::Owner;
use super::{TITLE, check_name, format};
use crate::contract::{Contents, Piece as UriPiece, Resource, UriTemplate};
use crate::document::diagnostic::Code;
use crate::document::fields::Fields;
use crate::document::files::Located;
use crate::document::located::{self, Given};
use crate::document::model::{Action, Exposure, Readable, Surface};
use crate::document::report::Report;
use crate::document::template::{Piece, split_path};
use crate::document::tree::{Node, Placed};

/// What can't stand beside `location`.
const OF_CALLS: [&str; 9] =
    ["call", "with", "paginate", "ref", "steps", "mappings", "inputParameters", "outputParameters", "outputSchema"];

const EXPECTED_URI: &str = "an absolute URI, its variables in braces, e.g. `users://{id}/profile`";

/// The longest URI. Clients and proxies take 2 kB; each request is held against all of them.
const MAX_URI: usize = 2048;

/// Reads all of them.
pub fn read_all(nodes: &[Node], scope: &Scope, given: &Given, report: &Report) -> Vec<Exposure> {
    nodes.iter().flat_map(|node| read(node, scope, given, report)).collect()
}

fn read(node: &Node, scope: &Scope, given: &Given, report: &Report) -> Vec<Exposure> {
    let Some(mut fields) = Fields::of(node, "a resource", report) else {
        return Vec::new();
    };
    let name = fields.required_text("name", "the resource's name");
    let readable = Readable {
        uri: fields.required_text("uri", EXPECTED_URI).and_then(|uri| read_uri(&uri, report)),
        media_type: fields.text("mimeType").and_then(|given| format::read_media_type(&given, report)),
        binary: fields.boolean("binary").unwrap_or(false),
        size: None,
    };
    let exposures = match fields.text("location") {
        Some(location) => read_located(&mut fields, &location, name, readable, &Reading { scope, given, report }),
        None => {
            let inputs = read_inputs(&mut fields, Owner::Tool, report);
            read_common(&mut fields, Surface::Resource(readable), name, inputs, scope, report).into_iter().collect()
        }
    };
    fields.finish();
    exposures
}

/// Where what is located is read.
struct Reading<'a> {
    scope: &'a Scope<'a>,
    given: &'a Given<'a>,
    report: &'a Report,
}

/// One resource for a file, one for each file of a folder.
fn read_located(
    fields: &mut Fields,
    location: &Placed<&str>,
    name: Option<Placed<&str>>,
    readable: Readable,
    Reading { scope, given, report }: &Reading,
) -> Vec<Exposure> {
    for entry in OF_CALLS.into_iter().filter_map(|key| fields.entry(key)) {
        report
            .error(Code::InvalidValue, &entry.key_at, format!("`{}` beside `location`", entry.key))
            .expected("one of them")
            .hint("what is served as it is calls nothing");
    }
    fields.ignore(&["tags"]);
    let (title, description) = (fields.text_of_any(&TITLE), fields.text("description").map(|it| it.value.to_owned()));
    let name = name.and_then(|name| check_name(name, report));
    let uri = readable.uri.as_ref().filter(|uri| check_static(uri, report));
    let (Some(found), Some(uri), Some(name)) = (given.open(location, report), uri, name) else {
        return Vec::new();
    };
    let of_file = |path: &str, data: &bytes::Bytes| {
        let below =
            |prefix: String| if path.is_empty() { prefix } else { format!("{}/{path}", prefix.trim_end_matches('/')) };
        let file = if path.is_empty() { location.value } else { path };
        let media_type = readable.media_type.clone().unwrap_or_else(|| located::media_type(file).to_owned());
        let contents = match readable.binary {
            true => Contents::Binary(data.clone()),
            false => Contents::of_bytes(data.clone()),
        };
        let resource = Resource { uri: below(uri.value.to_text()), media_type: Some(media_type), contents };
        let name = Placed { at: name.at.clone(), value: below(name.value.clone()) };
        let title = title.clone().filter(|_| path.is_empty());
        Exposure { title, description: description.clone(), ..of_constant(name, resource, scope) }
    };
    match found {
        Located::File(data) => vec![of_file("", data)],
        Located::Folder(all) => all.iter().map(|(path, data)| of_file(path, data)).collect(),
    }
}

/// A resource that is always the same.
pub fn of_constant(name: Placed<String>, resource: Resource, scope: &Scope) -> Exposure {
    let at = name.at.clone();
    let uri = UriTemplate(vec![UriPiece::Text(resource.uri.clone())]);
    let readable = Readable {
        uri: Some(Placed { at: at.clone(), value: uri }),
        media_type: resource.media_type.clone(),
        binary: matches!(resource.contents, Contents::Binary(_)),
        size: Some(resource.contents.size() as u64),
    };
    Exposure {
        surface: Surface::Resource(readable),
        audience: scope.audience,
        name: Some(name),
        title: None,
        description: None,
        action: Action::Constant(Placed { at, value: resource }),
        inputs: None,
        outputs: None,
        output_schema: None,
        max_binary: None,
        bytes: None,
    }
}

fn check_static(uri: &Placed<UriTemplate>, report: &Report) -> bool {
    if !uri.value.is_static() {
        report
            .error(Code::ResourceUri, &uri.at, format!("URI of a location has a variable: {}", uri.value.to_text()))
            .expected("a URI without variables: a folder gives each of its files one below it");
    }
    uri.value.is_static()
}

fn read_uri(uri: &Placed<&str>, report: &Report) -> Option<Placed<UriTemplate>> {
    let made = split_path(uri.value).map_err(|e| e.to_string()).and_then(|pieces| make_uri(&pieces));
    match made {
        Ok(value) => Some(Placed { at: uri.at.clone(), value }),
        Err(reason) => {
            report
                .error(Code::ResourceUri, &uri.at, format!("URI can't be used, {reason}: {}", uri.value))
                .expected(EXPECTED_URI);
            None
        }
    }
}

fn make_uri(pieces: &[Piece]) -> Result<UriTemplate, String> {
    let adjoin = |pair: &[Piece]| matches!(pair, [Piece::Variable(_), Piece::Variable(_)]);
    if pieces.windows(2).any(adjoin) {
        return Err("nothing stands between two of its variables".to_owned());
    }
    let pieces = pieces.iter().map(|piece| match piece {
        Piece::Text(text) => UriPiece::Text(text.clone()),
        Piece::Variable(name) => UriPiece::Variable(name.clone()),
    });
    let uri = UriTemplate(pieces.collect());
    let names: Vec<&str> = uri.variables().collect();
    let text = uri.to_text();
    let Some(UriPiece::Text(first)) = uri.0.first() else { return Err("it has no scheme".to_owned()) };
    match first.split_once(':') {
        _ if text.len() > MAX_URI => Err(format!("it has more than {MAX_URI} bytes")),
        _ if !text.bytes().all(|b| matches!(b, b'!'..=b'~') && !b"\"<>\\^`|".contains(&b)) => {
            Err("it has a character that would have to be encoded".to_owned())
        }
        _ if (1..names.len()).any(|index| names[..index].contains(&names[index])) => {
            Err("a variable stands in it twice".to_owned())
        }
        Some(("airlock", _)) => Err("its scheme is the host's own".to_owned()),
        Some((scheme, rest)) if is_scheme(scheme) && (!rest.is_empty() || uri.0.len() > 1) => Ok(uri),
        _ => Err("it has no scheme".to_owned()),
    }
}

fn is_scheme(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphabetic())
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"+-.".contains(&b))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn uris_that_can_be_used() {
        for (text, expected) in [
            ("users://{id}/profile", Ok("users://{id}/profile")),
            ("docs://guide", Ok("docs://guide")),
            ("urn:guide", Ok("urn:guide")),
            ("users://{{id}}", Ok("users://{id}")),
            ("guide", Err("no scheme")),
            ("{scheme}://x", Err("no scheme")),
            ("docs:", Err("no scheme")),
            ("users://{a}{b}", Err("nothing stands between")),
            ("users://{a}/{a}", Err("twice")),
            ("docs://a b", Err("encoded")),
            ("docs://{a", Err("braces")),
            ("airlock:results/1", Err("host's own")),
        ] {
            let made = split_path(text).map_err(|e| e.to_string()).and_then(|pieces| make_uri(&pieces));
            match (made, expected) {
                (Ok(uri), Ok(expected)) => assert_eq!(uri.to_text(), expected),
                (Err(reason), Err(expected)) => assert!(reason.contains(expected), "{text}: {reason}"),
                (other, _) => panic!("{text}: {other:?}"),
            }
        }
    }
}
