//! The part of the m3ter API that a review reads: a user, their permission policies, their groups.
//!
//! It adds no credential, the host does; it doesn't retry, and it takes an answer only as the API documents it.

use airlock_sdk::{Failure, http::Request, invalid_input};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde::{Deserialize, Serialize, de::DeserializeOwned};

/// Where the API is.
pub const BASE_URL: &str = "https://api.m3ter.com";

/// How many entries a page may have: the most that the API gives, for the fewest requests.
const PAGE_SIZE: usize = 200;

/// How many pages of one list are read. Five, so 1000 entries: nobody reviews more by hand, and the worst case of 16 requests one
/// after the other still fits into a call's usual 30 seconds.
const MAX_PAGES: usize = 5;

/// What RFC 3986 calls unreserved stays as it is; all else is encoded.
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// A user of the organization.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct OrgUser {
    pub id: String,
    pub version: Option<u64>,
    pub first_name: Option<String>,
    pub last_name: Option<String>,
    pub email: Option<String>,
    pub support_user: Option<bool>,
    /// Absent or null: access never ends.
    pub dt_end_access: Option<String>,
    pub permission_policy: Option<Vec<Statement>>,
}

/// A named set of permission statements.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Policy {
    pub id: String,
    pub name: Option<String>,
    pub managed_policy: Option<bool>,
    pub permission_policy: Option<Vec<Statement>>,
}

/// Allows or denies actions on resources. The spelling of all three differs between the API's reference and its answers.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Statement {
    pub effect: String,
    pub action: Vec<String>,
    pub resource: Vec<String>,
}

/// A group of users.
#[derive(Debug, Deserialize)]
pub struct Group {
    pub id: String,
    pub name: Option<String>,
}

/// The entries of a list, from as many pages as one review reads.
#[derive(Debug)]
pub struct Listing<T> {
    pub items: Vec<T>,
    /// False if there were more pages.
    pub complete: bool,
}

/// Whether a list of groups has those that the user is in only by way of another group.
#[derive(Clone, Copy, Debug)]
pub enum Inherited {
    Included,
    Excluded,
}

/// The API, as far as it is about one user.
#[derive(Debug)]
pub struct Api {
    user_url: String,
}

impl Api {
    /// Sends nothing yet.
    ///
    /// # Errors
    /// `invalid-input` for an id that can't be a part of a path, or that the API would take for something else.
    pub fn new(organization: &str, user: &str) -> Result<Self, Failure> {
        if user == "me" {
            // `/users/me` answers with the caller, in another shape.
            return Err(invalid_input("id", "must be a user's UUID, not: me; retrieve-current-user tells your own"));
        }
        let organization = segment("orgId", organization)?;
        let user = segment("id", user)?;
        Ok(Self { user_url: format!("{BASE_URL}/organizations/{organization}/users/{user}") })
    }

    pub fn user(&self) -> Result<OrgUser, Failure> {
        get(&self.user_url)
    }

    pub fn policies(&self) -> Result<Listing<Policy>, Failure> {
        let url = format!("{}/permissions?pageSize={PAGE_SIZE}", self.user_url);
        read_pages(|token| get(&page_url(&url, token)))
    }

    pub fn groups(&self, inherited: Inherited) -> Result<Listing<Group>, Failure> {
        let inherited = match inherited {
            Inherited::Included => "true",
            Inherited::Excluded => "false",
        };
        let url = format!("{}/usergroups?inherited={inherited}&pageSize={PAGE_SIZE}", self.user_url);
        read_pages(|token| get(&page_url(&url, token)))
    }
}

/// One page of a list. The API's reference calls these answers lists and shows them as a single entry: both are taken.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Page<T> {
    #[serde(rename_all = "camelCase")]
    List {
        data: Vec<T>,
        next_token: Option<String>,
    },
    Single(T),
}

impl<T> Page<T> {
    /// The entries, and the token of the following page.
    fn into_parts(self) -> (Vec<T>, Option<String>) {
        match self {
            Self::List { data, next_token } => (data, next_token.filter(|token| !token.is_empty())),
            Self::Single(entry) => (vec![entry], None),
        }
    }
}

fn read_pages<T>(mut page: impl FnMut(Option<&str>) -> Result<Page<T>, Failure>) -> Result<Listing<T>, Failure> {
    let mut items = Vec::new();
    let mut token: Option<String> = None;
    for _ in 0..MAX_PAGES {
        let (data, next) = page(token.as_deref())?.into_parts();
        items.extend(data);
        if next.is_none() {
            return Ok(Listing { items, complete: true });
        }
        token = next;
    }
    Ok(Listing { items, complete: false })
}

