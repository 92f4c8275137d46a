//! Ranking of short texts by the words of a question: Okapi BM25 over fields of different weight.
//!
//! It knows words and numbers, no tools, and nothing of meaning: who searches for "remove" doesn't find "delete". The crate for this
//! (`bm25`) brings what is here least: its tokenizer is for prose, it has no fields, equal scores come in an order that changes from
//! run to run, and its hashes are of a crate that nobody maintains any more.

use std::collections::{BTreeSet, HashMap};

/// How soon a word that is repeated counts no more, and how much long texts are held back: the values of the literature.
const K1: f32 = 1.2;
const B: f32 = 0.75;

/// The words of a text with their weights.
#[derive(Debug, Default)]
pub(super) struct Document(HashMap<String, f32>);

/// Texts that can be searched.
#[derive(Debug, Default)]
pub(super) struct Index(HashMap<String, Vec<Posting>>);

/// A word in a text, and how much it adds to the score of a question that has the word.
#[derive(Debug)]
struct Posting {
    document: usize,
    score: f32,
}

impl Document {
    /// Adds a field. A word of weight 2 counts as if it stood there twice.
    pub(super) fn add(&mut self, text: &str, weight: f32) {
        for word in words(text) {
            *self.0.entry(word).or_default() += weight;
        }
    }
}

impl Index {
    /// The index of these texts, which are known by their positions.
    pub(super) fn of(documents: Vec<Document>) -> Self {
        let count = documents.len() as f32;
        let lengths: Vec<f32> = documents.iter().map(|it| it.0.values().sum()).collect();
        let average = lengths.iter().sum::<f32>() / count.max(1.0);
        let mut index: HashMap<String, Vec<Posting>> = HashMap::new();
        for (document, (words, length)) in documents.into_iter().zip(lengths).enumerate() {
            for (word, times) in words.0 {
                let score = times * (K1 + 1.0) / (times + K1 * (1.0 - B + B * length / average));
                index.entry(word).or_default().push(Posting { document, score });
            }
        }
        for postings in index.values_mut() {
            let with_it = postings.len() as f32;
            let rarity = (1.0 + (count - with_it + 0.5) / (with_it + 0.5)).ln();
            postings.iter_mut().for_each(|it| it.score *= rarity);
        }
        Self(index)
    }

    /// The texts that have one of the question's words, the best first; equally good ones in their order.
    pub(super) fn search(&self, question: &str) -> Vec<usize> {
        let mut scores: HashMap<usize, f32> = HashMap::new();
        // In an order of their own: the rounding of a sum depends on it.
        let asked: BTreeSet<String> = words(question).collect();
        for posting in asked.iter().filter_map(|word| self.0.get(word)).flatten() {
            *scores.entry(posting.document).or_default() += posting.score;
        }
        let mut found: Vec<(usize, f32)> = scores.into_iter().collect();
        found.sort_by(|(a, score_a), (b, score_b)| score_b.total_cmp(score_a).then(a.cmp(b)));
        found.into_iter().map(|(document, _)| document).collect()
    }
}

/// The words of a text, as people and APIs write them: `listUsers`, `list_users` and `List users` have the same. What is written as
/// one is a word of its own as well, so that `IPv4` is found by `ipv4`.
fn words(text: &str) -> impl Iterator<Item = String> {
    let runs = text.split(|it: char| !it.is_alphanumeric()).filter(|run| !run.is_empty());
    runs.flat_map(|run| {
        let parts = parts(run);
        let whole = (parts.len() > 1).then_some(run);
        parts.into_iter().chain(whole).map(|word| singular(word.to_lowercase())).collect::<Vec<_>>()
    })
}

