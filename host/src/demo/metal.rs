//! A simulator of the part of the Equinix Metal API that deals with users, with its state in memory.
//!
//! Checks no password, mails nothing, lets the caller see every user; everything starts anew with each router.
//!
//! Every object is stored under its `href`, as the API shows it when nothing is included: nested objects are bare references.
//! Where the reference is silent: a page out of range and a body that is not JSON are a 422 as well, and invitations, whose
//! reference has no `meta`, are paged without one.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::Router;
use axum::body::Bytes;
use axum::extract::{Path, RawQuery, State};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use http::StatusCode;
use serde_json::{Map, Value as Json, json};

use super::simulator::{Query, answer, guard, time, uuid};

/// Where the API begins on its host.
pub const BASE_PATH: &str = "/metal/v1";
/// The owner of the token.
pub const CURRENT_USER: &str = "5f0c0003-7b41-4c3d-9e8a-d1b6e3f4a290";
/// The address of another user, taken for everybody else.
pub const TAKEN_EMAIL: &str = "hana.kovac@northlight.example";
/// How many users there are at first; more than one page of the default size.
pub const USERS: usize = PEOPLE.len();
/// How many invitations wait for the current user.
pub const INVITATIONS: usize = 3;

const PEOPLE: [&str; 12] = [
    "Priya Raman",
    "Hana Kovac",
    "Oskar Lind",
    "Zanele Dube",
    "Marco Conti",
    "Yara Nassar",
    "Callum Reid",
    "Mei Zhou",
    "Anton Petrov",
    "Sofia Duarte",
    "Kwame Mensah",
    "Elif Aydin",
];

/// The attributes of a user that are texts and that the user may change.
const TEXTS: [&str; 4] = ["first_name", "last_name", "phone_number", "timezone"];

/// The API with fresh data, below [`BASE_PATH`]. Every request needs `X-Auth-Token: <token>`.
pub fn router(token: &str) -> Router {
    let api = Router::new()
        .route("/invitations", get(list_invitations))
        .route("/user", get(current_user).put(update_current_user))
        .route("/users", get(list_users).post(create_user))
        .route("/users/{id}", get(retrieve_user))
        .route("/users/{id}/customdata", get(retrieve_customdata));
    let host = Router::new().nest(BASE_PATH, api).fallback(async || Fault::NotFound).with_state(Shared::default());
    guard(host, "x-auth-token", token.to_owned(), || Fault::Unauthorized.into_response())
}

async fn list_invitations(State(state): State<Shared>, RawQuery(query): RawQuery) -> Reply {
    let (world, query) = (state.world(), Query::parse(query.as_deref()));
    let (_, shown) = world.page("invitations", &query)?;
    Ok(answer(StatusCode::OK, &json!({ "invitations": shown })))
}

async fn list_users(State(state): State<Shared>, RawQuery(query): RawQuery) -> Reply {
    let (world, query) = (state.world(), Query::parse(query.as_deref()));
    let (page, shown) = world.page("users", &query)?;
    let body = json!({ "meta": page.meta("users"), "users": shown });
    Ok(answer(StatusCode::OK, &body))
}

async fn current_user(state: State<Shared>, query: RawQuery) -> Reply {
    retrieve_user(state, Path(CURRENT_USER.to_owned()), query).await
}

async fn retrieve_user(state: State<Shared>, id: Path<String>, RawQuery(query): RawQuery) -> Reply {
    let (world, query) = (state.world(), Query::parse(query.as_deref()));
    Ok(answer(StatusCode::OK, &world.show(world.user(&id)?, &query)))
}

async fn retrieve_customdata(State(state): State<Shared>, Path(id): Path<String>) -> Reply {
    let world = state.world();
    Ok(answer(StatusCode::OK, &world.user(&id)?["customdata"]))
}

async fn update_current_user(state: State<Shared>, query: RawQuery, body: Bytes) -> Reply {
    let change = object(&body)?;
    check_types(&change)?;
    state.world().update_user(CURRENT_USER, &change)?;
    current_user(state, query).await
}

async fn create_user(State(state): State<Shared>, RawQuery(query): RawQuery, body: Bytes) -> Reply {
    let (mut world, query) = (state.world(), Query::parse(query.as_deref()));
    let new = object(&body)?;
    check_types(&new)?;
    let addresses = check_addresses(&new, &world)?;
    let id = world.add_user(&new, &addresses);
    let shown = world.show(world.user(&id)?, &query);
    Ok(answer(StatusCode::CREATED, &shown))
}

