//! HTML: its tables. Each is an array of objects, as lines of cells are: the first row has the names.
//!
//! Knows tables and what stands around them, and no more of how browsers build a document: rows, cells, items and paragraphs end where the
//! next begins, and text is what isn't a tag. A cell's text doesn't have that of a table inside of it, which is a table of its own.

mod table;

use html5gum::{DefaultEmitter, StartTag, Token, Tokenizer};
use serde_json::{Value as Json, json};

use crate::bindings::airlock::capability::plan::ElementSelector;
use table::Table;

/// The most elements inside one another. 512: where browsers stop too.
const MAX_DEPTH: usize = 512;

/// Elements without contents.
const VOID: [&str; 13] =
    ["area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source", "track", "wbr"];

/// What ends a paragraph that isn't closed.
const BLOCKS: [&str; 22] = [
    "article",
    "aside",
    "blockquote",
    "div",
    "dl",
    "fieldset",
    "footer",
    "form",
    "h1",
    "h2",
    "h3",
    "h4",
    "h5",
    "h6",
    "header",
    "main",
    "nav",
    "ol",
    "p",
    "pre",
    "section",
    "ul",
];

/// Reads the tables: those that one of the selectors matches, or that are in what it matches; all, if there is none.
///
/// # Errors
/// Its elements are nested too deep.
pub fn read(text: &str, selectors: &[Vec<ElementSelector>]) -> Result<Json, String> {
    let mut emitter = DefaultEmitter::default();
    // What is in a script or a style is no tag.
    emitter.naively_switch_states(true);
    let mut reading = Reading { selectors, open: Vec::new(), tables: Vec::new(), done: Vec::new() };
    for token in Tokenizer::new_with_emitter(text, emitter) {
        match token {
            Ok(Token::StartTag(tag)) => reading.start(&tag)?,
            Ok(Token::EndTag(tag)) => reading.end(&String::from_utf8_lossy(&tag.name)),
            Ok(Token::String(text)) => reading.text(&String::from_utf8_lossy(&text)),
            Ok(Token::Comment(_) | Token::Doctype(_) | Token::Error(_)) => {}
            Err(never) => match never {},
        }
    }
    reading.close_down_to(0);
    let tables: Vec<Json> = reading.done.into_iter().flatten().collect();
    Ok(json!({"tables": tables}))
}

struct Reading<'s> {
    selectors: &'s [Vec<ElementSelector>],
    /// The elements that are open, the innermost last.
    open: Vec<Element>,
    /// The tables among them.
    tables: Vec<(usize, Table)>,
    /// The tables that are wanted, in the order in which they begin; `None` while one is open.
    done: Vec<Option<Json>>,
}

struct Element {
    name: String,
    id: String,
    classes: Vec<String>,
    /// Whether it is matched, or is in what is.
    is_wanted: bool,
}

