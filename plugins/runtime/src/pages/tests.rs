//! Which request follows which page, and where a list ends.

use serde_json::json;

use super::*;
use crate::bindings::airlock::capability::plan::{Body, NextToken, PathPart, TokenOrder};

fn parameter(name: &str, json: &str) -> QueryParameter {
    QueryParameter { name: name.to_owned(), value: Value::Constant(json.to_owned()), style: QueryStyle::FormExploded }
}

fn pages(order: plan::PageOrder, most: u32, beyond: Beyond) -> Pages {
    let whole = plan::ShapeNode { origin: plan::Origin::Whole, form: plan::Form::AsItIs };
    let request = Request {
        method: "GET".to_owned(),
        scheme: "https".to_owned(),
        authority: "api.test".to_owned(),
        path: vec![PathPart::Literal("/v1/users".to_owned())],
        query: vec![parameter("p", "null"), parameter("sort", "\"a b\"")],
        headers: Vec::new(),
        cookies: Vec::new(),
        body: Body::Empty,
    };
    let format = RawFormat::Json;
    let (items, items_lead_to, shape) = ("$.d".to_owned(), Extent::One, vec![whole]);
    Pages::compile(plan::Pages { request, format, items, items_lead_to, order, most, beyond, shape }).unwrap()
}

/// What is asked for after each page, as a query; the last one leads nowhere, or is wrong.
fn walk(pages: &Pages, answers: &[(Json, &[&str])]) -> (Vec<String>, Result<Json, String>) {
    let input = Input::parse("{}").unwrap();
    let query = |request: &Request| {
        let url = request::url(request, &input).unwrap();
        url.split_once('?').map_or(String::new(), |(_, query)| query.to_owned())
    };
    let mut walk = Walk::of(pages, request::url(&pages.request, &input).unwrap());
    let mut asked = vec![query(&walk.request)];
    for (body, fields) in answers {
        let fields = fields.iter().map(|it| (*it).to_owned()).collect();
        match walk.take(&Page { body: body.clone(), fields }) {
            Ok(Went::On) => asked.push(query(&walk.request)),
            Ok(Went::ToTheEnd) => return (asked, Ok(Json::Array(walk.items))),
            Err(what) => return (asked, Err(what)),
        }
    }
    panic!("it goes on: {asked:?}");
}

fn token() -> plan::PageOrder {
    plan::PageOrder::Token(TokenOrder { parameter: "p".to_owned(), next: NextToken::Path("$.next".to_owned()) })
}

fn counted(by: Counted, start: u64, size: Option<u32>, total: Option<&str>) -> plan::PageOrder {
    let parameter = "p".to_owned();
    plan::PageOrder::Counted(CountedOrder { parameter, start, by, size, total: total.map(str::to_owned) })
}

#[test]
fn tokens_lead_from_page_to_page() {
    let all = pages(token(), 10, Beyond::Fail);
    for last in [json!({"d": [3]}), json!({"d": [3], "next": null}), json!({"d": [3], "next": ""})] {
        let (asked, items) =
            walk(&all, &[(json!({"d": [1, 2], "next": "a&b"}), &[]), (json!({"next": 7}), &[]), (last, &[])]);
        assert_eq!(asked, ["sort=a%20b", "p=a%26b&sort=a%20b", "p=7&sort=a%20b"]);
        assert_eq!(items, Ok(json!([1, 2, 3])));
    }
    let again = json!({"d": [1], "next": "x"});
    let (asked, items) = walk(&all, &[(again.clone(), &[]), (again, &[])]);
    assert_eq!(asked.len(), 2);
    assert_eq!(items, Err("the upstream leads to a page that was there, so the list has no end".to_owned()));
    let (_, items) = walk(&all, &[(json!({"d": [1], "next": {}}), &[])]);
    assert!(items.unwrap_err().starts_with("the upstream's answer has no text"));
    let (_, items) = walk(&all, &[(json!({"d": {"a": 1}}), &[])]);
    assert!(items.unwrap_err().contains("something else than a list"));
}

#[test]
fn a_header_field_has_the_token_too() {
    let next = NextToken::Header("x-next".to_owned());
    let order = plan::PageOrder::Token(TokenOrder { parameter: "p".to_owned(), next });
    let (asked, items) =
        walk(&pages(order, 10, Beyond::Fail), &[(json!({"d": [1]}), &["t"]), (json!({"d": [2]}), &[])]);
    assert_eq!((asked[1].as_str(), items), ("p=t&sort=a%20b", Ok(json!([1, 2]))));
}