/// A slice of a list by number; past the end it is empty, as in the API.
struct Page {
    number: usize,
    size: usize,
    total: usize,
}

impl Page {
    fn of(total: usize, query: &Query) -> Result<Self, Fault> {
        let number = query.number("page", 1..=100_000, 1);
        let size = query.number("per_page", 1..=1000, 10);
        Ok(Self { number: number.map_err(Fault::unprocessable)?, size: size.map_err(Fault::unprocessable)?, total })
    }

    fn range(&self) -> std::ops::Range<usize> {
        let start = self.total.min((self.number - 1) * self.size);
        start..self.total.min(start + self.size)
    }

    fn meta(&self, collection: &str) -> Json {
        let last = self.total.div_ceil(self.size).max(1);
        let link = |number: usize| {
            let query = format!("page={number}&per_page={}", self.size);
            json!({ "href": format!("{BASE_PATH}/{collection}?{query}") })
        };
        let mut meta = json!({
            "first": link(1), "self": link(self.number), "last": link(last),
            "total": self.total, "current_page": self.number, "last_page": last,
        });
        if self.number > 1 {
            meta["previous"] = link(self.number - 1);
        }
        if self.number < last {
            meta["next"] = link(self.number + 1);
        }
        meta
    }
}

fn object(body: &[u8]) -> Result<Map<String, Json>, Fault> {
    serde_json::from_slice(body).map_err(|error| Fault::unprocessable(format!("Body is not a JSON object: {error}")))
}

/// Metadata must be an object, the plain attributes texts; everything else is let pass.
fn check_types(members: &Map<String, Json>) -> Result<(), Fault> {
    let wrong = members.iter().filter(|(name, value)| match name.as_str() {
        "customdata" => !value.is_object(),
        "password" => !value.is_string(),
        name => TEXTS.contains(&name) && !value.is_string(),
    });
    let errors = wrong.map(|(name, _)| format!("{} is invalid", label(name)));
    Fault::unless_empty(errors.collect())
}

/// The e-mail addresses of a new user, the main one first, if everything that a user needs is there.
fn check_addresses(new: &Map<String, Json>, world: &World) -> Result<Vec<String>, Fault> {
    let text = |name: &str| new.get(name).and_then(Json::as_str).unwrap_or_default();
    let mut missing = vec!["first_name", "last_name"];
    missing.retain(|name| text(name).is_empty());
    let mut emails = match new.get("emails") {
        Some(Json::Array(emails)) => emails.clone(),
        _ => Vec::new(),
    };
    emails.sort_by_key(|email| email["default"] != true);
    let addresses = emails.iter().map(|email| email["address"].as_str());
    let addresses: Vec<&str> = addresses.collect::<Option<_>>().unwrap_or_default();
    if addresses.is_empty() {
        missing.push("emails");
    }
    let missing = missing.iter().map(|name| format!("{} can't be blank", label(name)));
    let taken = addresses.iter().filter(|address| world.is_taken(address));
    let taken = taken.map(|address| format!("Email address {address} has already been taken"));
    Fault::unless_empty(missing.chain(taken).collect())?;
    Ok(addresses.into_iter().map(str::to_owned).collect())
}

/// `first_name` as error messages call it: `First name`.
fn label(name: &str) -> String {
    let (first, rest) = name.split_at(1);
    format!("{}{}", first.to_uppercase(), rest.replace('_', " "))
}

type Reply = Result<Response, Fault>;

/// Why a request was turned down.
enum Fault {
    Unauthorized,
    NotFound,
    Unprocessable(Vec<String>),
}

impl Fault {
    fn unprocessable(error: String) -> Self {
        Self::Unprocessable(vec![error])
    }

    fn unless_empty(errors: Vec<String>) -> Result<(), Self> {
        if errors.is_empty() { Ok(()) } else { Err(Self::Unprocessable(errors)) }
    }
}

impl IntoResponse for Fault {
    fn into_response(self) -> Response {
        let (status, errors) = match self {
            Self::Unauthorized => (StatusCode::UNAUTHORIZED, vec!["Invalid token".to_owned()]),
            Self::NotFound => (StatusCode::NOT_FOUND, vec!["Not found".to_owned()]),
            Self::Unprocessable(errors) => (StatusCode::UNPROCESSABLE_ENTITY, errors),
        };
        answer(status, &json!({ "errors": errors }))
    }
}