impl Reading<'_> {
    fn start(&mut self, tag: &StartTag<()>) -> Result<(), String> {
        let name = String::from_utf8_lossy(&tag.name).into_owned();
        self.close_implied(&name);
        if VOID.contains(&name.as_str()) {
            self.text(" ");
            return Ok(());
        }
        if self.open.len() >= MAX_DEPTH {
            return Err(format!("HTML with more than {MAX_DEPTH} elements inside one another"));
        }
        let classes = attribute(tag, "class").split_ascii_whitespace().map(str::to_owned).collect();
        let mut element = Element { name, id: attribute(tag, "id"), classes, is_wanted: false };
        element.is_wanted = self.is_wanted(&element);
        match (element.name.as_str(), self.tables.last_mut()) {
            ("table", _) => {
                if element.is_wanted {
                    self.done.push(None);
                }
                self.tables.push((self.done.len(), Table::default()));
            }
            ("tr", Some((_, table))) => table.begin_row(),
            ("td" | "th", Some((_, table))) => table.begin_cell(span(tag, "colspan"), span(tag, "rowspan")),
            _ => {}
        }
        self.open.push(element);
        Ok(())
    }

    fn end(&mut self, name: &str) {
        // What was opened outside of a table isn't closed inside of it.
        let own = self.open.iter().rev().take_while(|it| name == "table" || it.name != "table");
        if let Some(inner) = own.into_iter().position(|it| it.name == name) {
            self.close_down_to(self.open.len() - 1 - inner);
        }
    }

    fn text(&mut self, text: &str) {
        let is_code = self.open.last().is_some_and(|it| matches!(it.name.as_str(), "script" | "style"));
        if let Some((_, table)) = self.tables.last_mut().filter(|_| !is_code) {
            table.text(text);
        }
    }

    /// Closes what may stay open and ends where this begins.
    fn close_implied(&mut self, name: &str) {
        let (ended, around): (&[&str], &[&str]) = match name {
            "td" | "th" => (&["td", "th"], &["table"]),
            "tr" => (&["td", "th", "tr", "caption"], &["table"]),
            "thead" | "tbody" | "tfoot" => (&["td", "th", "tr", "thead", "tbody", "tfoot", "caption"], &["table"]),
            "li" => (&["li"], &["ol", "ul", "table"]),
            "dt" | "dd" => (&["dt", "dd"], &["dl", "table"]),
            "option" => (&["option"], &["select"]),
            name if BLOCKS.contains(&name) => (&["p"], &["td", "th", "table", "button"]),
            _ => return,
        };
        let inside = self.open.iter().rposition(|it| around.contains(&it.name.as_str())).map_or(0, |at| at + 1);
        let first = self.open[inside..].iter().position(|it| ended.contains(&it.name.as_str()));
        if let Some(first) = first {
            self.close_down_to(inside + first);
        }
    }

    fn close_down_to(&mut self, depth: usize) {
        while self.open.len() > depth {
            let Some(element) = self.open.pop() else { return };
            match element.name.as_str() {
                "td" | "th" => self.tables.last_mut().into_iter().for_each(|(_, table)| table.end_cell()),
                "tr" => self.tables.last_mut().into_iter().for_each(|(_, table)| table.end_row()),
                "table" => {
                    let Some((place, table)) = self.tables.pop() else { continue };
                    if element.is_wanted {
                        self.done[place - 1] = Some(table.into_json());
                    }
                }
                _ => {}
            }
        }
    }

    fn is_wanted(&self, element: &Element) -> bool {
        let is_inside = self.open.last().is_some_and(|around| around.is_wanted);
        is_inside || self.selectors.is_empty() || self.selectors.iter().any(|parts| self.matches(element, parts))
    }

    /// Whether the last part matches the element, and the others elements around it, from the inside out.
    fn matches(&self, element: &Element, parts: &[ElementSelector]) -> bool {
        let Some((last, outer)) = parts.split_last() else { return false };
        let mut around = self.open.iter().rev();
        is_matched(element, last) && outer.iter().rev().all(|part| around.any(|element| is_matched(element, part)))
    }
}

fn is_matched(element: &Element, part: &ElementSelector) -> bool {
    part.tag.as_ref().is_none_or(|tag| *tag == element.name)
        && part.id.as_ref().is_none_or(|id| *id == element.id)
        && part.classes.iter().all(|class| element.classes.contains(class))
}

fn attribute(tag: &StartTag<()>, name: &str) -> String {
    let value = tag.attributes.iter().find(|(own, _)| own.as_slice() == name.as_bytes());
    value.map_or(String::new(), |(_, value)| String::from_utf8_lossy(value).into_owned())
}

