//! What is wrong with a document, where, and what to do about it.
//!
//! A diagnostic is plain data: nothing here knows the format, and how it looks is the work of `render`.

use std::fmt;

/// One problem of a document.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Diagnostic {
    /// The kind of problem.
    pub code: Code,
    /// Whether the document can be used in spite of it.
    pub severity: Severity,
    /// The file in which it is, as the document imports it; `None` for the document itself.
    pub file: Option<String>,
    /// The line in the source, from 1.
    pub line: usize,
    /// The column in the line, in characters, from 1.
    pub column: usize,
    /// How many characters from there are at fault; 0 if that isn't known.
    pub length: usize,
    /// The path in the document, e.g. `capability.consumes[0].resources[1].path`; empty for the document itself.
    pub path: String,
    /// What is wrong: lower case, no final period, the value after a colon.
    pub message: String,
    /// What would have been right.
    pub expected: Option<String>,
    /// What to do about it.
    pub hint: Option<String>,
}

/// Whether a document can be used in spite of a problem.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Severity {
    /// The document can't be used.
    Error,
    /// The document can be used, but a part of it may not mean what its author thinks.
    Warning,
}

/// The kind of a problem. The string form never changes; a number is never used again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Code {
    /// The text is not YAML.
    Syntax,
    /// The document is larger than anything that a person writes.
    Limit,
    /// A key stands twice in one mapping.
    DuplicateKey,
    /// A key that the format doesn't know.
    UnknownKey,
    /// A key that must be there is absent.
    MissingKey,
    /// A value of the wrong type.
    WrongType,
    /// A value of the right type that can't be used.
    InvalidValue,
    /// A version of the format that this release doesn't know.
    UnknownVersion,
    /// A part of the format that this release doesn't carry out.
    NotSupported,
    /// A name with characters that can't be in it.
    InvalidName,
    /// A name that is taken.
    DuplicateName,
    /// A method and path that are taken.
    DuplicateRoute,
    /// A `call` to something that isn't there.
    UnknownReference,
    /// A `with` that names a parameter or an input that isn't there.
    UnknownParameter,
    /// A thing that is keyed by one name and calls itself by another.
    NameMismatch,
    /// A required parameter that nothing feeds.
    UnfedParameter,
    /// A path variable that matches nothing, or more than one thing.
    PathVariable,
    /// A path that can't be used.
    InvalidPath,
    /// A base URI that can't be used.
    InvalidBaseUri,
    /// A header that a document can't set.
    InvalidHeader,
    /// A JSONPath that can't be read.
    InvalidJsonPath,
    /// A template names a secret that no bind declares.
    UnboundSecret,
    /// A secret is written in the document.
    LiteralSecret,
    /// A secret is used where it would reach the sandbox or the caller.
    MisplacedSecret,
    /// A template could mean the secrets of several binds.
    AmbiguousSecret,
    /// A bind names a place of its values that Airlock doesn't read.
    ForeignBind,
    /// An import that can't be followed.
    Import,
    /// A file without a capability: others import from it.
    SharedFile,
    /// Steps of a flow that need each other's results.
    StepCycle,
    /// A location at which there is nothing that can be served.
    Location,
    /// A URI of a resource that can't be used, or doesn't give what reading it needs.
    ResourceUri,
    /// A prompt's text with a variable that is no argument.
    PromptVariable,
    /// A consumed operation that nothing calls.
    UnusedOperation,
    /// A consumed parameter that nothing feeds and that isn't required.
    UnusedParameter,
    /// A declared input that feeds nothing.
    UnusedInput,
    /// A variable of a consumed path that no parameter declares.
    UndeclaredVariable,
    /// A tool of which an agent is told nothing.
    NoDescription,
    /// A name that some clients don't take.
    LongName,
    /// Names that differ in case alone.
    SimilarNames,
    /// What is said to change nothing, and calls something that may.
    DoubtfulPromise,
    /// What the host does for all plugins, and not as a document says.
    HostControl,
    /// Pages that can't follow each other as it is said.
    Pagination,
    /// All pages are asked for of what has none.
    NoPages,
    /// A parameter is given a value that leads from page to page.
    FilledParameter,
    /// It is said how pages follow each other, and nobody asks for them.
    UnusedPagination,
    /// A CSS selector that can't be followed.
    Selector,
    /// What is said of answers and published nowhere.
    Unpublished,
}

impl Code {
    /// The stable string form.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Syntax => "AL001",
            Self::Limit => "AL002",
            Self::DuplicateKey => "AL003",
            Self::UnknownKey => "AL004",
            Self::MissingKey => "AL005",
            Self::WrongType => "AL006",
            Self::InvalidValue => "AL007",
            Self::UnknownVersion => "AL008",
            Self::NotSupported => "AL009",
            Self::InvalidName => "AL020",
            Self::DuplicateName => "AL021",
            Self::DuplicateRoute => "AL022",
            Self::UnknownReference => "AL023",
            Self::UnknownParameter => "AL024",
            Self::UnfedParameter => "AL025",
            Self::PathVariable => "AL026",
            Self::InvalidPath => "AL030",
            Self::InvalidBaseUri => "AL031",
            Self::InvalidHeader => "AL032",
            Self::NameMismatch => "AL027",
            Self::InvalidJsonPath => "AL033",
            Self::UnboundSecret => "AL040",
            Self::LiteralSecret => "AL041",
            Self::MisplacedSecret => "AL042",
            Self::AmbiguousSecret => "AL043",
            Self::ForeignBind => "AL044",
            Self::Import => "AL050",
            Self::SharedFile => "AL051",
            Self::UnusedOperation => "AL060",
            Self::UnusedParameter => "AL061",
            Self::UnusedInput => "AL062",
            Self::UndeclaredVariable => "AL063",
            Self::NoDescription => "AL064",
            Self::LongName => "AL065",
            Self::SimilarNames => "AL066",
            Self::DoubtfulPromise => "AL067",
            Self::StepCycle => "AL070",
            Self::Location => "AL080",
            Self::ResourceUri => "AL081",
            Self::PromptVariable => "AL082",
            Self::Pagination => "AL090",
            Self::NoPages => "AL091",
            Self::FilledParameter => "AL092",
            Self::UnusedPagination => "AL093",
            Self::Selector => "AL094",
            Self::Unpublished => "AL095",
            Self::HostControl => "AL100",
        }
    }

    /// Whether it is about what is legal and probably wrong.
    pub fn is_lint(self) -> bool {
        matches!(
            self,
            Self::UnusedOperation
                | Self::UnusedParameter
                | Self::UnusedInput
                | Self::UndeclaredVariable
                | Self::NoDescription
                | Self::LongName
                | Self::SimilarNames
                | Self::DoubtfulPromise
                | Self::UnusedPagination
        )
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Error => "error",
            Self::Warning => "warning",
        })
    }
}
