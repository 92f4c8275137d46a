//! All pages of a list, ready to be asked for.

use super::{RawFormat, Request, Shape};

/// One request for each page of a list, all of whose items are the result.
#[derive(Clone, Debug, PartialEq)]
pub struct Pages {
    /// The request for the first page. What leads to another page is among its query parameters.
    pub request: Request,
    /// What a page is.
    pub format: RawFormat,
    /// A JSONPath to the items of a page.
    pub items: String,
    /// How a page leads to the next.
    pub order: PageOrder,
    /// How much of the list is asked for.
    pub bound: Bound,
    /// What is made of the list of all items.
    pub shape: Shape,
}

/// How a page leads to the next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PageOrder {
    /// A page says what the request for the next one has in this query parameter; the last one says nothing.
    Token(String, NextToken),
    /// A query parameter counts.
    Counted(Counted),
    /// A page has the address of the next one: where this JSONPath leads, or else in its header field `link`.
    Link(Option<String>),
}

/// Where a page says what leads to the next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NextToken {
    /// Where this JSONPath leads.
    Path(String),
    /// In the header field of this name.
    Header(String),
}

/// A query parameter that counts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Counted {
    /// The query parameter.
    pub parameter: String,
    /// What it begins with.
    pub start: u64,
    /// What it counts.
    pub by: CountedBy,
    /// The items of a page; one that has fewer is the last one, unless there is a total.
    pub size: Option<u32>,
    /// A JSONPath to the number of all items.
    pub total: Option<String>,
}

/// What a query parameter counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CountedBy {
    /// Pages.
    Pages,
    /// The items of the pages before.
    Items,
}

/// How much of a list is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bound {
    /// The most items of the result.
    pub most: u32,
    /// What becomes of a list that has more.
    pub beyond: Beyond,
}

/// What becomes of a list that has more items than the result may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Beyond {
    /// The call fails.
    Fail,
    /// The result has the first ones.
    Cut,
}
