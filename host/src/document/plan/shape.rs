//! A JSON value made of another one: the meaning of `shape` in `wit/plan.wit` inside the host, as a tree.

use super::Value;

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
}
