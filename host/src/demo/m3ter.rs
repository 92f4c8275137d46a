//! A simulator of the m3ter API for users of an organization, with its state in memory.
//!
//! Mails nothing, enforces no permission, knows one organization and one caller; everything starts anew with each router.
//!
//! Where the reference is silent: an absent `pageSize` means the largest one, an update leaves absent members as they are, effects
//! and actions are taken in any case, and the two lists below a user come as `data` with `nextToken`, like the list of users.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::Router;
use axum::body::Bytes;
use axum::extract::{Path, RawQuery, State};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, put};
use http::StatusCode;
use serde_json::{Value as Json, json};

use super::simulator::{Query, answer, guard, time, uuid};

/// The organization to which everything belongs.
pub const ORGANIZATION: &str = "3c9f1d52-8a64-4e0b-b7d1-6f2e90a4c815";
/// The caller: has two policies and stands in one group directly, in two more by nesting.
pub const CURRENT_USER: &str = "5f0c0001-7b41-4c3d-9e8a-d1b6e3f4a290";
/// A user with an end of access and no group.
pub const LEAVING_USER: &str = "5f0c0004-7b41-4c3d-9e8a-d1b6e3f4a290";
/// How many users there are.
pub const USERS: usize = 7;

const PAGE_SIZES: std::ops::RangeInclusive<usize> = 1..=200;

/// The API with fresh data. Every request needs `Authorization: Bearer <token>`.
pub fn router(token: &str) -> Router {
    let api = Router::new()
        .route("/organizations/{org}/users", get(list_users))
        .route("/organizations/{org}/users/me", get(current_user))
        .route("/organizations/{org}/users/{id}", get(retrieve_user).put(update_user))
        .route("/organizations/{org}/users/{id}/password/resend", put(resend_password))
        .route("/organizations/{org}/users/{id}/permissions", get(list_permissions))
        .route("/organizations/{org}/users/{id}/usergroups", get(list_groups))
        .fallback(async || Fault::NotFound("resource"))
        .with_state(Shared::default());
    guard(api, "authorization", format!("Bearer {token}"), || Fault::Unauthorized.into_response())
}

async fn list_users(State(state): State<Shared>, Path(org): Path<String>, RawQuery(query): RawQuery) -> Reply {
    let (world, query) = (state.organization(&org)?, Query::parse(query.as_deref()));
    let ids: Vec<&str> = query.all("ids").collect();
    let wanted = world.users.iter().filter(|user| ids.is_empty() || ids.iter().any(|id| user["id"] == **id));
    page(wanted.cloned().collect(), &query)
}

async fn current_user(State(state): State<Shared>, Path(org): Path<String>) -> Reply {
    let world = state.organization(&org)?;
    let mut user = world.user(CURRENT_USER)?.clone();
    let members = user.as_object_mut().expect("users are objects");
    members.retain(|name, _| name != "permissionPolicy" && name != "dtEndAccess");
    Ok(answer(StatusCode::OK, &json!({ "user": user, "organization": organization() })))
}

async fn retrieve_user(State(state): State<Shared>, Path((org, id)): Path<(String, String)>) -> Reply {
    Ok(answer(StatusCode::OK, state.organization(&org)?.user(&id)?))
}

async fn update_user(State(state): State<Shared>, Path((org, id)): Path<(String, String)>, body: Bytes) -> Reply {
    let mut world = state.organization(&org)?;
    let user = world.users.iter_mut().find(|user| user["id"] == *id).ok_or(Fault::NotFound("user"))?;
    let change = check_update(&body)?;
    let version = check_version(&change, user)? + 1;
    for name in ["permissionPolicy", "dtEndAccess"] {
        if let Some(value) = change.get(name) {
            user[name] = value.clone();
        }
    }
    user["version"] = version.into();
    user["dtLastModified"] = time(version).into();
    user["lastModifiedBy"] = CURRENT_USER.into();
    Ok(answer(StatusCode::OK, user))
}