/// How many columns or rows a cell takes: one, if that isn't said in a way that makes sense.
fn span(tag: &StartTag<()>, name: &str) -> usize {
    attribute(tag, name).trim().parse().unwrap_or(1).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tables(text: &str) -> Json {
        read(text, &[]).unwrap()["tables"].take()
    }

    #[test]
    fn tables_are_arrays_of_objects() {
        for (text, expected) in [
            (
                "<table><tr><th>a<th>b<tr><td>1<td>x &amp; <b>y</b>\n z<tr><td>2</table>",
                json!([[{"a": "1", "b": "x & y z"}, {"a": "2"}]]),
            ),
            (
                "<TABLE><thead><tr><td>a</td></tr></thead><tbody><tr><td>1</td></tr></tbody></TABLE><p>x",
                json!([[{"a": "1"}]]),
            ),
            (
                "<table><tr></tr><tr><th></th><th>a</th><th>a</th></tr><tr><td>1<td>2<td>3<td>4</table>",
                json!([[{"1": "1", "a": "2", "3": "3", "4": "4"}]]),
            ),
            ("<table><tr><th>a", json!([[]])),
            ("<table></table><p>no table</p>", json!([[]])),
            ("<p>none", json!([])),
            ("", json!([])),
            ("<td>a</td></table></tr>", json!([])),
            ("<script>'<table><tr><td>a'</script><!-- <table> -->", json!([])),
            ("<table><tr><th>a<tr><td>1<script>2</script><br>3", json!([[{"a": "1 3"}]])),
            ("<table><tr><th>a<td>b</div><tr><td>1<td>2</body></table>", json!([[{"a": "1", "b": "2"}]])),
        ] {
            assert_eq!(tables(text), expected, "{text}");
        }
    }

    #[test]
    fn a_table_in_a_table_is_one_of_its_own() {
        let text = "<table><tr><th>a<tr><td>x<table><tr><th>b<tr><td>1</table>y</table>";
        assert_eq!(tables(text), json!([[{"a": "xy"}], [{"b": "1"}]]));
    }

    #[test]
    fn cells_over_several_columns_and_rows() {
        let text = "<table><tr><th>a<th colspan=2>b<th>c\
                    <tr><td rowspan=2>1<td colspan=2>2<td>3\
                    <tr><td>4<td>5<td>6</table>";
        assert_eq!(tables(text), json!([[{"a": "1", "b": "2", "c": "3"}, {"a": "1", "b": "4", "3": "5", "c": "6"}]]));
        // Absurd ones end at what is absurd.
        let text = "<table><tr><th colspan=99999999999999999999>a<th rowspan=0>b<tr><td colspan=4000000>1<td>2</table>";
        assert_eq!(tables(text)[0][0]["a"], "1");
    }

    #[test]
    fn selectors_choose_tables_and_what_is_around_them() {
        let part = |tag: &str, id: &str, classes: &[&str]| {
            let some = |text: &str| (!text.is_empty()).then(|| text.to_owned());
            let classes = classes.iter().map(|it| (*it).to_owned()).collect();
            ElementSelector { tag: some(tag), id: some(id), classes }
        };
        let text = "<p class=x>open<div id=main class='x y'><table class=r><tr><th>a</table></div>\
                    <table id=t><tr><th>b<tr><td>1</table>";
        for (selectors, expected) in [
            (vec![vec![part("table", "", &[])]], 2),
            (vec![vec![part("table", "", &["r"])]], 1),
            (vec![vec![part("", "t", &[])]], 1),
            (vec![vec![part("", "", &["x", "y"])]], 1),
            (vec![vec![part("div", "main", &["x"]), part("table", "", &[])]], 1),
            (vec![vec![part("table", "", &[]), part("div", "", &[])]], 0),
            (vec![vec![part("p", "", &[])]], 0),
            (vec![vec![part("", "t", &[])], vec![part("", "", &["r"])]], 2),
        ] {
            let found = read(text, &selectors).unwrap()["tables"].as_array().unwrap().len();
            assert_eq!(found, expected, "{selectors:?}");
        }
    }

    #[test]
    fn there_is_an_end_to_nesting() {
        assert!(read(&"<i>".repeat(MAX_DEPTH + 1), &[]).unwrap_err().contains("more than 512 elements"));
        assert!(read(&"<br>".repeat(MAX_DEPTH + 1), &[]).is_ok());
    }
}
