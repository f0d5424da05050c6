//! The picture of an error for a terminal: head, place, the line with a caret under the words, and the hint.

use super::{Error, Place};

/// The widest part of a source line that is shown, in characters.
const LINE_LIMIT: usize = 120;

/// Columns that a tab is shown as.
const TAB_WIDTH: usize = 4;

impl Error {
    /// The error as people see it, without a line break at the end. `source` is the statement's text, which the error's
    /// place counts in; `first_line` is the line of `file` in which the statement begins, from 1.
    ///
    /// ```text
    /// error[S0102]: column "custmer_id" not found
    ///   --> job.sql:3:8
    ///    |  SELECT custmer_id, sum(price)
    ///    |         ^^^^^^^^^^ did you mean "customer_id"?
    ///    = hint: columns of `orders`: order_id, customer_id, price, ts
    /// ```
    pub fn render(&self, file: Option<&str>, source: &str, first_line: usize) -> String {
        let mut picture = format!("error[{}]: {}\n", self.code().as_str(), self.message());
        let mut label = self.label_text();
        if let Some(place) = self.place() {
            let line_number = first_line.max(1) + place.line.max(1) - 1;
            picture.push_str(&match file {
                Some(file) => format!("  --> {file}:{line_number}:{}\n", place.column),
                None => format!("  --> line {line_number}, column {}\n", place.column),
            });
            if let Some(line) = source.lines().nth(place.line.max(1) - 1) {
                picture.push_str(&underlined(line, place, label.take()));
            }
        }
        // What has no caret to stand beside is still worth saying.
        for hint in label.into_iter().chain(self.hint_text()) {
            picture.push_str(&format!("   = hint: {hint}\n"));
        }
        picture.truncate(picture.trim_end().len());
        picture
    }
}

/// The line and, below it, the carets with their label.
fn underlined(line: &str, place: &Place, label: Option<&str>) -> String {
    let characters: Vec<char> = line.chars().collect();
    let start = (place.column.max(1) - 1).min(characters.len());
    let end = start.saturating_add(place.length.max(1)).min(characters.len());
    // A long line is cut to what is around the place.
    let (from, to) = if characters.len() <= LINE_LIMIT {
        (0, characters.len())
    } else {
        let from = start.saturating_sub(LINE_LIMIT / 3).min(characters.len() - LINE_LIMIT);
        (from, from + LINE_LIMIT)
    };
    let end = end.min(to);
    let width = |part: &[char]| part.iter().map(|character| columns(*character)).sum::<usize>();
    let (head, tail) = (if from > 0 { "…" } else { "" }, if to < characters.len() { "…" } else { "" });
    let shown: String = characters[from..to].iter().map(|character| shown(*character)).collect();
    let indent = head.chars().count() + width(&characters[from..start]);
    // The place after the last word, where something is missing, has nothing above it.
    let carets = width(&characters[start..end]).max(1);
    let label = label.map(|label| format!(" {label}")).unwrap_or_default();
    format!("   |  {head}{shown}{tail}\n   |  {}{}{label}\n", " ".repeat(indent), "^".repeat(carets))
}

fn shown(character: char) -> String {
    match character {
        '\t' => " ".repeat(TAB_WIDTH),
        control if control.is_control() => " ".to_string(),
        other => other.to_string(),
    }
}