#[derive(Clone, Default)]
struct Shared(Arc<Mutex<World>>);

impl Shared {
    /// The guard is never held across an await.
    fn world(&self) -> MutexGuard<'_, World> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// All objects, in the order in which they were made.
struct World {
    objects: Vec<Json>,
    /// Numbers new ids; every change of the world takes the next one, which is also its time in seconds.
    clock: u64,
}

impl World {
    fn collection(&self, name: &str) -> Vec<&Json> {
        let prefix = href(name, "");
        let inside = |object: &&Json| object["href"].as_str().unwrap_or_default().starts_with(&prefix);
        self.objects.iter().filter(inside).collect()
    }

    fn page(&self, collection: &str, query: &Query) -> Result<(Page, Vec<Json>), Fault> {
        let objects = self.collection(collection);
        let page = Page::of(objects.len(), query)?;
        let shown = objects[page.range()].iter().map(|object| self.show(object, query));
        Ok((page, shown.collect()))
    }

    fn find(&self, href: &str) -> Option<&Json> {
        self.objects.iter().find(|object| object["href"] == *href)
    }

    fn user(&self, id: &str) -> Result<&Json, Fault> {
        self.find(&href("users", id)).ok_or(Fault::NotFound)
    }

    fn is_taken(&self, address: &str) -> bool {
        let emails = self.collection("emails");
        let mut known = emails.iter().filter_map(|email| email["address"].as_str());
        known.any(|known| known.eq_ignore_ascii_case(address))
    }

    /// Moves the clock on and gives the new time.
    fn tick(&mut self) -> String {
        self.clock += 1;
        time(self.clock)
    }

    /// Adds an object with an id and a reference to itself.
    fn add(&mut self, collection: &str, mut object: Json) -> String {
        let now = self.tick();
        let id = uuid(self.clock);
        object["id"] = id.clone().into();
        object["short_id"] = id[..8].into();
        object["href"] = href(collection, &id).into();
        object["created_at"] = now.clone().into();
        object["updated_at"] = now.into();
        self.objects.push(object);
        id
    }

    fn update_user(&mut self, id: &str, change: &Map<String, Json>) -> Result<(), Fault> {
        let (href, now) = (href("users", id), self.tick());
        let mut objects = self.objects.iter_mut();
        let user = objects.find(|object| object["href"] == *href).ok_or(Fault::NotFound)?;
        for (name, value) in change {
            if name == "customdata" || TEXTS.contains(&name.as_str()) {
                user[name] = value.clone();
            }
        }
        user["full_name"] = full_name(user).into();
        user["updated_at"] = now.into();
        Ok(())
    }

    fn add_user(&mut self, new: &Map<String, Json>, addresses: &[String]) -> String {
        let emails = addresses.iter().enumerate();
        let emails: Vec<Json> = emails.map(|(index, address)| self.add_email(address, index == 0)).collect();
        let mut user = json!({
            "email": addresses.first(), "emails": emails, "two_factor_auth": "",
            "max_organizations": 25, "max_projects": 10, "customdata": {},
        });
        for name in TEXTS {
            user[name] = new.get(name).cloned().unwrap_or_else(|| "".into());
        }
        if let Some(data) = new.get("customdata") {
            user["customdata"] = data.clone();
        }
        user["full_name"] = full_name(&user).into();
        self.add("users", user)
    }

    fn add_email(&mut self, address: &str, default: bool) -> Json {
        let id = self.add("emails", json!({ "address": address, "default": default, "verified": default }));
        json!({ "href": href("emails", &id) })
    }

    /// An object as the query wants it: included references in full, excluded objects as references.
    fn show(&self, object: &Json, query: &Query) -> Json {
        let mut shown = object.clone();
        let (included, excluded) = (query.list("include"), query.list("exclude"));
        included.for_each(|path| self.include(&mut shown, path));
        excluded.for_each(|path| exclude(&mut shown, path));
        shown
    }

