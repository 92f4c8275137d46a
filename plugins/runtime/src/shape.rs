//! A JSON value made of another one, by a shape of the plan. Pure.
//!
//! Its JSONPaths are parsed once, when the plan comes. Of what can't be found or isn't of the declared type it makes null: an answer
//! that lacks a member is no error. It writes text, so that members come in the order of the document.

use serde_json::{Number, Value as Json};
use serde_json_path::JsonPath;

use crate::{
    bindings::airlock::capability::plan::{self, Gather, ShapeNode, Value},
    encode,
    request::{Input, resolve},
};

/// A shape that is ready to be applied.
#[derive(Debug)]
pub struct Shape {
    origin: Origin,
    form: Form,
}

#[derive(Debug)]
enum Origin {
    Whole,
    Path(JsonPath),
    Value(Value),
}

#[derive(Debug)]
enum Form {
    AsItIs,
    Text(Option<usize>),
    Integer,
    Number,
    Boolean,
    Object(Vec<(String, Shape)>),
    Array(Gather, Box<Shape>),
    FirstOf(Vec<Shape>),
}

impl Shape {
    /// Makes the tree of its nodes.
    ///
    /// # Errors
    /// A path that can't be read, a node that isn't there: the compiler has written something else than it promises.
    pub fn compile(nodes: &[ShapeNode]) -> Result<Self, String> {
        node(nodes, 0)
    }

    /// Makes the value, as a JSON text.
    pub fn apply(&self, source: &Json, input: &Input<'_>) -> String {
        let mut out = String::new();
        self.write(source, input, &mut out);
        out
    }

    /// The values that it is made of, beside its source.
    pub fn values(&self) -> Vec<&Value> {
        let own = match &self.origin {
            Origin::Value(value) => vec![value],
            Origin::Whole | Origin::Path(_) => Vec::new(),
        };
        let below: Vec<&Self> = match &self.form {
            Form::Object(members) => members.iter().map(|(_, member)| member).collect(),
            Form::Array(_, item) => vec![item],
            Form::FirstOf(all) => all.iter().collect(),
            Form::AsItIs | Form::Text(_) | Form::Integer | Form::Number | Form::Boolean => Vec::new(),
        };
        own.into_iter().chain(below.into_iter().flat_map(Self::values)).collect()
    }

    fn write(&self, source: &Json, input: &Input<'_>, out: &mut String) {
        match &self.origin {
            Origin::Whole => self.form.write(&[source], input, out),
            Origin::Path(path) => {
                let found = path.query(source).all();
                match found.as_slice() {
                    // What isn't there has no members either.
                    [] | [Json::Null] if !self.form.is_every() => out.push_str("null"),
                    found => self.form.write(found, input, out),
                }
            }
            Origin::Value(value) => match resolve(value, input).and_then(|json| serde_json::from_str(&json).ok()) {
                Some(json) => self.form.write(&[&json], input, out),
                None => out.push_str("null"),
            },
        }
    }
}

impl Form {
    /// Writes what is made of the values that were found.
    fn write(&self, found: &[&Json], input: &Input<'_>, out: &mut String) {
        let first = *found.first().unwrap_or(&&Json::Null);
        match self {
            Self::AsItIs => write_json(first, out),
            Self::Text(longest) => write_json(&text(first, *longest), out),
            Self::Integer => write_json(&integer(first), out),
            Self::Number => write_json(&number(first), out),
            Self::Boolean => write_json(&boolean(first), out),
            Self::Object(members) => write_object(members, first, input, out),
            Self::Array(gather, item) => match items(*gather, found) {
                Some(items) => write_array(&items, item, input, out),
                None => out.push_str("null"),
            },
            Self::FirstOf(shapes) => {
                let mut made = shapes.iter().map(|shape| shape.apply(first, input));
                out.push_str(&made.find(|json| json != "null").unwrap_or_else(|| "null".to_owned()));
            }
        }
    }

    /// Nothing is an empty array to one that takes whatever was found.
    fn is_every(&self) -> bool {
        matches!(self, Self::Array(Gather::Every, _))
    }
}