/// How many columns a terminal gives a character: two for East Asian wide characters and emoji, none for marks that
/// combine with the one before (Unicode Standard Annex 11, by its larger blocks).
fn columns(character: char) -> usize {
    match u32::from(character) {
        0x09 => TAB_WIDTH,
        0x0300..=0x036F | 0x1AB0..=0x1AFF | 0x200B..=0x200F | 0x20D0..=0x20FF | 0xFE00..=0xFE0F | 0xFE20..=0xFE2F => 0,
        0x1100..=0x115F
        | 0x2E80..=0x303E
        | 0x3041..=0xA4CF
        | 0xA960..=0xA97F
        | 0xAC00..=0xD7A3
        | 0xF900..=0xFAFF
        | 0xFE30..=0xFE6F
        | 0xFF00..=0xFF60
        | 0xFFE0..=0xFFE6
        | 0x1F300..=0x1F64F
        | 0x1F680..=0x1F6FF
        | 0x1F900..=0x1F9FF
        | 0x20000..=0x3FFFD => 2,
        _ => 1,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::ErrorCode;

    fn column_error(line: usize, column: usize, length: usize) -> Error {
        Error::new(ErrorCode::ColumnNotFound, "column \"custmer_id\" not found").at(Place { line, column, length })
    }

    /// The lines from the `-->` on.
    fn lines(picture: &str) -> Vec<&str> {
        picture.lines().skip(1).collect()
    }

    #[test]
    fn picture_is_the_documented_one() {
        let error = column_error(1, 8, 10)
            .label("did you mean \"customer_id\"?")
            .hint("columns of `orders`: order_id, customer_id, price, ts");
        let expected = "\
error[S0102]: column \"custmer_id\" not found
  --> job.sql:3:8
   |  SELECT custmer_id, sum(price)
   |         ^^^^^^^^^^ did you mean \"customer_id\"?
   = hint: columns of `orders`: order_id, customer_id, price, ts";
        assert_eq!(error.render(Some("job.sql"), "SELECT custmer_id, sum(price)\nFROM orders", 3), expected);
    }

    #[test]
    fn without_a_place_only_head_and_hint_remain() {
        let error = Error::new(ErrorCode::Cancelled, "the job was killed").hint("run it again");
        assert_eq!(
            error.render(Some("job.sql"), "SELECT 1", 1),
            "error[S0303]: the job was killed\n   = hint: run it again"
        );
    }

    #[test]
    fn later_lines_count_from_the_statement() {
        let picture = column_error(2, 3, 2).render(None, "SELECT\n  xy\nFROM t", 10);
        assert_eq!(lines(&picture), ["  --> line 11, column 3", "   |    xy", "   |    ^^"]);
    }

    #[test]
    fn tabs_and_wide_characters_keep_the_caret_below() {
        let picture = column_error(1, 2, 1).render(Some("f"), "\tx", 1);
        assert_eq!(lines(&picture)[1..], ["   |      x", "   |      ^"]);
        let picture = column_error(1, 6, 2).render(Some("f"), "'日本' xy", 1);
        assert_eq!(lines(&picture)[2], "   |         ^^");
        let picture = column_error(1, 3, 1).render(Some("f"), "e\u{301}x", 1);
        assert_eq!(lines(&picture)[2], "   |   ^");
    }

    #[test]
    fn place_at_or_beyond_the_end_is_shown_as_well_as_it_can_be() {
        let picture = column_error(1, 9, 1).render(Some("f"), "SELECT 1", 1);
        assert_eq!(lines(&picture)[1..], ["   |  SELECT 1", "   |          ^"]);
        let picture = column_error(1, 8, 50).render(Some("f"), "SELECT 1", 1);
        assert_eq!(lines(&picture)[2], "   |         ^");
        let picture = column_error(7, 1, 1).label("here").render(Some("f"), "SELECT 1", 1);
        assert_eq!(lines(&picture), ["  --> f:7:1", "   = hint: here"]);
    }

    #[test]
    fn long_lines_are_cut_around_the_place() {
        let source = format!("SELECT {}custmer_id{}", "a, ".repeat(200), ", b".repeat(200));
        let picture = column_error(1, 608, 10).render(Some("f"), &source, 1);
        let line = lines(&picture)[1];
        let carets = lines(&picture)[2];
        assert!(line.chars().count() < 135, "{line}");
        let at = carets.find('^').unwrap();
        let above: String = line.chars().skip(at).take(10).collect();
        assert_eq!(above, "custmer_id");
        assert!(carets.ends_with("^^^^^^^^^^"));
    }
}
