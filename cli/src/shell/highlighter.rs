//! Colours for keywords, quoted text, numbers and comments.

use reedline::{Color, Highlighter, StyledText};

use super::completer::is_keyword;
use super::meta;
use crate::lexer::{Kind, pieces};

pub(super) struct SqlHighlighter;

impl Highlighter for SqlHighlighter {
    fn highlight(&self, line: &str, _cursor: usize) -> StyledText {
        let mut styled = StyledText::new();
        if meta::is_meta(line) {
            styled.push((Color::Magenta.normal(), line.to_string()));
            return styled;
        }
        for piece in pieces(line) {
            match piece.kind {
                Kind::Code => words(piece.text, &mut styled),
                Kind::Text => styled.push((Color::Green.normal(), piece.text.to_string())),
                Kind::Name => styled.push((Color::Cyan.normal(), piece.text.to_string())),
                Kind::Comment => styled.push((Color::DarkGray.normal(), piece.text.to_string())),
            }
        }
        styled
    }
}

fn words(code: &str, styled: &mut StyledText) {
    let mut rest = code;
    while let Some(first) = rest.chars().next() {
        let in_word = |letter: char| letter.is_alphanumeric() || letter == '_';
        let is_word = in_word(first);
        let end = rest.find(|letter: char| in_word(letter) != is_word).unwrap_or(rest.len());
        let (word, after) = rest.split_at(end);
        let style = match is_word {
            true if first.is_ascii_digit() => Color::Yellow.normal(),
            true if is_keyword(word) => Color::Blue.bold(),
            _ => Color::Default.normal(),
        };
        styled.push((style, word.to_string()));
        rest = after;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colours_change_no_letter() {
        for line in ["select 'a' as \"b\", 12.5 from t -- grün\n;", "\\d t", "", "ä1 €"] {
            let styled = SqlHighlighter.highlight(line, 0);
            assert_eq!(styled.buffer.into_iter().map(|(_, text)| text).collect::<String>(), line);
        }
    }

    #[test]
    fn a_keyword_and_a_name_look_different() {
        let styles = SqlHighlighter.highlight("select t", 0).buffer;
        assert_eq!(styles[0], (Color::Blue.bold(), "select".to_string()));
        assert_eq!(styles[2], (Color::Default.normal(), "t".to_string()));
    }
}