/// The parts of a name in camel case: `getHTTPStatus` is `get`, `HTTP`, `Status`.
fn parts(run: &str) -> Vec<&str> {
    let letters: Vec<(usize, char)> = run.char_indices().collect();
    let begins = |at: usize| {
        let is_upper = |at: usize| letters.get(at).is_some_and(|(_, it)| it.is_uppercase());
        let is_lower = |at: usize| letters.get(at).is_some_and(|(_, it)| it.is_lowercase());
        is_upper(at) && (!is_upper(at - 1) || is_lower(at + 1))
    };
    let starts = (1..letters.len()).filter(|at| begins(*at)).map(|at| letters[at].0);
    let ends: Vec<usize> = starts.chain([run.len()]).collect();
    let starts = [0].into_iter().chain(ends.iter().copied());
    starts.zip(&ends).map(|(start, end)| &run[start..*end]).collect()
}

/// An English word without its plural, by the three rules of Harman's S-stemmer: tools are named for one thing or for many, and who
/// asks doesn't know which.
fn singular(mut word: String) -> String {
    let ends = |endings: &[&str]| endings.iter().any(|it| word.ends_with(it));
    if word.len() < 4 {
        return word;
    }
    if ends(&["ies"]) && !ends(&["eies", "aies"]) {
        word.truncate(word.len() - 3);
        word.push('y');
    } else if ends(&["s"]) && !ends(&["us", "ss", "aes", "ees", "oes"]) {
        word.pop();
    }
    word
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_words_however_they_are_written() {
        for (text, expected) in [
            ("", &[][..]),
            ("--- . _", &[]),
            ("list-orgusers", &["list", "orguser"]),
            ("m3ter-orgusers.retrieve_current_user", &["m3ter", "orguser", "retrieve", "current", "user"]),
            ("listUsers", &["list", "user", "listuser"]),
            ("getHTTPStatus", &["get", "http", "status", "gethttpstatus"]),
            ("IPv4", &["i", "pv4", "ipv4"]),
            ("Größe äÄ", &["größe", "ä", "ä", "ää"]),
            ("(policies), addresses; heroes; bus; is; ID", &["policy", "addresse", "heroes", "bus", "is", "id"]),
            ("ユーザー 削除", &["ユーザー", "削除"]),
        ] {
            assert_eq!(words(text).collect::<Vec<_>>(), expected, "{text}");
        }
    }

    fn index(texts: &[(&str, &str)]) -> Index {
        let documents = texts.iter().map(|(name, description)| {
            let mut document = Document::default();
            document.add(name, 3.0);
            document.add(description, 1.0);
            document
        });
        Index::of(documents.collect())
    }

    #[test]
    fn the_best_match_comes_first() {
        let index = index(&[
            ("listUsers", "Lists the users of an organization."),
            ("deleteUser", "Deletes a user."),
            ("getInvoice", "Gets an invoice of the user who has paid it."),
            ("ping", "Says whether the API is there. Nothing else: it doesn't delete, list or get anything."),
            ("listInvoices", "Lists the invoices of an organization."),
        ]);
        for (question, found) in [
            ("delete user", &[1, 0, 3, 2][..]),
            ("how can I get an invoice?", &[2, 4, 3, 0]),
            ("INVOICES", &[4, 2]),
            // Of equal ones the first: neither name nor length tells them apart.
            ("organization", &[0, 4]),
            ("deleteUser", &[1, 0, 3, 2]),
            ("nothing-like-this", &[3]),
            ("frobnicate", &[]),
            ("", &[]),
        ] {
            assert_eq!(index.search(question), found, "{question}");
        }
    }

    #[test]
    fn rare_words_and_short_texts_count_more() {
        let index = index(&[
            ("a", "alpha common"),
            ("b", "alpha common and so on, about many other things that nobody has asked for"),
            ("c", "rare common"),
            ("d", "common common common common"),
        ]);
        assert_eq!(index.search("alpha")[0], 0, "the shorter one");
        assert_eq!(index.search("common rare")[0], 2, "the rarer word");
        assert_eq!(index.search("common common common"), index.search("common"), "a word counts once");
        assert_eq!(Index::of(Vec::new()).search("a"), [0; 0]);
    }
}
