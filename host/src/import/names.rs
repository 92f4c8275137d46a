//! Names that agents can use: letters, digits and dashes, short, each once.

use std::collections::HashSet;

/// The longest name. Clients of MCP take 64 characters of a tool's name, some of them less after a prefix of their own.
pub const MAX_LENGTH: usize = 64;

/// `ListOrgUsers`, `list_org_users`, `users/list` -> `list-org-users`, `users-list`. `None` if nothing is left.
pub fn kebab(text: &str) -> Option<String> {
    let words = words(text);
    let mut name = String::new();
    for word in &words {
        let room = MAX_LENGTH.saturating_sub(name.len() + usize::from(!name.is_empty()));
        if word.len() > room {
            if name.is_empty() {
                name.push_str(&word[..MAX_LENGTH]);
            }
            break;
        }
        if !name.is_empty() {
            name.push('-');
        }
        name.push_str(word);
    }
    (!name.is_empty()).then_some(name)
}

/// `metal-users` -> `METAL_USERS`, as environment variables are called.
pub fn screaming(text: &str) -> String {
    words(text).join("_").to_ascii_uppercase()
}

/// The words of a name in small letters; all that isn't ASCII separates.
fn words(text: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let chars: Vec<char> = text.chars().collect();
    for (index, c) in chars.iter().copied().enumerate() {
        let before = index.checked_sub(1).map(|it| chars[it]);
        let after = chars.get(index + 1);
        let begins = c.is_ascii_uppercase()
            && before.is_some_and(|it| {
                it.is_ascii_lowercase()
                    || it.is_ascii_digit()
                    || (it.is_ascii_uppercase() && after.is_some_and(char::is_ascii_lowercase))
            });
        if begins || !c.is_ascii_alphanumeric() {
            words.push(String::new());
        }
        if c.is_ascii_alphanumeric() {
            words.last_mut().expect("there is one from the start").push(c.to_ascii_lowercase());
        }
    }
    words.retain(|word| !word.is_empty());
    words
}

/// What an input is called: as on the wire if agents can be given that, else what is left of it.
pub fn input(text: &str) -> String {
    let fits = |c: char| c.is_ascii_alphanumeric() || "_.-".contains(c);
    if (1..=MAX_LENGTH).contains(&text.len()) && text.chars().all(fits) {
        return text.to_owned();
    }
    let parts: Vec<&str> = text.split(|c| !fits(c)).filter(|it| !it.is_empty()).collect();
    let name: String = parts.join("_").chars().take(MAX_LENGTH).collect();
    if name.is_empty() { "parameter".to_owned() } else { name }
}

/// Names that are taken.
#[derive(Debug, Default)]
pub struct Taken(HashSet<String>);

impl Taken {
    /// The wanted name, or that with a number.
    pub fn take(&mut self, wanted: &str) -> String {
        let numbered = (2..).map(|number: usize| {
            let suffix = format!("-{number}");
            let room = wanted.len().min(MAX_LENGTH - suffix.len());
            format!("{}{suffix}", &wanted[..wanted.floor_char_boundary(room)])
        });
        let free = std::iter::once(wanted.to_owned()).chain(numbered).find(|name| !self.0.contains(name));
        let free = free.expect("there are more numbers than names");
        self.0.insert(free.clone());
        free
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_words_in_small_letters() {
        for (text, name) in [
            ("ListOrgUsers", Some("list-org-users")),
            ("findUserById", Some("find-user-by-id")),
            ("getHTTPResponse2xx", Some("get-http-response2xx")),
            ("users/list-followers", Some("users-list-followers")),
            ("GET /users/{id}.json", Some("get-users-id-json")),
            ("find_all__things", Some("find-all-things")),
            ("größe", Some("gr-e")),
            ("東京", None),
            ("", None),
        ] {
            assert_eq!(kebab(text).as_deref(), name, "{text}");
        }
        let long = kebab(&"word ".repeat(30)).unwrap();
        assert!(long.len() <= MAX_LENGTH && long.ends_with("-word"), "{long}");
        assert_eq!(kebab(&"x".repeat(100)).unwrap().len(), MAX_LENGTH);
        assert_eq!(screaming("m3ter-orgusers"), "M3TER_ORGUSERS");
    }

    #[test]
    fn inputs_keep_their_names_where_agents_can_be_given_them() {
        for (text, name) in
            [("per_page", "per_page"), ("filter[kind]", "filter_kind"), ("$top", "top"), ("é", "parameter")]
        {
            assert_eq!(input(text), name);
        }
    }

    #[test]
    fn a_taken_name_gets_a_number_and_stays_short() {
        let mut taken = Taken::default();
        assert_eq!([taken.take("a"), taken.take("a"), taken.take("a-2")], ["a", "a-2", "a-2-2"]);
        let long = "x".repeat(MAX_LENGTH);
        taken.take(&long);
        assert_eq!(taken.take(&long).len(), MAX_LENGTH);
    }
}
