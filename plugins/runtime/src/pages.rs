//! All pages of a list: one request after the other, until a page is the last one or there are more items than wanted.
//!
//! Ends by itself whatever an upstream says: a page that leads to one that was there is an error, and so is one that is the same as the one
//! before. How many requests there may be is the host's to say. Errors and redirects are handed on, as those of a single request are.

mod link;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;

use airlock_sdk::{Failure, Reply, http::Response};
use serde_json::Value as Json;

use crate::{
    bindings::airlock::capability::plan::{
        self, Beyond, Counted, CountedOrder, Extent, QueryParameter, QueryStyle, RawFormat, Request, Value,
    },
    encode, flow, format,
    input::Input,
    path::Path,
    request,
    shape::Shape,
};

/// A list that is ready to be asked for.
#[derive(Debug)]
pub struct Pages {
    request: Request,
    format: RawFormat,
    items: Path,
    order: Order,
    most: usize,
    beyond: Beyond,
    shape: Shape,
}

#[derive(Debug)]
enum Order {
    Token(String, Source),
    Counted(CountedOrder, Option<Path>),
    Link(Source),
}

/// Where a page says what leads to the next.
#[derive(Debug)]
enum Source {
    Body(Path),
    Header(String),
}

impl Pages {
    /// Prepares what the plan says.
    ///
    /// # Errors
    /// A path that can't be read: the compiler has written something else than it promises.
    pub fn compile(plan: plan::Pages) -> Result<Self, String> {
        let one = |path: &str| Path::read(path, Extent::One);
        let body = |path: String| one(&path).map(Source::Body);
        let order = match plan.order {
            plan::PageOrder::Token(it) => Order::Token(
                it.parameter,
                match it.next {
                    plan::NextToken::Path(path) => body(path)?,
                    plan::NextToken::Header(name) => Source::Header(name),
                },
            ),
            plan::PageOrder::Counted(it) => {
                let total = it.total.as_deref().map(one).transpose()?;
                Order::Counted(it, total)
            }
            plan::PageOrder::Link(path) => Order::Link(match path {
                Some(path) => body(path)?,
                None => Source::Header("link".to_owned()),
            }),
        };
        Ok(Self {
            request: plan.request,
            format: plan.format,
            items: Path::read(&plan.items, plan.items_lead_to)?,
            order,
            most: plan.most as usize,
            beyond: plan.beyond,
            shape: Shape::compile(&plan.shape)?,
        })
    }

    /// Asks for one page after the other, and makes the result of all items.
    ///
    /// # Errors
    /// `request-failed` with the number of the page that got no answer, or one that isn't a page of the list.
    pub fn carry_out(&self, input: &Input<'_>) -> Result<Reply, Failure> {
        let mut walk = Walk::of(self, request::url(&self.request, input)?);
        for page in 1_usize.. {
            let pending = request::build(&walk.request, input)?.start()?;
            let number = pending.number();
            let in_page = |failure| flow::in_request(format!("page {page}"), number, failure);
            let response = pending.wait().map_err(in_page)?;
            if !matches!(response.status(), 200..=299) {
                return Ok(response.hand_on());
            }
            let page = self.read(response).map_err(in_page)?;
            let went = walk.take(&page).map_err(|what| in_page(Failure::Unavailable(what)))?;
            if went == Went::ToTheEnd {
                break;
            }
        }
        Ok(Reply::Structured(self.shape.apply(&Json::Array(walk.items), input)))
    }

    fn read(&self, response: Response) -> Result<Page, Failure> {
        let fields = match &self.order {
            Order::Token(_, Source::Header(name)) | Order::Link(Source::Header(name)) => response.headers(name),
            _ => Vec::new(),
        };
        let bytes = response.bytes()?;
        let body = match bytes.is_empty() {
            true => Json::Null,
            false => format::read(&self.format, bytes)
                .map_err(|what| Failure::Unavailable(format!("the upstream's answer is {what}")))?,
        };
        Ok(Page { body, fields })
    }

    fn items_of(&self, page: &Json) -> Result<Vec<Json>, String> {
        match self.items.find(page).map(|found| found.into_owned()) {
            None | Some(Json::Null) => Ok(Vec::new()),
            Some(Json::Array(items)) => Ok(items),
            // In XML a list of one looks like the one.
            Some(one) if matches!(self.format, RawFormat::Xml) => Ok(vec![one]),
            Some(_) => Err("the upstream's answer has something else than a list where its items should be".to_owned()),
        }
    }
}

/// An answer.
struct Page {
    body: Json,
    /// The header fields that lead to the next one.
    fields: Vec<String>,
}

/// A list of which a part is there.
struct Walk<'p> {
    pages: &'p Pages,
    /// The address of the first page.
    start: String,
    /// The request for the next page.
    request: Request,
    items: Vec<Json>,
    /// How many of them came last.
    latest: usize,
    /// How many pages have been turned by counting.
    turned: u64,
    /// What has led to pages otherwise.
    seen: BTreeSet<String>,
}