    fn include(&self, object: &mut Json, path: &str) {
        let (name, rest) = path.split_once('.').unwrap_or((path, ""));
        for nested in nested(object, name) {
            if let Some(full) = nested["href"].as_str().and_then(|href| self.find(href)) {
                // What is already here in full keeps what was included in it before.
                if nested.get("id").is_none() {
                    *nested = full.clone();
                }
                if !rest.is_empty() {
                    self.include(nested, rest);
                }
            }
        }
    }
}

fn exclude(object: &mut Json, path: &str) {
    let (name, rest) = path.split_once('.').unwrap_or((path, ""));
    for nested in nested(object, name) {
        match rest {
            "" => *nested = json!({ "href": nested["href"] }),
            rest => exclude(nested, rest),
        }
    }
}

/// The objects with a reference that a member holds: itself or its items.
fn nested<'a>(object: &'a mut Json, name: &str) -> Vec<&'a mut Json> {
    let mut found = match object.get_mut(name) {
        Some(Json::Array(items)) => items.iter_mut().collect(),
        Some(member) => vec![member],
        None => Vec::new(),
    };
    found.retain(|object| object.get("href").is_some());
    found
}

fn href(collection: &str, id: &str) -> String {
    format!("{BASE_PATH}/{collection}/{id}")
}

fn full_name(user: &Json) -> String {
    let text = |name: &str| user[name].as_str().unwrap_or_default().to_owned();
    format!("{} {}", text("first_name"), text("last_name"))
}

impl Default for World {
    fn default() -> Self {
        let mut world = Self { objects: Vec::new(), clock: 0 };
        for name in PEOPLE {
            let (first, last) = name.split_once(' ').expect("given and family name");
            let new = json!({
                "first_name": first, "last_name": last, "phone_number": "+1 555 0100",
                "timezone": "Europe/Amsterdam", "customdata": { "team": "storage" },
            });
            let name = name.to_lowercase().replace(' ', ".");
            let addresses = ["northlight", "home"].map(|at| format!("{name}@{at}.example"));
            world.add_user(new.as_object().expect("an object"), &addresses);
        }
        for (index, name) in ["edge-cache", "telemetry", "build-farm"].iter().enumerate() {
            let owner = json!({ "href": world.collection("users")[index + 1]["href"] });
            let project = world.add("projects", json!({ "name": name, "owner": owner }));
            let invitation = json!({
                "roles": ["collaborator"],
                "project": { "href": href("projects", &project) },
                "user": { "href": href("users", CURRENT_USER) },
            });
            world.add("invitations", invitation);
        }
        world
    }
}

#[cfg(test)]
mod tests {
    use super::super::simulator::testing::call;
    use super::*;

    const TOKEN: (&str, &str) = ("x-auth-token", "secret");

    async fn send(router: &Router, line: &str, body: &str) -> (StatusCode, Json) {
        let (method, path) = line.split_once(' ').expect("METHOD /path");
        call(router, &format!("{method} {BASE_PATH}{path}"), TOKEN, body).await
    }