fn node(nodes: &[ShapeNode], index: u32) -> Result<Shape, String> {
    let it = nodes.get(index as usize).ok_or_else(|| format!("a shape has no node {index}"))?;
    let child = |child: &u32| match *child > index {
        true => node(nodes, *child),
        false => Err(format!("node {index} of a shape comes after its child {child}")),
    };
    let origin = match &it.origin {
        plan::Origin::Whole => Origin::Whole,
        plan::Origin::Path(path) => Origin::Path(JsonPath::parse(path).map_err(|e| format!("{path}: {e}"))?),
        plan::Origin::Value(value) => Origin::Value(value.clone()),
    };
    let form = match &it.form {
        plan::Form::AsItIs => Form::AsItIs,
        plan::Form::Text(longest) => Form::Text(longest.map(|it| it as usize)),
        plan::Form::Integer => Form::Integer,
        plan::Form::Number => Form::Number,
        plan::Form::Boolean => Form::Boolean,
        plan::Form::Object(members) => {
            let members = members.iter().map(|it| Ok((it.name.clone(), child(&it.node)?)));
            Form::Object(members.collect::<Result<_, String>>()?)
        }
        plan::Form::Array(it) => Form::Array(it.gather, Box::new(child(&it.item)?)),
        plan::Form::FirstOf(all) => Form::FirstOf(all.iter().map(child).collect::<Result<_, _>>()?),
    };
    Ok(Shape { origin, form })
}

fn items<'a>(gather: Gather, found: &[&'a Json]) -> Option<Vec<&'a Json>> {
    match (gather, found) {
        (Gather::Every, found) => Some(found.to_vec()),
        (_, [Json::Array(items), ..]) => Some(items.iter().collect()),
        (Gather::ItemsOrOne, [one, ..]) if !one.is_null() => Some(vec![one]),
        (Gather::ItemsOrOne | Gather::Items, _) => None,
    }
}

fn write_json(value: &Json, out: &mut String) {
    out.push_str(&value.to_string());
}

fn write_object(members: &[(String, Shape)], source: &Json, input: &Input<'_>, out: &mut String) {
    out.push('{');
    for (index, (name, shape)) in members.iter().enumerate() {
        if index > 0 {
            out.push(',');
        }
        write_json(&Json::from(name.as_str()), out);
        out.push(':');
        shape.write(source, input, out);
    }
    out.push('}');
}

fn write_array(items: &[&Json], shape: &Shape, input: &Input<'_>, out: &mut String) {
    out.push('[');
    for (index, item) in items.iter().enumerate() {
        if index > 0 {
            out.push(',');
        }
        shape.write(item, input, out);
    }
    out.push(']');
}

fn text(value: &Json, longest: Option<usize>) -> Json {
    if value.is_null() {
        return Json::Null;
    }
    let mut text = encode::text(value);
    if let Some((end, _)) = longest.and_then(|longest| text.char_indices().nth(longest)) {
        text.truncate(end);
    }
    text.into()
}

fn integer(value: &Json) -> Json {
    let number = number(value);
    match number.as_f64() {
        _ if number.is_i64() || number.is_u64() => number,
        Some(whole) if whole.fract() == 0.0 && whole.abs() <= EXACT => Json::from(whole as i64),
        _ => Json::Null,
    }
}

/// Up to here a floating-point number tells each whole number from the next: 2^53.
const EXACT: f64 = 9_007_199_254_740_992.0;

fn number(value: &Json) -> Json {
    match value {
        Json::Number(_) => value.clone(),
        Json::String(text) => serde_json::from_str::<Number>(text.trim()).map_or(Json::Null, Json::Number),
        _ => Json::Null,
    }
}

