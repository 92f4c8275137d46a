//! One table that is being read: cells in rows, some of them over several columns and rows.

use std::collections::BTreeMap;

use serde_json::{Map, Value as Json};

/// The most columns that a cell takes, and the most rows: the limits of HTML (WHATWG).
const MAX_SPAN: usize = 1_000;
const MAX_ROW_SPAN: usize = 65_534;

/// A table, as far as it is read.
#[derive(Default)]
pub struct Table {
    names: Option<Vec<String>>,
    rows: Vec<Json>,
    row: Option<Row>,
    /// The columns into which cells reach from above, with the rows that they still take and their text. Of a cell over several columns
    /// the first one has the text.
    spans: BTreeMap<usize, (usize, Option<String>)>,
}

#[derive(Default)]
struct Row {
    cells: BTreeMap<usize, Option<String>>,
    /// The column behind the last cell that stands in the row itself.
    next: usize,
    open: Option<Cell>,
}

struct Cell {
    text: String,
    columns: usize,
    rows: usize,
}

impl Table {
    /// Begins a row, with what reaches into it from above.
    pub fn begin_row(&mut self) {
        self.end_row();
        let mut row = Row::default();
        for (column, (left, text)) in &mut self.spans {
            row.cells.insert(*column, text.clone());
            *left -= 1;
        }
        self.spans.retain(|_, (left, _)| *left > 0);
        self.row = Some(row);
    }

    /// Begins a cell over so many columns and rows; one outside of a row begins a row.
    pub fn begin_cell(&mut self, columns: usize, rows: usize) {
        self.end_cell();
        if self.row.is_none() {
            self.begin_row();
        }
        if let Some(row) = &mut self.row {
            let (columns, rows) = (columns.min(MAX_SPAN), rows.min(MAX_ROW_SPAN));
            row.open = Some(Cell { text: String::new(), columns, rows });
        }
    }

    /// Adds text to the open cell, if there is one.
    pub fn text(&mut self, text: &str) {
        if let Some(cell) = self.row.as_mut().and_then(|row| row.open.as_mut()) {
            cell.text.push_str(text);
        }
    }

    /// Puts the open cell into the next column that is free.
    pub fn end_cell(&mut self) {
        let Some(row) = &mut self.row else { return };
        let Some(cell) = row.open.take() else { return };
        while row.cells.contains_key(&row.next) {
            row.next += 1;
        }
        let text = cell.text.split_whitespace().collect::<Vec<_>>().join(" ");
        for offset in 0..cell.columns {
            let column = row.next + offset;
            let text = (offset == 0).then(|| text.clone());
            if cell.rows > 1 {
                self.spans.insert(column, (cell.rows - 1, text.clone()));
            }
            row.cells.insert(column, text);
        }
        row.next += cell.columns;
    }

    /// Takes the row; the first one has the names. One without cells is none.
    pub fn end_row(&mut self) {
        self.end_cell();
        let Some(row) = self.row.take().filter(|row| !row.cells.is_empty()) else { return };
        match &self.names {
            None => self.names = Some(names(row.cells)),
            Some(names) => {
                let cells = row.cells.into_iter().filter_map(|(column, text)| Some((column, text?)));
                let member = |(column, text): (usize, String)| {
                    (names.get(column).cloned().unwrap_or_else(|| number(column)), Json::from(text))
                };
                self.rows.push(Json::Object(cells.map(member).collect::<Map<_, _>>()));
            }
        }
    }

    /// The rows as objects.
    pub fn into_json(mut self) -> Json {
        self.end_row();
        Json::Array(self.rows)
    }
}

/// The texts of the columns. A column without one of its own has its number.
fn names(cells: BTreeMap<usize, Option<String>>) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    for (column, text) in cells {
        // What reaches in from above is in the first row too, so no column is left out.
        let own = text.filter(|text| !text.is_empty() && !names.contains(text));
        names.push(own.unwrap_or_else(|| number(column)));
    }
    names
}

fn number(column: usize) -> String {
    (column + 1).to_string()
}