async fn resend_password(State(state): State<Shared>, Path((org, id)): Path<(String, String)>) -> Reply {
    state.organization(&org)?.user(&id)?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

async fn list_permissions(
    State(state): State<Shared>,
    Path((org, id)): Path<(String, String)>,
    RawQuery(query): RawQuery,
) -> Reply {
    state.organization(&org)?.user(&id)?;
    page(policies_of(&id), &Query::parse(query.as_deref()))
}

async fn list_groups(
    State(state): State<Shared>,
    Path((org, id)): Path<(String, String)>,
    RawQuery(query): RawQuery,
) -> Reply {
    state.organization(&org)?.user(&id)?;
    let query = Query::parse(query.as_deref());
    let inherited = query.flag("inherited").map_err(Fault::BadRequest)?;
    page(groups_of(&id, inherited), &query)
}

/// One page of a list. A token names the last entry of the page before, so that it is worth nothing for another list.
fn page(entries: Vec<Json>, query: &Query) -> Reply {
    let size = query.number("pageSize", PAGE_SIZES, *PAGE_SIZES.end()).map_err(Fault::BadRequest)?;
    let start = match query.first("nextToken") {
        None => 0,
        Some(token) => match entries.iter().position(|entry| token_after(entry) == token) {
            Some(last) => last + 1,
            None => {
                return Err(Fault::BadRequest("nextToken is not valid for this list".to_owned()));
            }
        },
    };
    let data = &entries[start..entries.len().min(start + size)];
    let mut body = json!({ "data": data });
    if let Some(last) = data.last().filter(|_| start + size < entries.len()) {
        body["nextToken"] = token_after(last).into();
    }
    Ok(answer(StatusCode::OK, &body))
}

/// Opaque for callers; `+`, `/` and `=` are in it because real tokens have them and clients forget to encode them.
fn token_after(entry: &Json) -> String {
    let id = entry["id"].as_str().unwrap_or_default();
    format!("{}+/==", id.chars().rev().filter(|char| *char != '-').collect::<String>())
}

fn check_update(body: &[u8]) -> Result<Json, Fault> {
    let bad = |text: &str| Fault::BadRequest(text.to_owned());
    let change: Json =
        serde_json::from_slice(body).map_err(|error| Fault::BadRequest(format!("body is not JSON: {error}")))?;
    let members = change.as_object().ok_or_else(|| bad("body must be an object"))?;
    let policy = members.get("permissionPolicy");
    if policy.is_some_and(|policy| !policy.as_array().is_some_and(|statements| statements.iter().all(is_statement))) {
        return Err(bad("permissionPolicy must be an array of statements with effect, action and resource"));
    }
    if members.get("dtEndAccess").is_some_and(|end| !end.is_string()) {
        return Err(bad("dtEndAccess must be a date and time"));
    }
    Ok(change)
}

fn is_statement(statement: &Json) -> bool {
    let effect = statement["effect"].as_str().map(str::to_ascii_lowercase);
    let resources = statement["resource"].as_array();
    matches!(effect.as_deref(), Some("allow" | "deny"))
        && statement["action"].as_array().is_some_and(|actions| actions.iter().all(Json::is_string))
        && resources.is_some_and(|resources| !resources.is_empty() && resources.iter().all(Json::is_string))
}

/// The version of the user, if it is the one on which the change is based.
fn check_version(change: &Json, user: &Json) -> Result<u64, Fault> {
    let based_on = change["version"].as_u64().ok_or_else(|| Fault::BadRequest("version is required".to_owned()))?;
    let current = user["version"].as_u64().unwrap_or_default();
    if based_on == current { Ok(current) } else { Err(Fault::Conflict { based_on, current }) }
}

type Reply = Result<Response, Fault>;

/// Why a request was turned down.
enum Fault {
    BadRequest(String),
    Unauthorized,
    NotFound(&'static str),
    Conflict { based_on: u64, current: u64 },
}

impl IntoResponse for Fault {
    fn into_response(self) -> Response {
        let (status, message) = match self {
            Self::BadRequest(message) => (StatusCode::BAD_REQUEST, message),
            Self::Unauthorized => (StatusCode::UNAUTHORIZED, "Unauthorized".to_owned()),
            Self::NotFound(what) => (StatusCode::NOT_FOUND, format!("{what} not found")),
            Self::Conflict { based_on, current } => {
                (StatusCode::CONFLICT, format!("version {based_on} is not the current version {current}"))
            }
        };
        answer(status, &json!({ "message": message }))
    }
}

#[derive(Clone, Default)]
struct Shared(Arc<Mutex<World>>);

impl Shared {
    /// The data of the organization, if there is one of this id. The guard is never held across an await.
    fn organization(&self, id: &str) -> Result<MutexGuard<'_, World>, Fault> {
        if id != ORGANIZATION {
            return Err(Fault::NotFound("organization"));
        }
        Ok(self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// What can change. Groups and policies can't, they are made when they are asked for.
struct World {
    users: Vec<Json>,
}

impl World {
    fn user(&self, id: &str) -> Result<&Json, Fault> {
        self.users.iter().find(|user| user["id"] == *id).ok_or(Fault::NotFound("user"))
    }
}

impl Default for World {
    fn default() -> Self {
        let people: [(&str, &str); USERS] = [
            ("Noor", "Haddad"),
            ("Mateus", "Figueira"),
            ("Ingrid", "Solberg"),
            ("Tomasz", "Wilk"),
            ("Aiko", "Tanabe"),
            ("Femi", "Adeyemi"),
            ("Lucie", "Marchand"),
        ];
        let mut users: Vec<Json> = (1..).zip(people).map(|(number, (first, last))| user(number, first, last)).collect();
        users[3]["dtEndAccess"] = "2026-12-31T23:59:59Z".into();
        users[0]["permissionPolicy"] = json!([statement("allow", &["all"])]);
        Self { users }
    }
}

fn user(number: u64, first: &str, last: &str) -> Json {
    json!({
        "id": uuid(number),
        "version": 1,
        "firstName": first,
        "lastName": last,
        "contactNumber": format!("+44 20 7946 {number:04}"),
        "email": format!("{}.{}@tidewater.example", first.to_lowercase(), last.to_lowercase()),
        "organizations": [ORGANIZATION],
        "firstAcceptedTermsAndConditions": time(60 + number),
        "lastAcceptedTermsAndConditions": time(60 + number),
        "supportUser": false,
        "dtCreated": time(0),
        "dtLastModified": time(1),
        "createdBy": CURRENT_USER,
        "lastModifiedBy": CURRENT_USER,
        "permissionPolicy": [statement("allow", &["config:retrieve"])],
    })
}

fn statement(effect: &str, actions: &[&str]) -> Json {
    json!({ "effect": effect, "action": actions, "resource": ["*"] })
}

fn organization() -> Json {
    json!({
        "id": uuid(0x100), "version": 4, "orgId": ORGANIZATION, "customerId": "tidewater",
        "organizationName": "Tidewater Analytics", "shortName": "tidewater",
        "addressLine1": "12 Quay Street", "locality": "Bristol", "postCode": "BS1 4DB", "country": "GB",
        "billingContactUserId1": CURRENT_USER, "type": "SANDBOX", "status": "ACTIVE",
        "dtCreated": time(0), "dtLastModified": time(4), "createdBy": CURRENT_USER, "lastModifiedBy": CURRENT_USER,
    })
}

/// Everybody may read; the caller may also administer.
fn policies_of(user: &str) -> Vec<Json> {
    let policy = |number, name, statements: &[Json]| {
        let mut policy = entity(number, name);
        policy["permissionPolicy"] = statements.into();
        policy["managedPolicy"] = true.into();
        policy
    };
    let mut policies = vec![policy(0x201, "Read Only", &[statement("allow", &["config:retrieve", "analytics:query"])])];
    if user == CURRENT_USER {
        policies.push(policy(0x202, "Administrator", &[statement("allow", &["all"])]));
    }
    policies
}

/// The groups, each inside the next: the caller is in the innermost one, the leaving user in none, everybody else in the middle one.
fn groups_of(user: &str, inherited: bool) -> Vec<Json> {
    let nested = ["Invoicing", "Finance", "Head Office"];
    let innermost = match user {
        LEAVING_USER => return Vec::new(),
        CURRENT_USER => 0,
        _ => 1,
    };
    let count = if inherited { nested.len() } else { 1 };
    (0x301..).zip(nested).skip(innermost).take(count).map(|(number, name)| entity(number, name)).collect()
}

fn entity(number: u64, name: &str) -> Json {
    json!({
        "id": uuid(number), "version": 1, "name": name,
        "dtCreated": time(0), "dtLastModified": time(1), "createdBy": CURRENT_USER, "lastModifiedBy": CURRENT_USER,
    })
}

#[cfg(test)]
mod tests {
    use super::super::simulator::testing::call;
    use super::*;

    const TOKEN: (&str, &str) = ("authorization", "Bearer secret");

    /// A path below the organization's users.
    fn line(method: &str, rest: &str) -> String {
        format!("{method} /organizations/{ORGANIZATION}/users{rest}")
    }

    async fn get(router: &Router, rest: &str) -> Json {
        let (status, body) = call(router, &line("GET", rest), TOKEN, "").await;
        assert_eq!(status, StatusCode::OK, "{rest}: {body}");
        body
    }

    fn names(body: &Json) -> Vec<&str> {
        body["data"].as_array().expect("data").iter().filter_map(|entry| entry["name"].as_str()).collect()
    }

    #[tokio::test]
    async fn requests_are_judged() {
        let (known, resend) = (format!("/{CURRENT_USER}"), format!("/{CURRENT_USER}/password/resend"));
        let cases = [
            (line("GET", ""), 200),
            (line("GET", "/me"), 200),
            (line("GET", &known), 200),
            (line("GET", "/nobody"), 404),
            (line("GET", "/nobody/permissions"), 404),
            (line("GET", "/me/usergroups"), 404),
            (line("DELETE", &known), 405),
            (line("PUT", &resend), 204),
            (line("PUT", "/nobody/password/resend"), 404),
            (line("GET", "?pageSize=0"), 400),
            (line("GET", "?pageSize=201"), 400),
            (line("GET", "?nextToken=made-up"), 400),
            (line("GET", "?nextToken=&pageSize=&ids="), 200),
            (line("GET", &format!("{known}/usergroups?inherited=maybe")), 400),
            ("GET /organizations/unknown/users".to_owned(), 404),
            ("GET /elsewhere".to_owned(), 404),
        ];
        let router = router("secret");
        for (line, expected) in cases {
            let (status, body) = call(&router, &line, TOKEN, "").await;
            assert_eq!(status, expected, "{line}: {body}");
            assert!(matches!(expected, 200 | 204 | 405) || body["message"].is_string(), "{line}: {body}");
        }
    }

    #[tokio::test]
    async fn strangers_are_refused() {
        let router = router("secret");
        for field in [("authorization", "Bearer other"), ("authorization", "secret"), ("x-auth-token", "secret")] {
            let (status, body) = call(&router, &line("GET", ""), field, "").await;
            assert_eq!((status, body), (StatusCode::UNAUTHORIZED, json!({ "message": "Unauthorized" })), "{field:?}");
        }
    }

    #[tokio::test]
    async fn pages_add_up() {
        let router = router("secret");
        let (mut sizes, mut ids, mut query) = (vec![], vec![], "?pageSize=3".to_owned());
        loop {
            let body = get(&router, &query).await;
            let data = body["data"].as_array().expect("data");
            sizes.push(data.len());
            ids.extend(data.iter().map(|user| user["id"].to_string()));
            let Some(token) = body["nextToken"].as_str() else {
                break;
            };
            let token: String = url::form_urlencoded::byte_serialize(token.as_bytes()).collect();
            query = format!("?pageSize=3&nextToken={token}");
        }
        ids.dedup();
        assert_eq!((sizes, ids.len()), (vec![3, 3, 1], USERS));
    }

    #[tokio::test]
    async fn ids_filter() {
        let router = router("secret");
        for (query, expected) in [
            (format!("?ids={CURRENT_USER}&ids={LEAVING_USER}"), 2),
            (format!("?ids={LEAVING_USER}&ids=nobody"), 1),
            (format!("?ids={CURRENT_USER},{LEAVING_USER}"), 0),
        ] {
            assert_eq!(get(&router, &query).await["data"].as_array().map(Vec::len), Some(expected), "{query}");
        }
    }

    #[tokio::test]
    async fn groups_nest() {
        let router = router("secret");
        for (rest, expected) in [
            (format!("/{CURRENT_USER}/usergroups"), &["Invoicing"][..]),
            (format!("/{CURRENT_USER}/usergroups?inherited=false"), &["Invoicing"]),
            (format!("/{CURRENT_USER}/usergroups?inherited=true"), &["Invoicing", "Finance", "Head Office"]),
            (format!("/{}/usergroups?inherited=true", uuid(2)), &["Finance", "Head Office"]),
            (format!("/{LEAVING_USER}/usergroups?inherited=true"), &[]),
            (format!("/{CURRENT_USER}/permissions"), &["Read Only", "Administrator"]),
            (format!("/{CURRENT_USER}/permissions?pageSize=1"), &["Read Only"]),
        ] {
            assert_eq!(names(&get(&router, &rest).await), expected, "{rest}");
        }
    }

    #[tokio::test]
    async fn the_caller_is_a_plain_user() {
        let me = get(&router("secret"), "/me").await;
        assert_eq!((&me["user"]["id"], &me["organization"]["orgId"]), (&json!(CURRENT_USER), &json!(ORGANIZATION)));
        assert_eq!(me["user"].get("permissionPolicy"), None);
    }

    #[tokio::test]
    async fn updates_are_checked_and_kept() {
        let (router, rest) = (router("secret"), format!("/{LEAVING_USER}"));
        let before = get(&router, &rest).await;
        for (body, expected) in [
            ("{", 400),
            ("[]", 400),
            ("{}", 400),
            (r#"{"version":2}"#, 409),
            (r#"{"version":1,"dtEndAccess":5}"#, 400),
            (r#"{"version":1,"permissionPolicy":[{"effect":"allow"}]}"#, 400),
            (r#"{"version":1,"permissionPolicy":[{"effect":"ALLOW","action":["ALL"],"resource":[]}]}"#, 400),
            (r#"{"version":1,"permissionPolicy":[{"effect":"ALLOW","action":["ALL"],"resource":["*"]}]}"#, 200),
            (r#"{"version":1,"dtEndAccess":"2027-06-30T00:00:00Z"}"#, 409),
            (r#"{"version":2,"dtEndAccess":"2027-06-30T00:00:00Z"}"#, 200),
        ] {
            let (status, answer) = call(&router, &line("PUT", &rest), TOKEN, body).await;
            assert_eq!(status, expected, "{body}: {answer}");
        }
        let after = get(&router, &rest).await;
        assert_eq!((&after["version"], &after["dtEndAccess"]), (&json!(3), &json!("2027-06-30T00:00:00Z")));
        assert_eq!(after["permissionPolicy"][0]["effect"], "ALLOW");
        assert_ne!(after["dtLastModified"], before["dtLastModified"]);
    }

    #[tokio::test]
    async fn routers_share_nothing() {
        let (first, rest) = (router("secret"), format!("/{CURRENT_USER}"));
        call(&first, &line("PUT", &rest), TOKEN, r#"{"version":1}"#).await;
        assert_eq!(get(&first, &rest).await["version"], 2);
        assert_eq!(get(&router("secret"), &rest).await["version"], 1);
    }
}
