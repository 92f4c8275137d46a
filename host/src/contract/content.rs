//! What replies, prompts and questions are made of.

use bytes::Bytes;

/// One block of content.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Content {
    /// Plain text.
    Text(String),
    /// A picture.
    Image(Blob),
    /// A sound.
    Audio(Blob),
    /// Something that has an address of its own, given in place.
    Resource(Resource),
    /// Something that has an address of its own, to be read there.
    Link(Link),
}

/// Bytes of a stated type.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Blob {
    /// The media type.
    pub media_type: String,
    /// The bytes.
    pub data: Bytes,
}

/// Something that has an address of its own, with its contents.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resource {
    /// Its URI.
    pub uri: String,
    /// Its media type, if known.
    pub media_type: Option<String>,
    /// Its contents.
    pub contents: Contents,
}

/// The contents of a resource.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Contents {
    /// As text.
    Text(String),
    /// As bytes.
    Binary(Bytes),
}

/// Whether a media type is JSON: `application/json`, or any type that ends in `+json` (RFC 6839). Parameters, such as a charset, don't
/// matter: JSON is UTF-8.
pub fn is_json(media_type: &str) -> bool {
    let essence = media_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    essence == "application/json" || (essence.contains('/') && essence.ends_with("+json"))
}

impl Contents {
    /// Text where bytes are that, else bytes.
    pub fn of_bytes(data: Bytes) -> Self {
        match str::from_utf8(&data) {
            Ok(text) => Self::Text(text.to_owned()),
            Err(_) => Self::Binary(data),
        }
    }

    /// How many bytes they have.
    pub fn size(&self) -> usize {
        match self {
            Self::Text(text) => text.len(),
            Self::Binary(data) => data.len(),
        }
    }
}

/// Something that can be read, without its contents.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Link {
    /// Its URI.
    pub uri: String,
    /// Identifies it within the provider.
    pub name: String,
    /// A display name.
    pub title: Option<String>,
    /// What it is.
    pub description: Option<String>,
    /// Its media type, if known.
    pub media_type: Option<String>,
    /// Its size in bytes, if known.
    pub size: Option<u64>,
}

/// A message between a user and a model.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// Who says it.
    pub role: Role,
    /// What is said.
    pub content: Content,
}

/// Who says something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// The user.
    User,
    /// The model.
    Assistant,
}
