//! The picture that a person sees: the line, a caret under the place, and one hint.

use std::fmt::Write;

use super::{Error, Place};

impl Error {
    /// The error as text for a terminal. `source` is the statement's text, and `first_line` the line of its file that
    /// it begins in, from 1.
    pub fn render(&self, file: Option<&str>, source: &str, first_line: usize) -> String {
        let mut text = format!("error[{}]: {}", self.code().as_str(), self.message());
        if let Some(place) = self.place() {
            picture(&mut text, place, self.label_text(), file.unwrap_or("statement"), source, first_line);
        } else if let Some(file) = file {
            // Writing to a string cannot fail.
            let _ = write!(text, "\n  --> {file}:{first_line}");
        }
        if let Some(hint) = self.hint_text() {
            let _ = write!(text, "\n   = hint: {hint}");
        }
        text
    }
}

fn picture(text: &mut String, place: &Place, label: Option<&str>, file: &str, source: &str, first_line: usize) {
    let line = source.lines().nth(place.line.saturating_sub(1)).unwrap_or_default();
    let before: String = line.chars().take(place.column.saturating_sub(1)).collect();
    let under: String = line.chars().skip(place.column.saturating_sub(1)).take(place.length).collect();
    let carets = width(&under).max(1);
    let _ = write!(
        text,
        "\n  --> {file}:{}:{}\n   |  {}\n   |  {}{}",
        first_line + place.line.saturating_sub(1),
        place.column,
        line.replace('\t', " "),
        " ".repeat(width(&before)),
        "^".repeat(carets),
    );
    if let Some(label) = label {
        let _ = write!(text, " {label}");
    }
}

/// Columns on a terminal: Chinese, Japanese and Korean characters take two.
fn width(text: &str) -> usize {
    text.chars().map(|character| if is_wide(character) { 2 } else { 1 }).sum()
}

fn is_wide(character: char) -> bool {
    matches!(u32::from(character),
        0x1100..=0x115F | 0x2E80..=0x303E | 0x3041..=0xA4CF | 0xAC00..=0xD7A3 | 0xF900..=0xFAFF
        | 0xFE30..=0xFE6F | 0xFF00..=0xFF60 | 0xFFE0..=0xFFE6 | 0x1F300..=0x1FAFF | 0x20000..=0x3FFFD)
}

#[cfg(test)]
mod tests {
    use super::super::{Error, ErrorCode, Place};

    #[test]
    fn the_picture_is_the_one_of_the_manual() {
        let error = Error::new(ErrorCode::ColumnNotFound, "column \"custmer_id\" not found")
            .at(Place { line: 1, column: 8, length: 10 })
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
    fn the_caret_stands_under_its_word_after_wide_characters_and_tabs() {
        let error = Error::new(ErrorCode::Syntax, "x").at(Place { line: 1, column: 5, length: 1 });
        let picture = error.render(None, "\t漢字 x", 1);
        let lines: Vec<&str> = picture.lines().collect();
        assert_eq!(lines[3], format!("   |  {}^", " ".repeat(6)));
    }
}