#[derive(Debug, PartialEq, Eq)]
enum Went {
    On,
    ToTheEnd,
}

impl<'p> Walk<'p> {
    fn of(pages: &'p Pages, start: String) -> Self {
        let request = pages.request.clone();
        Self { pages, start, request, items: Vec::new(), latest: 0, turned: 0, seen: BTreeSet::new() }
    }

    /// Takes the items of a page, and finds the way to the next.
    fn take(&mut self, page: &Page) -> Result<Went, String> {
        let found = self.pages.items_of(&page.body)?;
        if matches!(self.pages.order, Order::Counted(..)) {
            self.refuse_again(&found)?;
        }
        self.latest = found.len();
        self.items.extend(found);
        let most = self.pages.most;
        match self.pages.beyond {
            Beyond::Fail if self.items.len() > most => {
                return Err(format!("the list has more items than the {most} that `paginate` allows"));
            }
            Beyond::Cut if self.items.len() >= most => {
                self.items.truncate(most);
                return Ok(Went::ToTheEnd);
            }
            Beyond::Fail | Beyond::Cut => {}
        }
        self.turn(page)
    }

    /// An upstream that doesn't know the parameter gives its first page again and again.
    fn refuse_again(&self, found: &[Json]) -> Result<(), String> {
        if self.latest > 0 && found.len() == self.latest && self.items.ends_with(found) {
            return Err("the upstream gives the same page again, so the list has no end".to_owned());
        }
        Ok(())
    }

    /// Makes the request for the next page.
    fn turn(&mut self, page: &Page) -> Result<Went, String> {
        let next = match &self.pages.order {
            Order::Counted(counted, total) => return Ok(self.count_on(counted, total.as_ref(), page)),
            Order::Token(_, source) => said(source, page)?,
            Order::Link(source) => {
                let target = match source {
                    Source::Header(_) => link::next(&page.fields),
                    Source::Body(_) => said(source, page)?,
                };
                target.map(|target| link::query(&target, &self.start)).transpose()?
            }
        };
        let Some(next) = next else { return Ok(Went::ToTheEnd) };
        if !self.seen.insert(next.clone()) {
            return Err("the upstream leads to a page that was there, so the list has no end".to_owned());
        }
        let value = Json::from(next).to_string();
        match &self.pages.order {
            Order::Token(parameter, _) => set(&mut self.request.query, parameter, value),
            Order::Counted(..) | Order::Link(_) => {
                let (name, value) = (String::new(), Value::Constant(value));
                self.request.query = vec![QueryParameter { name, value, style: QueryStyle::Verbatim }];
            }
        }
        Ok(Went::On)
    }

    /// The same where a parameter counts.
    fn count_on(&mut self, counted: &CountedOrder, total: Option<&Path>, page: &Page) -> Went {
        let total = total.and_then(|total| count(total, &page.body));
        if self.is_last(counted, total) {
            return Went::ToTheEnd;
        }
        self.turned += 1;
        let by = match counted.by {
            Counted::Pages => self.turned,
            Counted::Items => self.items.len() as u64,
        };
        set(&mut self.request.query, &counted.parameter, counted.start.saturating_add(by).to_string());
        Went::On
    }

    /// What a total says counts for more than the size of a page: an upstream may give fewer items than it is asked for.
    fn is_last(&self, counted: &CountedOrder, total: Option<u64>) -> bool {
        let is_short = || match (total, counted.size) {
            (Some(total), _) => self.items.len() as u64 >= total,
            (None, size) => size.is_some_and(|size| self.latest < size as usize),
        };
        self.latest == 0 || is_short()
    }
}

/// What a page says in one of its places; nothing and an empty text are the same.
fn said(source: &Source, page: &Page) -> Result<Option<String>, String> {
    let found = match source {
        Source::Header(_) => page.fields.first().cloned(),
        Source::Body(path) => match path.find(&page.body).as_deref() {
            None | Some(Json::Null | Json::Bool(false)) => None,
            Some(text @ (Json::String(_) | Json::Number(_))) => Some(encode::text(text)),
            Some(_) => {
                return Err(
                    "the upstream's answer has no text where it should say what leads to the next page".to_owned()
                );
            }
        },
    };
    Ok(found.filter(|text| !text.is_empty()))
}

/// A number, or a text that is one.
fn count(path: &Path, page: &Json) -> Option<u64> {
    let found = path.find(page)?;
    found.as_u64().or_else(|| found.as_str()?.trim().parse().ok())
}

/// Gives a parameter, which the compiler has put there, another value.
fn set(query: &mut [QueryParameter], name: &str, json: String) {
    if let Some(parameter) = query.iter_mut().find(|it| it.name == name) {
        parameter.value = Value::Constant(json);
    }
}