fn boolean(value: &Json) -> Json {
    match value {
        Json::Bool(_) => value.clone(),
        Json::String(text) if text.trim().eq_ignore_ascii_case("true") => Json::Bool(true),
        Json::String(text) if text.trim().eq_ignore_ascii_case("false") => Json::Bool(false),
        _ => Json::Null,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::bindings::airlock::capability::plan::{ArrayForm, Form as Made, Member, Origin as Of, TemplatePart};

    const INPUT: &str = r#"{"id": 7, "name": "Ada", "gone": null}"#;

    fn path(path: &str, form: Made) -> ShapeNode {
        ShapeNode { origin: Of::Path(path.to_owned()), form }
    }

    fn whole(form: Made) -> ShapeNode {
        ShapeNode { origin: Of::Whole, form }
    }

    fn value(value: Value, form: Made) -> ShapeNode {
        ShapeNode { origin: Of::Value(value), form }
    }

    fn members(of: &[(&str, u32)]) -> Made {
        Made::Object(of.iter().map(|(name, node)| Member { name: (*name).to_owned(), node: *node }).collect())
    }

    fn array(gather: Gather, item: u32) -> Made {
        Made::Array(ArrayForm { gather, item })
    }

    /// Each table row: the nodes, the source, and the text that is made of it.
    fn check(table: impl IntoIterator<Item = (Vec<ShapeNode>, Json, &'static str)>) {
        let input = Input::parse(INPUT).unwrap();
        for (nodes, source, expected) in table {
            let shape = Shape::compile(&nodes).unwrap();
            assert_eq!(shape.apply(&source, &input), expected, "{nodes:?} of {source}");
        }
    }

    #[test]
    fn a_path_selects_the_first_value_or_null() {
        let selected = |of: &str| vec![path(of, Made::AsItIs)];
        check([
            (selected("$"), json!([1]), "[1]"),
            (selected("$.a.b"), json!({"a": {"b": {"c": 1}}}), r#"{"c":1}"#),
            (selected("$.a.b"), json!({"a": null}), "null"),
            (selected("$.a.b"), json!(7), "null"),
            (selected("$['a b'][-1]"), json!({"a b": [1, 2]}), "2"),
            (selected("$.a[?@.k == 'x'].v"), json!({"a": [{"k": "y", "v": 1}, {"k": "x", "v": 2}]}), "2"),
            (selected("$..v"), json!({"a": [{"v": 1}, {"v": 2}]}), "1"),
            (selected("$[?length(@.v) > 1].v"), json!([{"v": "a"}, {"v": "bc"}]), r#""bc""#),
            (selected("$[1:3]"), json!([0, 1, 2, 3]), "1"),
        ]);
    }

    #[test]
    fn scalars_are_coerced_or_null() {
        let table = [
            (Made::Text(None), json!(7), r#""7""#),
            (Made::Text(None), json!(1.5), r#""1.5""#),
            (Made::Text(None), json!(true), r#""true""#),
            (Made::Text(None), json!("\"q\""), r#""\"q\"""#),
            (Made::Text(None), json!([1, "a"]), r#""[1,\"a\"]""#),
            (Made::Text(None), json!(null), "null"),
            (Made::Text(Some(2)), json!("äöü"), r#""äö""#),
            (Made::Text(Some(3)), json!("äöü"), r#""äöü""#),
            (Made::Number, json!("1.50"), "1.5"),
            (Made::Number, json!(" -2e3 "), "-2000.0"),
            (Made::Number, json!("0x10"), "null"),
            (Made::Number, json!(""), "null"),
            (Made::Number, json!(true), "null"),
            (Made::Number, json!(18446744073709551615u64), "18446744073709551615"),
            (Made::Integer, json!("12"), "12"),
            (Made::Integer, json!(12.0), "12"),
            (Made::Integer, json!(12.5), "null"),
            (Made::Integer, json!(1e300), "null"),
            (Made::Boolean, json!("True"), "true"),
            (Made::Boolean, json!(false), "false"),
            (Made::Boolean, json!("yes"), "null"),
            (Made::Boolean, json!(1), "null"),
        ];
        check(table.into_iter().map(|(form, source, expected)| (vec![whole(form)], source, expected)));
    }

    #[test]
    fn an_object_has_its_members_in_the_order_of_the_document() {
        let nested = || {
            vec![
                whole(members(&[("z", 1), ("a", 2), ("sub", 3)])),
                path("$.x", Made::Text(None)),
                path("$.y", Made::AsItIs),
                path("$.deep", members(&[("q", 4)])),
                path("$.q", Made::Number),
            ]
        };
        check([
            (nested(), json!({"x": 1, "y": [2], "deep": {"q": "3"}}), r#"{"z":"1","a":[2],"sub":{"q":3}}"#),
            (nested(), json!({"x": 1, "deep": {}}), r#"{"z":"1","a":null,"sub":{"q":null}}"#),
            (nested(), json!({"deep": null}), r#"{"z":null,"a":null,"sub":null}"#),
            (nested(), json!("no object"), r#"{"z":null,"a":null,"sub":null}"#),
            (vec![whole(members(&[("\"", 1)])), whole(Made::AsItIs)], json!(1), r#"{"\"":1}"#),
            (vec![whole(members(&[]))], json!(1), "{}"),
        ]);
    }

    #[test]
    fn an_array_is_made_item_by_item() {
        let names = |of: &str, gather| vec![path(of, array(gather, 1)), path("$.n", Made::Text(None))];
        let numbers = |of: &str, gather| vec![path(of, array(gather, 1)), whole(Made::Number)];
        let list = json!({"l": [{"n": 1}, {}, {"n": "b"}]});
        check([
            (names("$.l", Gather::Items), list.clone(), r#"["1",null,"b"]"#),
            (names("$.l[*]", Gather::Every), list.clone(), r#"["1",null,"b"]"#),
            (names("$.l[?@.n]", Gather::Every), list.clone(), r#"["1","b"]"#),
            (names("$.none[*]", Gather::Every), list.clone(), "[]"),
            (numbers("$.l", Gather::Items), json!({"l": []}), "[]"),
            (numbers("$.l", Gather::Items), json!({"l": 7}), "null"),
            (numbers("$.l", Gather::Items), json!({}), "null"),
            (numbers("$.l[*]", Gather::Every), json!({"l": [null]}), "[null]"),
            (numbers("$.l", Gather::ItemsOrOne), json!({"l": "7"}), "[7]"),
            (numbers("$.l", Gather::ItemsOrOne), json!({"l": ["7", 8]}), "[7,8]"),
            (numbers("$.l", Gather::ItemsOrOne), json!({}), "null"),
        ]);
    }

    #[test]
    fn constants_inputs_and_templates() {
        let text = |text: &str| TemplatePart::Text(text.to_owned());
        let part = |name: &str| TemplatePart::Input(name.to_owned());
        let input = |name: &str| Value::Input(name.to_owned());
        check([
            (vec![value(Value::Constant("[1]".to_owned()), Made::AsItIs)], json!(0), "[1]"),
            (vec![value(Value::Constant("null".to_owned()), Made::Text(None))], json!(0), "null"),
            (vec![value(input("id"), Made::Text(None))], json!(0), r#""7""#),
            (vec![value(input("id"), Made::Number)], json!(0), "7"),
            (vec![value(input("gone"), Made::Number)], json!(0), "null"),
            (vec![value(input("none"), Made::Number)], json!(0), "null"),
            (vec![value(Value::Template(vec![part("id"), text("0")]), Made::Integer)], json!(0), "70"),
            (
                vec![value(Value::Template(vec![text("Hi, "), part("name")]), Made::Text(None))],
                json!(0),
                r#""Hi, Ada""#,
            ),
            (vec![value(Value::Template(vec![text("Hi, "), part("none")]), Made::Text(None))], json!(0), "null"),
        ]);
    }

    #[test]
    fn of_several_the_first_that_gives_something() {
        let nodes = || vec![whole(Made::FirstOf(vec![1, 2])), path("$.a", Made::Number), path("$.b", Made::Text(None))];
        check([
            (nodes(), json!({"a": 1, "b": 2}), "1"),
            (nodes(), json!({"a": "x", "b": 2}), r#""2""#),
            (nodes(), json!({}), "null"),
        ]);
    }

    #[test]
    fn a_plan_that_is_no_tree_is_refused() {
        for nodes in [
            vec![],
            vec![whole(array(Gather::Items, 0))],
            vec![whole(members(&[("a", 2)])), whole(Made::AsItIs)],
            vec![path("no path", Made::AsItIs)],
        ] {
            assert!(Shape::compile(&nodes).is_err(), "{nodes:?}");
        }
    }
}