#[test]
fn pages_and_items_are_counted() {
    let two = || (json!({"d": [1, 2], "n": 3}), &[][..]);
    let other = || (json!({"d": [3, 4]}), &[][..]);
    let one = || (json!({"d": [5]}), &[][..]);
    let none = || (json!({"d": []}), &[][..]);
    for (order, answers, queries, expected) in [
        (counted(Counted::Pages, 1, None, None), vec![two(), one(), none()], vec!["2", "3"], json!([1, 2, 5])),
        (counted(Counted::Pages, 0, Some(2), None), vec![two(), one()], vec!["1"], json!([1, 2, 5])),
        (counted(Counted::Items, 0, None, None), vec![two(), one(), none()], vec!["2", "3"], json!([1, 2, 5])),
        (counted(Counted::Items, 1, Some(2), None), vec![two(), other(), none()], vec!["3", "5"], json!([1, 2, 3, 4])),
        // The upstream gives less than it is asked for.
        (counted(Counted::Pages, 1, Some(9), Some("$.n")), vec![two(), one()], vec!["2"], json!([1, 2, 5])),
        (counted(Counted::Pages, 1, None, None), vec![none()], vec![], json!([])),
        (counted(Counted::Pages, 1, None, None), vec![(Json::Null, &[][..])], vec![], json!([])),
    ] {
        let (asked, items) = walk(&pages(order, 10, Beyond::Fail), &answers);
        let queries: Vec<String> = queries.iter().map(|next| format!("p={next}&sort=a%20b")).collect();
        assert_eq!((&asked[1..], items), (queries.as_slice(), Ok(expected)));
    }
    let (asked, items) = walk(&pages(counted(Counted::Pages, 1, None, None), 10, Beyond::Fail), &[two(), two(), two()]);
    assert_eq!(asked.len(), 2);
    assert_eq!(items, Err("the upstream gives the same page again, so the list has no end".to_owned()));
}

#[test]
fn links_lead_from_page_to_page() {
    let next = [r#"</v1/users?p=2&sort=a+b>; rel="next""#];
    let (asked, items) = walk(
        &pages(plan::PageOrder::Link(None), 10, Beyond::Fail),
        &[(json!({"d": [1]}), &next), (json!({"d": [2]}), &[r#"</v1/users>; rel="prev""#])],
    );
    assert_eq!((asked, items), (vec!["sort=a%20b".to_owned(), "p=2&sort=a+b".to_owned()], Ok(json!([1, 2]))));
    let by_path = pages(plan::PageOrder::Link(Some("$.links.next".to_owned())), 10, Beyond::Fail);
    let (asked, items) = walk(
        &by_path,
        &[(json!({"d": [1], "links": {"next": "https://api.test/v1/users?p=2"}}), &[]), (json!({"d": [2]}), &[])],
    );
    assert_eq!((asked[1].as_str(), items), ("p=2", Ok(json!([1, 2]))));
    let again = (json!({"d": [1]}), &next[..]);
    let (asked, items) = walk(&pages(plan::PageOrder::Link(None), 10, Beyond::Fail), &[again.clone(), again]);
    assert!(asked.len() == 2 && items.unwrap_err().contains("a page that was there"));
}

#[test]
fn there_is_an_end_to_what_is_taken() {
    let full = |next: Json| (json!({"d": [1, 2], "next": next}), &[][..]);
    let (asked, items) = walk(&pages(token(), 3, Beyond::Fail), &[full(json!("a")), full(json!(null))]);
    assert_eq!(asked.len(), 2);
    assert_eq!(items, Err("the list has more items than the 3 that `paginate` allows".to_owned()));
    let (asked, items) = walk(&pages(token(), 3, Beyond::Cut), &[full(json!("a")), full(json!("b"))]);
    assert_eq!((asked.len(), items), (2, Ok(json!([1, 2, 1]))));
    // Nothing is asked for that isn't wanted, and just enough isn't too much.
    let (asked, items) = walk(&pages(token(), 2, Beyond::Cut), &[full(json!("a"))]);
    assert_eq!((asked.len(), items), (1, Ok(json!([1, 2]))));
    let (_, items) = walk(&pages(token(), 2, Beyond::Fail), &[full(json!("a")), (json!({"d": []}), &[])]);
    assert_eq!(items, Ok(json!([1, 2])));
}
