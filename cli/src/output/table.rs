//! An aligned table. Its columns are as wide as their widest value, so that it has to wait for the last row; it keeps
//! a bounded number of rows and counts the others.

use std::borrow::Cow;

use arrow::array::RecordBatch;
use arrow::datatypes::{DataType, SchemaRef};
use arrow::error::ArrowError;
use arrow::util::display::{ArrayFormatter, FormatOptions};
use comfy_table::{Cell, CellAlignment, ContentArrangement, Table};

use super::{Encoder, Sink, Summary};

/// Rows that a table shows.
pub(super) const MAX_ROWS: usize = 10_000;
/// The frame that DataFusion's users know.
const FRAME: &str = "||--+-++|    ++++++";

pub(super) struct TableEncoder<'a> {
    sink: &'a mut Sink,
    table: Table,
    kept: usize,
    summary: Summary,
}

impl<'a> TableEncoder<'a> {
    pub(super) fn new(sink: &'a mut Sink, schema: &SchemaRef) -> Self {
        let mut table = Table::new();
        table.load_preset(FRAME).set_content_arrangement(ContentArrangement::Disabled).force_no_tty();
        table.set_header(schema.fields().iter().map(|field| Cell::new(printable(field.name()))));
        for (column, field) in table.column_iter_mut().zip(schema.fields()) {
            if is_number(field.data_type()) {
                column.set_cell_alignment(CellAlignment::Right);
            }
        }
        Self { sink, table, kept: 0, summary: Summary::default() }
    }
}

impl Encoder for TableEncoder<'_> {
    fn write(&mut self, batch: &RecordBatch) -> Result<(), ArrowError> {
        let kept = batch.num_rows().min(MAX_ROWS - self.kept);
        self.summary.rows += batch.num_rows() as u64;
        self.summary.rows_left_out += (batch.num_rows() - kept) as u64;
        if kept == 0 {
            return Ok(());
        }
        self.kept += kept;
        let options = FormatOptions::default().with_null("NULL").with_display_error(true);
        let columns = batch.columns().iter().map(|column| ArrayFormatter::try_new(column.as_ref(), &options));
        let columns = columns.collect::<Result<Vec<_>, _>>()?;
        for row in 0..kept {
            self.table.add_row(columns.iter().map(|column| Cell::new(printable(&column.value(row).to_string()))));
        }
        Ok(())
    }

    fn finish(self: Box<Self>) -> Result<Summary, ArrowError> {
        for line in self.table.lines() {
            writeln!(self.sink, "{line}")?;
        }
        Ok(self.summary)
    }
}

fn is_number(data_type: &DataType) -> bool {
    match data_type {
        DataType::Dictionary(_, values) => values.is_numeric(),
        other => other.is_numeric(),
    }
}

/// The text without characters that would move a terminal's cursor or change its state. Line ends stay: a cell may
/// have several lines.
fn printable(text: &str) -> Cow<'_, str> {
    let breaks = |letter: char| letter.is_control() && letter != '\n';
    if !text.contains(breaks) {
        return Cow::Borrowed(text);
    }
    let spell = |letter: char| if breaks(letter) { letter.escape_default().to_string() } else { letter.to_string() };
    Cow::Owned(text.chars().map(spell).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_characters_are_spelled_out() {
        assert_eq!(printable("a\tb\u{1b}[2Jc\nd"), "a\\tb\\u{1b}[2Jc\nd");
        assert_eq!(printable("grün"), "grün");
    }
}
