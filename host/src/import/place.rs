//! Where something stands in a description: `paths./users.get.parameters[2]`. A chain on the stack, written out only when it is told.

use std::fmt;

/// A place, as a step from another one.
#[derive(Clone, Debug)]
pub struct Place<'p> {
    parent: Option<&'p Place<'p>>,
    step: Step<'p>,
}

#[derive(Clone, Debug)]
enum Step<'p> {
    Key(&'p str),
    Index(usize),
    Whole(String),
}

impl<'p> Place<'p> {
    /// A place that is known as a whole.
    pub fn whole(text: impl Into<String>) -> Self {
        Self { parent: None, step: Step::Whole(text.into()) }
    }

    /// The value of a key.
    pub fn key(&'p self, key: &'p str) -> Self {
        Self { parent: Some(self), step: Step::Key(key) }
    }

    /// An item of a list.
    pub fn index(&'p self, index: usize) -> Self {
        Self { parent: Some(self), step: Step::Index(index) }
    }
}

impl fmt::Display for Place<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(parent) = self.parent {
            parent.fmt(f)?;
        }
        match (&self.step, self.parent) {
            (Step::Index(index), _) => write!(f, "[{index}]"),
            (Step::Key(key), Some(_)) => write!(f, ".{key}"),
            (Step::Key(key), None) => f.write_str(key),
            (Step::Whole(text), _) => f.write_str(text),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_written_from_the_root() {
        let root = Place::whole("paths");
        let item = root.key("/users/{id}");
        let parameters = item.key("parameters");
        assert_eq!(parameters.index(2).to_string(), "paths./users/{id}.parameters[2]");
    }
}
