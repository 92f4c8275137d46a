//! Markdown (CommonMark with tables): the front matter, the tables, and the sections.
//!
//! A table is an array of objects, as one of lines is. A section is what stands between its heading and the next, as plain text.

use pulldown_cmark::{Event, HeadingLevel, Options, Parser, Tag, TagEnd};
use serde_json::{Map, Value as Json, json};

/// What has been read so far.
#[derive(Default)]
struct Read {
    front_matter: String,
    tables: Vec<Json>,
    sections: Vec<Section>,
    /// The cells of the row that is being read, the last one open.
    row: Vec<String>,
    names: Vec<String>,
    rows: Vec<Json>,
    place: Place,
}

struct Section {
    heading: String,
    level: usize,
    content: String,
}

#[derive(Clone, Copy, Default)]
enum Place {
    #[default]
    Content,
    Heading,
    Cell,
    FrontMatter,
}

/// Reads a text; of the sections those whose heading, with its `#`, begins like this.
///
/// # Errors
/// The front matter isn't YAML.
pub fn read(text: &str, heading: Option<&str>) -> Result<Json, String> {
    let mut read = Read::default();
    let options = Options::ENABLE_TABLES | Options::ENABLE_YAML_STYLE_METADATA_BLOCKS;
    for event in Parser::new_ext(text, options) {
        read.take(event);
    }
    let front_matter: Json = match read.front_matter.trim() {
        "" => json!({}),
        yaml => serde_saphyr::from_str(yaml).map_err(|e| format!("Markdown whose front matter is not YAML: {e}"))?,
    };
    let wanted = |section: &&Section| {
        let written = format!("{} {}", "#".repeat(section.level), section.heading);
        heading.is_none_or(|heading| written.starts_with(heading.trim()) || section.heading.starts_with(heading.trim()))
    };
    let sections =
        read.sections.iter().filter(wanted).map(
            |section| json!({"heading": section.heading, "level": section.level, "content": section.content.trim()}),
        );
    Ok(json!({
        "frontMatter": front_matter,
        "tables": read.tables,
        "sections": sections.collect::<Vec<_>>(),
    }))
}

impl Read {
    fn take(&mut self, event: Event<'_>) {
        match event {
            Event::Start(tag) => self.open(&tag),
            Event::End(tag) => self.close(tag),
            Event::Text(text) | Event::Code(text) | Event::InlineHtml(text) | Event::Html(text) => self.text(&text),
            Event::SoftBreak | Event::HardBreak => self.text("\n"),
            _ => {}
        }
    }

    fn open(&mut self, tag: &Tag<'_>) {
        match tag {
            Tag::Heading { level, .. } => {
                let section = Section { heading: String::new(), level: depth(*level), content: String::new() };
                self.sections.push(section);
                self.place = Place::Heading;
            }
            Tag::MetadataBlock(_) => self.place = Place::FrontMatter,
            Tag::TableCell => {
                self.row.push(String::new());
                self.place = Place::Cell;
            }
            Tag::Item => self.text("- "),
            _ => {}
        }
    }

    fn close(&mut self, tag: TagEnd) {
        match tag {
            TagEnd::Heading(_) | TagEnd::MetadataBlock(_) | TagEnd::TableCell => self.place = Place::Content,
            TagEnd::TableHead => self.names = std::mem::take(&mut self.row),
            TagEnd::TableRow => {
                let cells = std::mem::take(&mut self.row).into_iter().map(Json::from);
                let row: Map<String, Json> = self.names.iter().cloned().zip(cells).collect();
                self.rows.push(Json::Object(row));
            }
            TagEnd::Table => self.tables.push(Json::Array(std::mem::take(&mut self.rows))),
            TagEnd::Paragraph => self.text("\n\n"),
            TagEnd::Item => self.text("\n"),
            _ => {}
        }
    }

    /// Text before the first heading belongs to no section.
    fn text(&mut self, text: &str) {
        let target = match self.place {
            Place::FrontMatter => Some(&mut self.front_matter),
            Place::Cell => self.row.last_mut(),
            Place::Heading => self.sections.last_mut().map(|section| &mut section.heading),
            Place::Content => self.sections.last_mut().map(|section| &mut section.content),
        };
        if let Some(target) = target {
            target.push_str(text);
        }
    }
}

fn depth(level: HeadingLevel) -> usize {
    level as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "---\ntitle: T\ntags: [a]\n---\nlost\n\n# One\nText *with* `code`\nand more\n\n- x\n- y\n\n## Results\n\n| a | b |\n|---|---|\n| 1 | **2** |\n| 3 |\n\n# Two\n";

    #[test]
    fn front_matter_tables_and_sections() {
        let got = read(TEXT, None).unwrap();
        assert_eq!(got["frontMatter"], json!({"title": "T", "tags": ["a"]}));
        assert_eq!(got["tables"], json!([[{"a": "1", "b": "2"}, {"a": "3", "b": ""}]]));
        assert_eq!(
            got["sections"],
            json!([
                {"heading": "One", "level": 1, "content": "Text with code\nand more\n\n- x\n- y"},
                {"heading": "Results", "level": 2, "content": ""},
                {"heading": "Two", "level": 1, "content": ""},
            ])
        );
        assert_eq!(read("", None).unwrap(), json!({"frontMatter": {}, "tables": [], "sections": []}));
    }

    #[test]
    fn sections_can_be_chosen_by_their_heading() {
        for (heading, expected) in [("## Res", 1), ("Results", 1), ("# ", 3), ("# Results", 0), ("#", 3), ("One", 1)] {
            let got = read(TEXT, Some(heading)).unwrap();
            let found = got["sections"].as_array().unwrap().len();
            assert_eq!(found, expected, "{heading}");
        }
    }

    #[test]
    fn front_matter_that_is_no_yaml_is_said() {
        assert!(read("---\na: [\n---\n", None).unwrap_err().starts_with("Markdown whose front matter is not YAML"));
    }
}
