//! Cuts SQL text into code, quoted parts and comments, and no finer.
//!
//! That much is needed before a statement is complete enough to be parsed: to put values into `${name}`, to know
//! whether a prompt's line ends a statement, and to colour it.

/// What a piece of the text is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Code,
    /// `'…'` or `$tag$…$tag$`, with the quotes.
    Text,
    /// `"…"` or `` `…` ``, with the quotes.
    Name,
    /// `-- …` with its line end, or `/* … */`, which may nest.
    Comment,
}

/// A piece of the text. The pieces in their order make up the whole text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Piece<'a> {
    pub(crate) kind: Kind,
    pub(crate) text: &'a str,
    /// Where it begins, in bytes of the whole text.
    pub(crate) start: usize,
    /// Whether its end was found. A comment of one line and code always end.
    pub(crate) closed: bool,
}

/// The pieces of `text`.
pub(crate) fn pieces(text: &str) -> Vec<Piece<'_>> {
    let mut pieces = Vec::new();
    let mut start = 0;
    let mut position = 0;
    while position < text.len() {
        let Some((kind, length, closed)) = quoted_or_comment(text, position) else {
            position += text[position..].chars().next().map_or(1, char::len_utf8);
            continue;
        };
        if start < position {
            pieces.push(Piece { kind: Kind::Code, text: &text[start..position], start, closed: true });
        }
        pieces.push(Piece { kind, text: &text[position..position + length], start: position, closed });
        position += length;
        start = position;
    }
    if start < text.len() {
        pieces.push(Piece { kind: Kind::Code, text: &text[start..], start, closed: true });
    }
    pieces
}

/// Whether the text ends with a whole statement: a `;` with nothing but space and comments behind it.
pub(crate) fn ends_statement(text: &str) -> bool {
    let pieces = pieces(text);
    if pieces.iter().any(|piece| !piece.closed) {
        return false;
    }
    let code = pieces.iter().rev().filter(|piece| piece.kind != Kind::Comment);
    let last = code.map(|piece| piece.text.trim_end()).find(|text| !text.is_empty());
    last.is_none_or(|text| text.ends_with(';'))
}

/// The kind and length in bytes of the quoted part or comment that begins at `position`, and whether it ends.
fn quoted_or_comment(text: &str, position: usize) -> Option<(Kind, usize, bool)> {
    let rest = &text[position..];
    match rest.as_bytes().first()? {
        b'\'' => {
            let (length, closed) = quoted(rest, '\'', has_escapes(&text[..position]));
            Some((Kind::Text, length, closed))
        }
        quote @ (b'"' | b'`') => {
            let (length, closed) = quoted(rest, char::from(*quote), false);
            Some((Kind::Name, length, closed))
        }
        b'-' if rest.starts_with("--") => {
            Some((Kind::Comment, rest.find('\n').map_or(rest.len(), |end| end + 1), true))
        }
        b'/' if rest.starts_with("/*") => {
            let (length, closed) = block_comment(rest);
            Some((Kind::Comment, length, closed))
        }
        b'$' if !ends_with_word(&text[..position]) => {
            let tag_length = 2 + rest[1..].find(|letter: char| !letter.is_alphanumeric() && letter != '_')?;
            let tag = rest.get(..tag_length).filter(|tag| tag.ends_with('$'))?;
            match rest[tag_length..].find(tag) {
                Some(end) => Some((Kind::Text, tag_length + end + tag_length, true)),
                None => Some((Kind::Text, rest.len(), false)),
            }
        }
        _ => None,
    }
}

fn ends_with_word(text: &str) -> bool {
    text.chars().next_back().is_some_and(|letter| letter.is_alphanumeric() || letter == '_')
}

/// Whether a string after this text is of the form `E'…'`, in which a backslash escapes.
fn has_escapes(before: &str) -> bool {
    before.strip_suffix(['e', 'E']).is_some_and(|before| !ends_with_word(before))
}

/// Length of the quoted part that `text` begins with. A quote within it is doubled.
fn quoted(text: &str, quote: char, backslash_escapes: bool) -> (usize, bool) {
    let mut letters = text.char_indices().skip(1).peekable();
    while let Some((position, letter)) = letters.next() {
        if letter == '\\' && backslash_escapes {
            letters.next();
        } else if letter == quote && letters.next_if(|(_, next)| *next == quote).is_none() {
            return (position + quote.len_utf8(), true);
        }
    }
    (text.len(), false)
}

/// Length of the comment that `text` begins with. Comments nest.
fn block_comment(text: &str) -> (usize, bool) {
    let mut depth = 0;
    let mut position = 0;
    while let Some(found) = text[position..].find(['/', '*']) {
        position += found;
        if text[position..].starts_with("/*") {
            depth += 1;
            position += 2;
        } else if text[position..].starts_with("*/") {
            depth -= 1;
            position += 2;
            if depth == 0 {
                return (position, true);
            }
        } else {
            position += 1;
        }
    }
    (text.len(), false)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kinds(text: &str) -> Vec<(Kind, &str)> {
        let pieces = pieces(text);
        assert_eq!(pieces.iter().map(|piece| piece.text).collect::<String>(), text);
        assert!(pieces.iter().all(|piece| text[piece.start..].starts_with(piece.text)));
        pieces.iter().map(|piece| (piece.kind, piece.text)).collect()
    }

    #[test]
    fn quotes_and_comments_are_told_from_code() {
        assert_eq!(
            kinds("a 'it''s' -- c;\n\"n\"\"m\" /* x /* y */ z */;"),
            [
                (Kind::Code, "a "),
                (Kind::Text, "'it''s'"),
                (Kind::Code, " "),
                (Kind::Comment, "-- c;\n"),
                (Kind::Name, "\"n\"\"m\""),
                (Kind::Code, " "),
                (Kind::Comment, "/* x /* y */ z */"),
                (Kind::Code, ";"),
            ]
        );
    }

    #[test]
    fn a_backslash_escapes_only_behind_e() {
        assert_eq!(kinds(r"E'it\'s'"), [(Kind::Code, "E"), (Kind::Text, r"'it\'s'")]);
        assert_eq!(kinds(r"'a\'"), [(Kind::Text, r"'a\'")]);
        assert_eq!(kinds(r"tie'a\'"), [(Kind::Code, "tie"), (Kind::Text, r"'a\'")]);
    }

    #[test]
    fn dollar_quotes_are_text_and_parameters_are_not() {
        assert_eq!(kinds("$$a;'b$$;"), [(Kind::Text, "$$a;'b$$"), (Kind::Code, ";")]);
        assert_eq!(kinds("$q$a$$b$q$"), [(Kind::Text, "$q$a$$b$q$")]);
        assert_eq!(kinds("$1 + ${x}"), [(Kind::Code, "$1 + ${x}")]);
        assert_eq!(kinds("grün $"), [(Kind::Code, "grün $")]);
    }

    #[test]
    fn a_statement_ends_with_a_semicolon_in_code() {
        for complete in ["select 1;", "select 1; -- done", "select ';';", "", "-- only words", "a; /* b */ \n"] {
            assert!(ends_statement(complete), "{complete}");
        }
        for incomplete in ["select 1", "select ';", "select 1; select", "/* ;", "select \"a;", "a -- ;", "$$;"] {
            assert!(!ends_statement(incomplete), "{incomplete}");
        }
    }
}
