//! A small part of JSONPath (RFC 9535), told a second time: names, places, all, and one comparison.

use proptest::{
    collection::vec,
    option,
    prelude::{Just, any, prop_oneof},
    sample::select,
    strategy::Strategy,
};
use serde_json::Value;

/// The names of the members that made-up answers may have, in the order of the alphabet: nobody says in which one an object has them as text.
pub const MEMBERS: [&str; 7] = ["a b", "id", "l", "n", "name", "o", "on"];

#[derive(Clone, Debug)]
pub enum Step {
    Name(&'static str),
    Index(i64),
    Each,
    /// `[?@.n > 5]`
    Above(i64),
}

#[derive(Clone, Debug)]
pub struct Path {
    pub steps: Vec<Step>,
    /// Whether names stand in brackets.
    in_brackets: bool,
}

/// Any path, which can lead to several places. Those are items of the list: nobody says in which order the members of an object come.
pub fn path() -> impl Strategy<Value = Path> {
    let several = prop_oneof![1 => Just(Step::Each), 1 => (0..9i64).prop_map(Step::Above)];
    let member = option::of(select(vec!["id", "n", "name"]).prop_map(Step::Name));
    let of_list = (several, member, any::<bool>()).prop_map(|(several, member, in_brackets)| {
        let steps = [Some(Step::Name("l")), Some(several), member].into_iter().flatten().collect();
        Path { steps, in_brackets }
    });
    prop_oneof![1 => of_list, 1 => single()]
}

/// A path that can lead to one place only.
pub fn single() -> impl Strategy<Value = Path> {
    let step = prop_oneof![3 => select(&MEMBERS[..]).prop_map(Step::Name), 1 => (-2..3i64).prop_map(Step::Index)];
    (vec(step, 1..3), any::<bool>()).prop_map(|(steps, in_brackets)| Path { steps, in_brackets })
}

impl Path {
    pub fn of(steps: Vec<Step>) -> Self {
        Self { steps, in_brackets: false }
    }

    /// As a document writes it, from this root on.
    pub fn text(&self, root: &str) -> String {
        let step = |step: &Step| match step {
            Step::Name(name) if self.in_brackets => format!("['{name}']"),
            // A name that can't stand there is taken for what it is meant to be.
            Step::Name(name) => format!(".{name}"),
            Step::Index(index) => format!("[{index}]"),
            Step::Each => "[*]".to_owned(),
            Step::Above(least) => format!("[?@.n > {least}]"),
        };
        std::iter::once(root.to_owned()).chain(self.steps.iter().map(step)).collect()
    }

    pub fn is_single(&self) -> bool {
        self.steps.iter().all(|step| matches!(step, Step::Name(_) | Step::Index(_)))
    }

    /// All that it leads to.
    pub fn find<'v>(&self, value: &'v Value) -> Vec<&'v Value> {
        let children = |value: &'v Value| -> Vec<&'v Value> {
            match value {
                Value::Array(items) => items.iter().collect(),
                Value::Object(members) => members.values().collect(),
                _ => Vec::new(),
            }
        };
        let take = |value: &'v Value, step: &Step| -> Vec<&'v Value> {
            match step {
                Step::Name(name) => value.get(name).into_iter().collect(),
                Step::Index(index) => {
                    let items = value.as_array().map(Vec::as_slice).unwrap_or_default();
                    let length = i64::try_from(items.len()).expect("a few items");
                    let place = if *index < 0 { length + index } else { *index };
                    usize::try_from(place).ok().and_then(|it| items.get(it)).into_iter().collect()
                }
                Step::Each => children(value),
                Step::Above(least) => {
                    let is_above = |it: &&Value| it["n"].as_f64().is_some_and(|n| n > *least as f64);
                    children(value).into_iter().filter(is_above).collect()
                }
            }
        };
        let start = vec![value];
        self.steps.iter().fold(start, |found, step| found.into_iter().flat_map(|it| take(it, step)).collect())
    }
}