/// `first_page` has a query already.
fn page_url(first_page: &str, token: Option<&str>) -> String {
    match token {
        Some(token) => format!("{first_page}&nextToken={}", percent(token)),
        None => first_page.to_owned(),
    }
}

fn get<T: DeserializeOwned>(url: &str) -> Result<T, Failure> {
    let answer = Request::get(url).header("accept", "application/json").send()?.success()?.bytes()?;
    serde_json::from_slice(&answer)
        .map_err(|e| Failure::Unavailable(format!("the answer is not what the m3ter API documents: {e}")))
}

/// A value as one segment of a path.
fn segment(parameter: &str, value: &str) -> Result<String, Failure> {
    match value {
        "" | "." | ".." => {
            Err(invalid_input(parameter, format!("is part of a path and must be a UUID, not: {value:?}")))
        }
        value => Ok(percent(value)),
    }
}

fn percent(text: &str) -> String {
    utf8_percent_encode(text, RESERVED).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_one_segment_each() {
        for (organization, user, expected) in [
            ("o-1", "u-1", "https://api.m3ter.com/organizations/o-1/users/u-1"),
            ("o/..", "u?x#y", "https://api.m3ter.com/organizations/o%2F../users/u%3Fx%23y"),
            ("ä", "...", "https://api.m3ter.com/organizations/%C3%A4/users/..."),
        ] {
            assert_eq!(Api::new(organization, user).unwrap().user_url, expected);
        }
    }

    #[test]
    fn what_is_no_id_is_the_callers_to_change() {
        for (organization, user, parameter) in
            [("", "u", "orgId"), ("..", "u", "orgId"), ("o", "", "id"), ("o", ".", "id"), ("o", "me", "id")]
        {
            let Err(Failure::InvalidInput(error)) = Api::new(organization, user) else {
                panic!("accepted: {organization:?} {user:?}");
            };
            assert_eq!(error.parameter.as_deref(), Some(parameter));
        }
    }

    #[test]
    fn tokens_are_encoded() {
        for (token, expected) in [(None, "u?a=1"), (Some("x+/=="), "u?a=1&nextToken=x%2B%2F%3D%3D")] {
            assert_eq!(page_url("u?a=1", token), expected);
        }
    }

    #[test]
    fn both_shapes_of_a_page_are_read_and_no_other() {
        for (answer, expected) in [
            (r#"{"data": [{"id": "a"}, {"id": "b", "name": null}]}"#, Some((2, None))),
            (r#"{"data": [], "nextToken": null}"#, Some((0, None))),
            (r#"{"data": [], "nextToken": ""}"#, Some((0, None))),
            (r#"{"data": [{"id": "a"}], "nextToken": "t"}"#, Some((1, Some("t".to_owned())))),
            (r#"{"id": "a", "name": "A"}"#, Some((1, None))),
            (r#"{}"#, None),
            (r#"{"data": [{"name": "no id"}]}"#, None),
            (r#"{"message": "hello"}"#, None),
        ] {
            let page = serde_json::from_str::<Page<Group>>(answer).ok();
            let parts = page.map(|page| {
                let (data, token) = page.into_parts();
                (data.len(), token)
            });
            assert_eq!(parts, expected, "{answer}");
        }
    }

    #[test]
    fn pages_are_read_to_the_end_or_to_the_bound() {
        for (pages, requests, complete) in
            [(1, 1, true), (MAX_PAGES, MAX_PAGES, true), (MAX_PAGES + 1, MAX_PAGES, false)]
        {
            let mut asked = Vec::new();
            let listing = read_pages(|token| {
                asked.push(token.map(str::to_owned));
                let number = asked.len();
                Ok(Page::List { data: vec![number], next_token: (number < pages).then(|| format!("after {number}")) })
            })
            .unwrap();
            assert_eq!(listing.complete, complete, "{pages} pages");
            assert_eq!(listing.items, (1..=requests).collect::<Vec<_>>());
            let tokens = (1..requests).map(|number| Some(format!("after {number}")));
            assert_eq!(asked, [None].into_iter().chain(tokens).collect::<Vec<_>>());
        }
    }

    #[test]
    fn a_failed_page_fails_the_list() {
        let mut requests = 0;
        let listing: Result<Listing<()>, _> = read_pages(|_| {
            requests += 1;
            match requests {
                1 => Ok(Page::List { data: vec![], next_token: Some("t".to_owned()) }),
                _ => Err(Failure::TimedOut("slow".to_owned())),
            }
        });
        assert!(matches!(listing, Err(Failure::TimedOut(_))));
    }
}