    #[tokio::test]
    async fn requests_are_judged() {
        let router = router("secret");
        for (line, body, expected) in [
            ("GET /user", "", 200),
            ("GET /users?page=&per_page=", "", 200),
            ("GET /users?per_page=0", "", 422),
            ("GET /users?per_page=1001", "", 422),
            ("GET /invitations?page=100001", "", 422),
            ("GET /users/nobody", "", 404),
            ("GET /users/nobody/customdata", "", 404),
            ("GET /elsewhere", "", 404),
            ("DELETE /user", "", 405),
            ("PUT /user", "[]", 422),
            ("PUT /user", r#"{"first_name":1}"#, 422),
            ("PUT /user", r#"{"customdata":"x"}"#, 422),
        ] {
            let (status, answer) = send(&router, line, body).await;
            assert_eq!(status, expected, "{line} {body}: {answer}");
            assert!(matches!(expected, 200 | 405) || answer["errors"][0].is_string(), "{line} {body}: {answer}");
        }
    }

    #[tokio::test]
    async fn strangers_are_refused() {
        let router = router("secret");
        for field in [("x-auth-token", "other"), ("authorization", "Bearer secret")] {
            let (status, body) = call(&router, &format!("GET {BASE_PATH}/user"), field, "").await;
            assert_eq!((status, body), (StatusCode::UNAUTHORIZED, json!({ "errors": ["Invalid token"] })));
        }
    }

    #[tokio::test]
    async fn users_are_paged() {
        let router = router("secret");
        for (query, length, links) in [
            ("", 10, ["self", "next"]),
            ("?page=2", 2, ["self", "previous"]),
            ("?page=2&per_page=5", 5, ["previous", "next"]),
            ("?page=9", 0, ["previous", "last"]),
        ] {
            let (_, body) = send(&router, &format!("GET /users{query}"), "").await;
            assert_eq!(body["users"].as_array().map(Vec::len), Some(length), "{query}");
            assert_eq!(body["meta"]["total"], USERS, "{query}");
            assert!(links.iter().all(|link| body["meta"][link]["href"].is_string()), "{query}: {}", body["meta"]);
        }
        let (_, body) = send(&router, "GET /invitations?per_page=2", "").await;
        assert_eq!(body["invitations"].as_array().map(Vec::len), Some(2));
    }

    #[tokio::test]
    async fn references_are_included_and_excluded() {
        let router = router("secret");
        for (path, pointer, expected) in [
            ("/user", "/emails/0/address", None),
            ("/user?include=emails", "/emails/0/address", Some("priya.raman@northlight.example")),
            ("/user?include=emails&exclude=emails", "/emails/0/address", None),
            ("/user?include=nonsense", "/email", Some("priya.raman@northlight.example")),
            ("/users?include=emails", "/users/1/emails/0/address", Some(TAKEN_EMAIL)),
            ("/invitations", "/invitations/0/project/name", None),
            ("/invitations?include=user,project", "/invitations/0/project/name", Some("edge-cache")),
            (
                "/invitations?include=project.owner.emails",
                "/invitations/0/project/owner/emails/0/address",
                Some(TAKEN_EMAIL),
            ),
            ("/invitations?include=project.owner,project", "/invitations/0/project/owner/first_name", Some("Hana")),
            (
                "/invitations?include=project.owner&exclude=project.owner",
                "/invitations/0/project/owner/first_name",
                None,
            ),
        ] {
            let (_, body) = send(&router, &format!("GET {path}"), "").await;
            assert_eq!(body.pointer(pointer).and_then(Json::as_str), expected, "{path}: {body}");
        }
    }

    #[tokio::test]
    async fn an_update_is_seen_by_the_next_read() {
        let router = router("secret");
        let (_, before) = send(&router, "GET /user", "").await;
        let change = r#"{"first_name":"Pia","customdata":{"floor":3},"password":"hidden"}"#;
        assert_eq!(send(&router, "PUT /user", change).await.0, StatusCode::OK);
        let (_, after) = send(&router, "GET /user", "").await;
        assert_eq!((&after["full_name"], &after["id"]), (&json!("Pia Raman"), &json!(CURRENT_USER)));
        assert_ne!(after["updated_at"], before["updated_at"]);
        assert_eq!(after.get("password"), None);
        let path = format!("GET /users/{CURRENT_USER}/customdata");
        assert_eq!(send(&router, &path, "").await.1, json!({ "floor": 3 }));
    }

    #[tokio::test]
    async fn new_users_need_a_name_and_a_free_address() {
        let router = router("secret");
        let taken = format!("Email address {TAKEN_EMAIL} has already been taken");
        for (new, expected) in [
            (json!({}), json!(["First name can't be blank", "Last name can't be blank", "Emails can't be blank"])),
            (json!({ "first_name": "A", "last_name": "B", "emails": [{}] }), json!(["Emails can't be blank"])),
            (json!({ "first_name": "A", "last_name": "B", "emails": [{ "address": TAKEN_EMAIL }] }), json!([taken])),
        ] {
            let (status, body) = send(&router, "POST /users", &new.to_string()).await;
            assert_eq!((status, &body["errors"]), (StatusCode::UNPROCESSABLE_ENTITY, &expected), "{new}");
        }
        let emails = json!([{ "address": "ab@x.example" }, { "address": "b@x.example", "default": true }]);
        let new = json!({ "first_name": "A", "last_name": "B", "emails": emails }).to_string();
        let (status, user) = send(&router, "POST /users?include=emails", &new).await;
        assert_eq!((status, &user["email"]), (StatusCode::CREATED, &json!("b@x.example")));
        assert_eq!(user["emails"][0]["address"], "b@x.example");
        let path = format!("GET /users/{}", user["id"].as_str().expect("an id"));
        assert_eq!(send(&router, &path, "").await.1["full_name"], "A B");
        assert_eq!(send(&router, "GET /users", "").await.1["meta"]["total"], USERS + 1);
        assert_eq!(send(&router, "POST /users", &new).await.0, StatusCode::UNPROCESSABLE_ENTITY);
    }
}
