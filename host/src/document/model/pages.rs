//! Lists in pages: how the pages of a consumed operation follow each other, and who asks for all of them.

use serde_json::Value as Json;

use crate::document::plan::{Bound, PageOrder};
use crate::document::tree::Placed;

/// How the pages of a consumed operation follow each other.
#[derive(Debug)]
pub struct Pagination {
    /// A JSONPath to the items of a page.
    pub items: String,
    /// How a page leads to the next.
    pub order: PageOrder,
    /// The parameters that are given values by this, with those for the first page; null isn't sent.
    pub filled: Vec<(String, Json)>,
}

/// That all pages of a call are asked for.
#[derive(Debug)]
pub struct Paginate(pub Placed<Bound>);
