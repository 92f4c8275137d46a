//! What a caller may see and call: values in, decision out.
//!
//! What an operation changes is taken from what its plugin says of itself; whether that is true isn't known here.

use std::str::FromStr;

use crate::contract::{Effect, Operation};

/// What one `[callers.<name>]` allows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rules {
    /// The plugins.
    pub plugins: Vec<Glob>,
    /// Their operations, by the names that `/plugins` tells.
    pub operations: Vec<Glob>,
    /// What the operations may do.
    pub effects: Vec<Effect>,
}

/// How far a caller gets with an operation. Ordered: of several rules the one that reaches furthest counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reach {
    /// For the caller there is no such operation.
    Hidden,
    /// The operation is among the caller's, but does what the caller may not do.
    Forbidden,
    /// The caller may call it.
    Callable,
}

impl Rules {
    /// How far these rules reach.
    pub fn reach(&self, plugin: &str, operation: &Operation) -> Reach {
        let is_named = matches(&self.plugins, plugin) && matches(&self.operations, &operation.name);
        match (is_named, self.effects.contains(&Effect::of(operation.effects))) {
            (false, _) => Reach::Hidden,
            (true, false) => Reach::Forbidden,
            (true, true) => Reach::Callable,
        }
    }

    /// Whether these rules let a caller have what a plugin offers besides operations: resources, prompts, suggestions. Reading them
    /// changes nothing, and they have no names that could be told apart: a caller of some operations only has those alone.
    pub fn reads(&self, plugin: &str) -> bool {
        let has_all = self.operations.iter().any(Glob::is_any);
        has_all && matches(&self.plugins, plugin) && self.effects.contains(&Effect::ReadOnly)
    }
}

fn matches(globs: &[Glob], name: &str) -> bool {
    globs.iter().any(|glob| glob.matches(name))
}

/// A name in which `*` stands for any characters, or none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Glob(String);

/// A text can't match a name.
#[derive(Debug, thiserror::Error)]
#[error("expected a name of letters, digits, - _ . in which * stands for any of them, such as m3ter-* or *")]
pub struct BadGlob;

impl FromStr for Glob {
    type Err = BadGlob;

    fn from_str(text: &str) -> Result<Self, BadGlob> {
        let is_usable = |it: char| it.is_ascii_alphanumeric() || "-_.*".contains(it);
        match !text.is_empty() && text.chars().all(is_usable) {
            true => Ok(Self(text.to_owned())),
            false => Err(BadGlob),
        }
    }
}

impl Glob {
    fn is_any(&self) -> bool {
        self.0.bytes().all(|it| it == b'*')
    }

