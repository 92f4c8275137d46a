//! A page about each diagnostic code: what it means, a small document that has it, how to mend it.
//!
//! The document is the code's case in `tests/cases/diagnostics`, so that what a page shows is what is said.

#[cfg(test)]
mod tests;

/// What is known about a code.
#[derive(Clone, Copy, Debug)]
pub struct Page {
    /// The code, e.g. `AL004`.
    pub code: &'static str,
    /// What is wrong, in a few words.
    pub title: &'static str,
    /// What it means.
    pub meaning: &'static str,
    /// What to do about it.
    pub mend: &'static str,
    /// A document that has it.
    pub example: &'static str,
}

macro_rules! page {
    ($code:literal, $title:literal, $meaning:literal, $mend:literal $(,)?) => {
        Page {
            code: $code,
            title: $title,
            meaning: $meaning,
            mend: $mend,
            example: include_str!(concat!("../../../tests/cases/diagnostics/", $code, ".yaml")),
        }
    };
}

impl Page {
    /// The page of a code, however its letters are written.
    pub fn of(code: &str) -> Option<&'static Self> {
        PAGES.iter().find(|page| page.code.eq_ignore_ascii_case(code))
    }
}

/// All pages, in the order of their codes.
pub const PAGES: &[Page] = &[
    page!(
        "AL001",
        "the text is not YAML",
        "The file can't be read as one YAML 1.2 document (JSON is YAML too), so nothing in it was looked at. The usual reasons are \
         an indentation that doesn't fit, a bracket or quote that isn't closed, a colon followed by a space inside of plain text, \
         or two documents with `---` between them.",
        "Look at the line that is named and at the one before it: what is open there? Put text with `: ` or ` #` in it in quotes.",
    ),
    page!(
        "AL002",
        "the document is larger than anything that a person writes",
        "Size, nesting, aliases and the number of items are limited, and the limits hold while the text is read. Otherwise a few \
         lines of aliases that repeat each other would take all memory of the host that loads them.",
        "Split the document, one capability per file; write out what aliases repeat.",
    ),
    page!(
        "AL003",
        "a key stands twice in one mapping",
        "YAML allows each key once. Readers disagree about which of the two counts, so neither is guessed.",
        "Keep the one that you mean. If both are meant, they are two items of a list.",
    ),
    page!(
        "AL004",
        "a key that the format doesn't know",
        "The key has no effect: it is misspelt, stands one level too high or too low, or belongs to another format. A document \
         with unknown keys can be used, as generators add keys of their own; with `--strict` it can't.",
        "Correct the spelling, move the key to where it belongs, or remove it. `airlock schema` lets an editor complete the keys.",
    ),
    page!(
        "AL005",
        "a key that must be there is absent",
        "Without this key the part of the document has no meaning, and nothing sensible can be supposed instead. A key without \
         a value counts as absent.",
        "Add the key where the message points.",
    ),
    page!(
        "AL006",
        "a value of the wrong type",
        "Text, numbers, true and false, lists and mappings aren't taken for each other. YAML reads `12`, `1.0` and `true` as \
         numbers and booleans unless they are in quotes; `yes` and `no` are text.",
        "Write what is expected; put numbers that are meant as text in quotes.",
    ),
    page!(
        "AL007",
        "a value that can't be used",
        "The value has the right type, but isn't one of those that are possible here, or what it says can't be carried out.",
        "Choose one of the values that are listed as expected.",
    ),
    page!(
        "AL008",
        "a version of the format that isn't known",
        "`naftiko` or `ikanos` at the beginning says by which release of the format a document is to be read. A later release of \
         a known family is probably read as it was meant, and gets a warning; any other is an error.",
        "Correct the version, or check that the operations are what you expect: `airlock inspect` shows them.",
    ),
    page!(
        "AL009",
        "a part of the format that isn't carried out",
        "The key or value is right by the format, and this release of Airlock doesn't do what it asks for. It isn't ignored, as the \
         operation would do something else than its author thinks.",
        "Leave it out; write it in another way, if the advice names one; or write this provider by hand: `airlock new NAME --rust`.",
    ),
    page!(
        "AL020",
        "a name with characters that can't be in it",
        "Names of operations and tools travel in URLs, in MCP and in configuration files. They have 1 to 128 letters, digits, `_`, \
         `.` and `-`, which is what MCP allows for tools.",
        "Choose a name of these characters; a name for people goes under `label`, `display` or `title`.",
    ),
    page!(
        "AL021",
        "a name that is taken",
        "Two things of one kind have the same name, so a reference or a call could mean either. The message names both lines.",
        "Rename one of them, and what refers to it.",
    ),
    page!(
        "AL022",
        "a method and path that are taken",
        "Two REST operations have the same method and the same path. Paths that differ only in the names of their variables are \
         the same: no request could tell them apart.",
        "Change the path or the method of one of them.",
    ),
    page!(
        "AL023",
        "a reference to something that isn't there",
        "A reference names what nothing in the document has as its name: `call` has the namespace of what is consumed, a dot, and \
         the operation's name.",
        "Correct the reference; the advice has the name that comes nearest.",
    ),
    page!(
        "AL024",
        "a parameter or an input that isn't there",
        "`with` gives a value to a parameter that the called operation doesn't have, which is never sent (a warning), or takes it \
         from an input that the caller can't give, as `inputParameters` doesn't list it (an error).",
        "Correct the name, declare the parameter or the input, or remove the line.",
    ),
    page!(
        "AL025",
        "a required parameter that nothing feeds",
        "The called operation can't do without a parameter, and neither `with` nor an input of the same name gives it a value, so \
         every call would fail.",
        "Give it a value under `with`, or declare an input of its name under `inputParameters`.",
    ),
    page!(
        "AL026",
        "a path variable that matches nothing, or more than one thing",
        "Variables of a path and the parameters and inputs that fill them are matched by name: exactly, else ignoring case, else \
         ignoring `-` and `_` as well. A parameter `in: path` that no variable means can't be sent, and where two could be meant \
         neither is chosen.",
        "Write the name exactly as it stands in the path.",
    ),
    page!(
        "AL027",
        "another name than the key above it",
        "Where a section is a map, the key of an entry is its name. An entry that has a `name` or `namespace` of its own besides, and \
         another one, would be called one thing here and another there.",
        "Remove the name in the entry, or make it the same as the key.",
    ),
    page!(
        "AL030",
        "a path that can't be used",
        "A path begins with a slash; it has no query and no fragment, its variables are in braces, and in an exposed path each \
         variable is a whole segment and stands there once.",
        "Correct the path; what stands behind a `?` becomes parameters with `in: query`.",
    ),
    page!(
        "AL031",
        "a base URI that can't be used",
        "The address of an API is `https://host[:port][/prefix]`, or the same with `http`. A user, a query or a fragment in it \
         would be lost or would be a secret in the document.",
        "Write the address alone; credentials go under `authentication`, query keys under `inputParameters`.",
    ),
    page!(
        "AL032",
        "a header that a document can't set",
        "Some headers belong to the connection, which is the host's (`Host`, `Content-Length`, `Transfer-Encoding` and others), and \
         some have an element of their own, `Authorization` and `Cookie`. Others aren't names of headers at all.",
        "Remove it; give credentials under `authentication` and cookies as parameters with `in: cookie`.",
    ),
    page!(
        "AL033",
        "a JSONPath that can't be read",
        "Where a value comes from is said by a JSONPath (RFC 9535), which begins with `$`. It is read when the document is compiled, so that no \
         call finds out that it can't be.",
        "Correct the path, e.g. `$.items[0].name`; a name with other characters than letters and digits goes in brackets: `$['first name']`.",
    ),
    page!(
        "AL040",
        "a template names a secret that isn't bound",
        "A template such as `{{env.API_KEY}}` means a key of `binds`, and no bind has it. It is never replaced by an empty text: the \
         upstream would be asked without a credential.",
        "Add the key under `binds`, or correct the name. Where its value comes from is said in the operator's grant.",
    ),
    page!(
        "AL041",
        "a secret is written in the document",
        "Documents are shared, logged and kept in version control. The value isn't shown here; who can read the document has it.",
        "Bind a key under `binds`, write `{{env.KEY}}` instead, and revoke this secret: it is known.",
    ),
    page!(
        "AL042",
        "a secret would reach the sandbox or the caller",
        "Secrets are added by the host to the finished request, after the plugin is done with it. As an argument or in a path a \
         secret would pass through the sandbox, or be asked of the caller.",
        "Give it under `authentication`, or under `inputParameters` beside `baseUri` with `in: header` or `in: query`.",
    ),
    page!(
        "AL043",
        "a template that could mean several secrets",
        "A template without a namespace, such as `{{API_KEY}}`, means the one key of this name in all binds. Several binds have it, and \
         which value was meant can't be guessed.",
        "Write it with its namespace: `{{env.API_KEY}}`.",
    ),
    page!(
        "AL044",
        "values of a bind are somewhere else",
        "A bind says that its values are kept where Airlock doesn't read, a vault or a cloud's store of secrets. The document can be used \
         all the same: where values come from is said in the operator's grant.",
        "Have the values brought to an environment variable, a file or a systemd credential, and grant each from there.",
    ),
    page!(
        "AL050",
        "an import that can't be followed",
        "A part of the document is imported from a file that isn't there, can't be read, lies outside of the document's folder, or has no \
         entry of this name; or files import from each other in a circle.",
        "Write the path relative to the document, in its folder or below, and the name as it stands in that file.",
    ),
    page!(
        "AL051",
        "a file for other documents to import from",
        "The file has parts of a document, but no `capability`: it offers nothing by itself. In a plugin folder such a file is no plugin \
         and no mistake; only what needs a plugin says so.",
        "Import its parts in a document; or add a `capability` with `consumes` and `exposes` to make it a plugin.",
    ),
    page!(
        "AL060",
        "a consumed operation that nothing calls",
        "The document declares an operation of the API and doesn't expose it. Nothing is wrong with that, but nobody can call it; \
         often the `call` that was meant for it names another one.",
        "Expose it, or remove it.",
    ),
    page!(
        "AL061",
        "a consumed parameter that nothing feeds",
        "The called operation could take a parameter, and no exposed operation or tool gives it a value: callers can't, and it is \
         never sent. With `with`, only what is listed there is sent.",
        "Add it under `with` where the operation is exposed, or remove it.",
    ),
    page!(
        "AL062",
        "an input that feeds nothing",
        "Callers are asked for a value that goes nowhere. Agents fill it with care, and it is left out without a word.",
        "Use it under `with`, or remove it.",
    ),
    page!(
        "AL063",
        "a path variable that no parameter declares",
        "It is taken for required text, without a description: neither people nor agents are told what it is.",
        "Declare it under `inputParameters` with `in: path`, a type and a description.",
    ),
    page!(
        "AL064",
        "a tool without a description",
        "Neither the tool nor the operation that it calls says what it does. An agent chooses among tools by their descriptions, \
         and gets the method and path of the API instead.",
        "Add a `description`: what it does, when to use it and when not.",
    ),
    page!(
        "AL065",
        "a name that is too long for some clients",
        "MCP allows names of 128 characters. Clients hand them on to models, and the function calling of OpenAI's and Anthropic's APIs \
         takes 64; such a tool is cut, refused or left out there.",
        "Choose a name of at most 64 characters, less if clients put the server's name before it.",
    ),
    page!(
        "AL066",
        "names that differ in case alone",
        "Two tools have names that are the same but for capitals. Models and people mix them up, and some clients take them for one.",
        "Rename one of them.",
    ),
    page!(
        "AL067",
        "a promise to change nothing that is doubtful",
        "A tool says `readOnly`, or a flow says `safe`, and the request that is made has a method by which things are changed. Agents call \
         such a tool without asking anybody, and a host's rules for its callers let it through as one that reads.",
        "Remove the promise, or correct the `call`. Where the API reads by this method, such as a search by POST, it may stay.",
    ),
    page!(
        "AL070",
        "steps that need each other's results",
        "Each step of a flow is carried out once it has the results that it refers to, and one that may change something (any method \
         but GET, HEAD and OPTIONS) after all that stand before it. These wait for each other, so none could ever begin.",
        "Take one of the references out; a step may refer to what needs nothing of it.",
    ),
    page!(
        "AL080",
        "a location at which there is nothing that can be served",
        "A resource, a prompt or a skill is made of files, and they aren't there, lie outside of the document's folder, are too many or too \
         large, or have names that can't stand in a URI. Files are read when the document is compiled and become part of the component; \
         what begins with a dot is never served.",
        "Write the path relative to the document, as `file:///./guides`, and put the files there.",
    ),
    page!(
        "AL081",
        "a URI of a resource that can't be used",
        "A resource's URI is absolute, and each of its variables gives an input of what is called when it is read; nothing else gives any. \
         Between two variables there is text, or it couldn't be said where one ends.",
        "Name each variable as the input, and give everything that is required a variable: `users://{id}/profile`. What is always the same \
         goes under `with`.",
    ),
    page!(
        "AL082",
        "a prompt's text with a variable that is no argument",
        "`{{name}}` stands for the argument of this name. Nobody is asked for one that isn't declared, so it would stay empty.",
        "Declare it under `arguments`, or correct its name.",
    ),
    page!(
        "AL090",
        "pages that can't follow each other like this",
        "`pagination` says how one page of a list leads to the next, so that a call can ask for all of them. It needs a GET, whose answer can \
         be read, and fills parameters of the query that the operation declares; this operation has no such parameter, or isn't of that kind.",
        "Name a parameter with `in: query` under `parameter`, and declare it under `inputParameters`. Where pages have the address of the \
         next one, `type: link` needs none.",
    ),
    page!(
        "AL091",
        "all pages are asked for of something that has none",
        "`paginate` beside a `call` asks for all pages of a list. How they follow each other is said where the operation is consumed, and \
         nothing is said there, or nothing is called at all.",
        "Add `pagination` to the consumed operation, or remove `paginate`.",
    ),
    page!(
        "AL092",
        "a parameter that leads from page to page gets another value",
        "With `paginate` the parameters that `pagination` names are filled request by request, and so are no inputs. A value under `with` \
         would ask for the same page again and again.",
        "Remove the line under `with`; expose the operation once more without `paginate` for callers who want single pages.",
    ),
    page!(
        "AL093",
        "it is said how pages follow each other, and nobody asks for them",
        "The consumed operation has `pagination`, and no `call` of it says `paginate`, so callers get one page and have to turn pages themselves.",
        "Add `paginate: {maxItems: 500}` where the operation is exposed, or remove `pagination`.",
    ),
    page!(
        "AL094",
        "a CSS selector that can't be followed",
        "Beside `outputRawFormat: html`, `outputSchema` chooses tables by a selector. Names of elements, `#id` and `.class` are understood, \
         one inside of another, and several with commas between them; nothing else of CSS is.",
        "Choose by a name, an id or a class of the table, or of something around it. Without a selector all tables are read.",
    ),
    page!(
        "AL095",
        "what is said of an answer is published nowhere",
        "`responses`, `responseBinary` and `outputMediaType` describe answers. Airlock publishes the schema of a JSON result and the media type \
         of bytes; statuses, other media types and what errors look like are the upstream's, and come as they are.",
        "Remove it, or keep it for other readers of the document: it changes nothing.",
    ),
    page!(
        "AL100",
        "the host does this for all that it serves",
        "An expose of type `control` asks for endpoints about health and metrics. A host has one listener for them, `listen.control` of \
         `airlock.toml`, with `/health/live`, `/health/ready`, `/plugins` and `/metrics`, whatever documents say: no port is opened for one \
         document, and none can turn off what its operator relies on.",
        "Leave the expose out; for other uses of the same document it may stay.",
    ),
];
