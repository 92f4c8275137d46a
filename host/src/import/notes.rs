//! What a document can't hold of a description, each once. What stands in many places (vendor extensions) is one note with a count.

use std::{
    collections::{HashMap, HashSet},
    fmt::{self, Display},
};

/// Something that isn't carried over, or not as it was.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Note {
    /// Its place in the description.
    pub place: String,
    /// What became of it.
    pub message: String,
}

impl Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.place, self.message)
    }
}

/// The notes so far.
#[derive(Debug, Default)]
pub struct Notes {
    notes: Vec<Note>,
    seen: HashSet<(String, String)>,
    /// What is left out wherever it stands, in the order in which it was met.
    left_out: Vec<LeftOut>,
    index: HashMap<String, usize>,
}

#[derive(Debug)]
struct LeftOut {
    what: String,
    first: String,
    places: HashSet<String>,
}

impl Notes {
    /// Says what became of something.
    pub fn say(&mut self, place: &impl Display, message: impl Into<String>) {
        let (place, message) = (place.to_string(), message.into());
        if self.seen.insert((place.clone(), message.clone())) {
            self.notes.push(Note { place, message });
        }
    }

    /// Counts something that is left out wherever it stands.
    pub fn left_out(&mut self, what: &str, place: &impl Display) {
        let place = place.to_string();
        let index = *self.index.entry(what.to_owned()).or_insert_with(|| {
            self.left_out.push(LeftOut { what: what.to_owned(), first: place.clone(), places: HashSet::new() });
            self.left_out.len() - 1
        });
        self.left_out[index].places.insert(place);
    }

    /// Adds those of a part that turned out to be of use.
    pub fn append(&mut self, other: Self) {
        for note in other.notes {
            self.say(&note.place, note.message);
        }
        for it in other.left_out {
            // The first one of the part stays the first.
            self.left_out(&it.what, &it.first);
            self.left_out[self.index[&it.what]].places.extend(it.places);
        }
    }

    /// All of them: one by one, then what was counted.
    pub fn into_list(self) -> Vec<Note> {
        let counted = self.left_out.into_iter().map(|it| {
            let message = match it.places.len() {
                1 => format!("left out: {}", it.what),
                2 => format!("left out: {}, here and in another place", it.what),
                count => format!("left out: {}, here and in {} other places", it.what, count - 1),
            };
            Note { place: it.first, message }
        });
        self.notes.into_iter().chain(counted).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_note_stands_once_and_what_is_everywhere_is_counted() {
        let mut notes = Notes::default();
        for place in ["a", "b", "a"] {
            notes.say(&place, "gone");
            notes.left_out("xml", &place);
        }
        let mut more = Notes::default();
        more.left_out("xml", &"c");
        notes.append(more);
        let told: Vec<String> = notes.into_list().iter().map(ToString::to_string).collect();
        assert_eq!(told, ["a: gone", "b: gone", "a: left out: xml, here and in 2 other places"]);
    }
}