    /// Every part between two stars is taken where it is found first: what is left over is then the longest.
    fn matches(&self, name: &str) -> bool {
        let Some((first, rest)) = self.0.split_once('*') else {
            return self.0 == name;
        };
        let (middle, last) = rest.rsplit_once('*').unwrap_or(("", rest));
        let Some(mut between) = name.strip_prefix(first).and_then(|it| it.strip_suffix(last)) else {
            return false;
        };
        middle.split('*').all(|part| match between.split_once(part) {
            Some((_, behind)) => {
                between = behind;
                true
            }
            None => false,
        })
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::contract::Effects;

    /// An operation of this name that does this.
    pub(in crate::callers) fn operation(name: &str, effect: Effect) -> Operation {
        let (read_only, destructive) = (effect == Effect::ReadOnly, effect == Effect::Destructive);
        let operation = Operation::named(name);
        Operation { effects: Effects { read_only, destructive, ..operation.effects }, ..operation }
    }

    pub(in crate::callers) fn rules(plugins: &[&str], operations: &[&str], effects: &[Effect]) -> Rules {
        let globs = |texts: &[&str]| texts.iter().map(|it| it.parse().unwrap()).collect();
        Rules { plugins: globs(plugins), operations: globs(operations), effects: effects.to_vec() }
    }

    #[test]
    fn globs() {
        for (glob, yes, no) in [
            ("a", &["a"][..], &["", "aa", "A", "*"][..]),
            ("*", &["", "a", "a.b"], &[]),
            ("a*", &["a", "ab"], &["ba", ""]),
            ("*a", &["a", "ba", "aa"], &["ab"]),
            ("a*a", &["aa", "aba"], &["a", "ab"]),
            ("a*b*c", &["abc", "a-b-c", "abbc", "abcbc"], &["ac", "acb", "abcd"]),
            ("*b*", &["b", "abc"], &["", "ac"]),
            ("a**c", &["ac", "abc"], &["a"]),
            ("list*.users", &["list.users", "list-all.users"], &["listusers", "list.users2"]),
        ] {
            let glob: Glob = glob.parse().unwrap();
            yes.iter().for_each(|name| assert!(glob.matches(name), "{glob:?} {name}"));
            no.iter().for_each(|name| assert!(!glob.matches(name), "{glob:?} {name}"));
        }
        for text in ["", "a b", "a/b", "ä", "a?", "[a]"] {
            assert!(text.parse::<Glob>().is_err(), "{text}");
        }
    }

    #[test]
    fn an_operation_has_one_effect_and_the_worse_is_believed() {
        for (read_only, destructive, effect) in [
            (true, false, Effect::ReadOnly),
            (false, false, Effect::Write),
            (false, true, Effect::Destructive),
            (true, true, Effect::Destructive),
        ] {
            let effects = Effects { read_only, destructive, idempotent: true, open_world: false };
            assert_eq!(Effect::of(effects), effect);
            assert_eq!(effect.to_string().parse::<Effect>().unwrap(), effect);
        }
        assert!("all".parse::<Effect>().is_err());
    }

    #[test]
    fn how_far_rules_reach() {
        use Effect::{Destructive, ReadOnly, Write};
        let get = operation("getuser", ReadOnly);
        let put = operation("putuser", Write);
        let delete = operation("deleteuser", Destructive);
        for (rules, reaches) in [
            (Rules::default(), [Reach::Hidden; 3]),
            (rules(&["users"], &["*"], &[]), [Reach::Forbidden; 3]),
            (rules(&["users"], &[], &[ReadOnly, Write, Destructive]), [Reach::Hidden; 3]),
            (rules(&[], &["*"], &[ReadOnly, Write, Destructive]), [Reach::Hidden; 3]),
            (rules(&["other", "us*"], &["*"], &[ReadOnly]), [Reach::Callable, Reach::Forbidden, Reach::Forbidden]),
            (rules(&["*"], &["get*", "put*"], &[ReadOnly, Write]), [Reach::Callable, Reach::Callable, Reach::Hidden]),
            // To delete isn't to read: each effect is granted by itself.
            (rules(&["*"], &["*"], &[Destructive]), [Reach::Forbidden, Reach::Forbidden, Reach::Callable]),
            (rules(&["user"], &["*"], &[ReadOnly]), [Reach::Hidden; 3]),
        ] {
            let found = [&get, &put, &delete].map(|it| rules.reach("users", it));
            assert_eq!(found, reaches, "{rules:?}");
        }
    }
    #[test]
    fn who_reads_what_plugins_offer_besides_operations() {
        use Effect::{Destructive, ReadOnly, Write};
        for (rules, reads) in [
            (rules(&["users"], &["*"], &[ReadOnly]), true),
            (rules(&["us*"], &["get*", "**"], &[Write, ReadOnly]), true),
            (rules(&["other"], &["*"], &[ReadOnly]), false),
            (rules(&["users"], &["*"], &[Write, Destructive]), false),
            // Some operations are those alone, even if all that there are have such names.
            (rules(&["users"], &["*user", "get*"], &[ReadOnly]), false),
            (rules(&["users"], &[], &[ReadOnly]), false),
            (Rules::default(), false),
        ] {
            assert_eq!(rules.reads("users"), reads, "{rules:?}");
        }
    }
}
