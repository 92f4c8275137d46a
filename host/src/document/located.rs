//! `location`: files of the document's folder that are served as they are. They become part of the component.
//!
//! Reads no file: it says which paths a document wants, and takes what is there.

use std::cell::Cell;

use super::diagnostic::Code;
use super::files::{Files, Located};
use super::imports::{is_import, relative};
use super::report::Report;
use super::tree::{Kind, Node, Placed};

/// The most locations of a document: each of them is watched, with the folders on the way.
pub const MAX_LOCATIONS: usize = 64;
/// The most files at all locations together. Published skills have 1 to 60; each file is an operation of its own.
pub const MAX_LOCATED_FILES: usize = 500;
/// The most bytes of all of them: as many as the document itself may have. They are in the memory of each instance.
pub const MAX_LOCATED_BYTES: usize = super::MAX_SOURCE_BYTES;
/// How a file or folder below a location can be called, so that its name is the same in a URI and in a path.
pub const NAME: &str = "letters, digits, `.`, `_` and `-`";

const EXPECTED: &str = "a path like `file:///./skills/users`, in the document's folder or below it";

/// Whether a name below a location can be served.
pub fn is_file_name(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b))
}

/// The paths that a document's locations mean, each once. What can't be one is left out: [`Given::open`] reports it.
pub fn wanted(root: &Node) -> Vec<String> {
    let owners = [Some(root), root.get("capability")].into_iter().flatten();
    let exposes = owners.flat_map(|owner| owner.items("exposes")).filter(|expose| !is_import("exposes", expose));
    let owners = exposes.flat_map(|it| ["resources", "prompts", "skills"].into_iter().flat_map(|key| it.items(key)));
    let mut paths = Vec::new();
    for location in owners.filter_map(|owner| owner.get("location")) {
        if let Kind::Text(text) = &location.kind
            && let Ok(path) = path(text)
            && !paths.contains(&path)
            && paths.len() < MAX_LOCATIONS
        {
            paths.push(path);
        }
    }
    paths
}

/// The files that were given to a document, and how much of them may still be served: what several name is there for each.
pub struct Given<'f> {
    files: &'f Files,
    left: Cell<Left>,
}

#[derive(Clone, Copy)]
struct Left {
    files: usize,
    bytes: usize,
}

impl<'f> Given<'f> {
    /// All of them.
    pub fn of(files: &'f Files) -> Self {
        Self { files, left: Cell::new(Left { files: MAX_LOCATED_FILES, bytes: MAX_LOCATED_BYTES }) }
    }

    /// What is at a location; `None` if that can't be served, which is reported.
    pub fn open(&self, location: &Placed<&str>, report: &Report) -> Option<&'f Located> {
        let found = self.find(location).map_err(|reason| {
            report
                .error(Code::Location, &location.at, format!("location can't be served, {reason}: {}", location.value))
                .expected(EXPECTED);
        });
        let found = found.ok()?;
        let Left { files, bytes } = self.left.get();
        match (files.checked_sub(found.count()), bytes.checked_sub(found.size())) {
            (Some(files), Some(bytes)) => {
                self.left.set(Left { files, bytes });
                Some(found)
            }
            _ => {
                report
                    .error(Code::Limit, &location.at, "too much is served as it is")
                    .expected(format!(
                        "at most {MAX_LOCATED_FILES} files and {MAX_LOCATED_BYTES} bytes, as often as they are named"
                    ))
                    .hint("name each location once, and split the document");
                None
            }
        }
    }

    fn find(&self, location: &Placed<&str>) -> Result<&'f Located, String> {
        if location.at.path.file().is_some() {
            return Err("it stands in a file that is imported from".to_owned());
        }
        let located = &self.files.located;
        match located.get(&path(location.value)?) {
            Some(found) => found.as_ref().map_err(String::clone),
            None if located.len() >= MAX_LOCATIONS => {
                Err(format!("the document has more than {MAX_LOCATIONS} locations"))
            }
            None => Err("nothing but the document was given".to_owned()),
        }
    }
}

/// The path of a location in the document's folder. What begins with a dot is hidden from everybody: keys of services lie there.
fn path(text: &str) -> Result<String, &'static str> {
    let path = relative(text)?;
    match path.as_str() {
        "" => Err("it is the document's folder itself"),
        path if path.split('/').any(|name| name.starts_with('.')) => Err("a name in it begins with a dot"),
        _ => Ok(path),
    }
}

/// The media type that a file's name stands for.
pub fn media_type(path: &str) -> &'static str {
    let ending = path.rsplit_once('.').map(|(_, ending)| ending.to_ascii_lowercase()).unwrap_or_default();
    match ending.as_str() {
        "md" | "markdown" => "text/markdown",
        "txt" => "text/plain",
        "html" | "htm" => "text/html",
        "css" => "text/css",
        "csv" => "text/csv",
        "js" | "mjs" => "text/javascript",
        "py" => "text/x-python",
        "sh" => "text/x-shellscript",
        "json" => "application/json",
        "yaml" | "yml" => "application/yaml",
        "xml" => "application/xml",
        "pdf" => "application/pdf",
        "zip" => "application/zip",
        "svg" => "image/svg+xml",
        "png" => "image/png",
        "jpg" | "jpeg" => "image/jpeg",
        "gif" => "image/gif",
        "webp" => "image/webp",
        _ => "application/octet-stream",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn locations_are_below_the_folder() {
        for (text, expected) in [
            ("file:///./skills/users", Some("skills/users")),
            ("file://./skills/users/", Some("skills/users")),
            ("./guide.md", Some("guide.md")),
            ("guide.md", Some("guide.md")),
            ("file:///skills", None),
            ("file:///./", None),
            ("file:///../skills", None),
            ("file:///./.env", None),
            ("file:///./.git/config", None),
            ("https://example.com/skills", None),
        ] {
            assert_eq!(path(text).ok().as_deref(), expected, "{text}");
        }
    }
}
