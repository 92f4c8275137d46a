//! A JSON value made of another one: the meaning of `shape` in `wit/plan.wit` inside the host, as a tree.

use super::Value;
use crate::document::jsonpath;

/// How a value is made of its source and of the input.
#[derive(Clone, Debug, PartialEq)]
pub struct Shape {
    /// What it is made of.
    pub origin: Origin,
    /// What is made of it.
    pub form: Form,
}

/// What a value is made of.
#[derive(Clone, Debug, PartialEq)]
pub enum Origin {
    /// The source itself; for the children of a node, what that node is made of.
    Whole,
    /// What a JSONPath (RFC 9535) selects in the source.
    Path(String),
    /// A constant, an input, or text with inputs in it.
    Value(Value),
}

/// What is made of what was found. Of nothing, null is made.
#[derive(Clone, Debug, PartialEq)]
pub enum Form {
    /// The first value, as it is.
    AsItIs,
    /// The first value as text, cut after so many characters.
    Text(Option<u32>),
    /// The first value as a whole number; null if it isn't one.
    Integer,
    /// The first value as a number; null if it isn't one.
    Number,
    /// The first value as a boolean; null if it isn't one.
    Boolean,
    /// An object of these members, in this order, each made of the first value.
    Object(Vec<(String, Shape)>),
    /// An array of values that are made like this one.
    Array(Gather, Box<Shape>),
    /// The first of these that isn't null, each made of the first value.
    FirstOf(Vec<Shape>),
}

/// What the items of an array are made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Gather {
    /// The items of the first value; anything but an array makes null.
    Items,
    /// Every value that was found.
    Every,
    /// The items of the first value; one that isn't an array counts as an array of one, as in XML, where one element looks like that.
    ItemsOrOne,
}

impl Shape {
    /// The source, as it is.
    pub const WHOLE: Self = Self { origin: Origin::Whole, form: Form::AsItIs };

    /// The same made of other values.
    #[must_use]
    pub fn with_values(self, other: &impl Fn(&Value) -> Value) -> Self {
        let origin = match self.origin {
            Origin::Value(value) => Origin::Value(other(&value)),
            origin => origin,
        };
        let form = match self.form {
            Form::Array(gather, item) => Form::Array(gather, Box::new(item.with_values(other))),
            Form::Object(members) => {
                Form::Object(members.into_iter().map(|(name, member)| (name, member.with_values(other))).collect())
            }
            Form::FirstOf(all) => Form::FirstOf(all.into_iter().map(|it| it.with_values(other)).collect()),
            scalar => scalar,
        };
        Self { origin, form }
    }

    /// The constants, inputs and texts that it is made of.
    pub fn values(&self) -> Vec<&Value> {
        let own = match &self.origin {
            Origin::Value(value) => vec![value],
            Origin::Whole | Origin::Path(_) => Vec::new(),
        };
        let below: Vec<&Self> = match &self.form {
            Form::Array(_, item) => vec![item],
            Form::Object(members) => members.iter().map(|(_, member)| member).collect(),
            Form::FirstOf(all) => all.iter().collect(),
            Form::AsItIs | Form::Text(_) | Form::Integer | Form::Number | Form::Boolean => Vec::new(),
        };
        own.into_iter().chain(below.into_iter().flat_map(Self::values)).collect()
    }

    /// The same for a source in which a list of one looks like the one: XML.
    #[must_use]
    pub fn of_xml(self) -> Self {
        let form = match self.form {
            Form::Array(Gather::Items, item) => Form::Array(Gather::ItemsOrOne, Box::new(item.of_xml())),
            Form::Array(gather, item) => Form::Array(gather, Box::new(item.of_xml())),
            Form::Object(members) => {
                Form::Object(members.into_iter().map(|(name, member)| (name, member.of_xml())).collect())
            }
            Form::FirstOf(all) => Form::FirstOf(all.into_iter().map(Self::of_xml).collect()),
            scalar => scalar,
        };
        Self { form, ..self }
    }

    /// What is made of the member of this name.
    pub fn member(name: &str, form: Form) -> Self {
        Self { origin: Origin::Path(jsonpath::to_member(name)), form }
    }
}
