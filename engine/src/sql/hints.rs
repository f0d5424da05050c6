//! Hints: `SELECT /*+ REPARTITION(8, k), SKEW('orders', 'id') */ …`, as Spark spells them.
//!
//! A hint is a comment, so it never makes a statement wrong for somebody else's parser, and DataFusion's does not keep it.
//! [`find`] reads the hints of a text from its tokens. Who knows a name takes it; a name that nobody knows has no effect,
//! as in Spark.

use datafusion::sql::sqlparser::dialect::GenericDialect;
use datafusion::sql::sqlparser::tokenizer::{Location, Token, TokenWithSpan, Tokenizer, Whitespace};

use crate::error::{Error, ErrorCode, Place, Result};

/// One hint of a statement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hint {
    /// The name in capitals.
    pub name: String,
    /// What stands between the parentheses, cut at its commas; none where there are no parentheses.
    pub arguments: Vec<HintArgument>,
    /// Where the name stands.
    pub place: Place,
    /// Where the `SELECT` stands that the hint follows.
    pub select: Place,
}

/// One argument of a hint, as it was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HintArgument {
    /// The text, without spaces around it.
    pub text: String,
    /// Where it stands.
    pub place: Place,
}

/// The hints of a statement, in their order. A comment that does not follow a `SELECT` is a comment.
pub fn find(sql: &str) -> Result<Vec<Hint>> {
    if !sql.contains("/*+") {
        return Ok(Vec::new());
    }
    // What cannot be tokenized is the parser's to complain of.
    let Ok(tokens) = Tokenizer::new(&GenericDialect {}, sql).tokenize_with_location() else {
        return Ok(Vec::new());
    };
    let mut hints = Vec::new();
    let mut select: Option<Location> = None;
    for token in &tokens {
        match (&token.token, select) {
            (Token::Whitespace(Whitespace::MultiLineComment(text)), Some(select)) => {
                if let Some(body) = text.strip_prefix('+') {
                    let begin = Location { line: token.span.start.line, column: token.span.start.column + 3 };
                    read(body, begin, &place(select, "SELECT".len()), &mut hints)?;
                }
            }
            (Token::Whitespace(_), _) => {}
            (Token::Word(word), _) if word.quote_style.is_none() && word.value.eq_ignore_ascii_case("select") => {
                select = Some(token.span.start);
            }
            _ => select = None,
        }
    }
    Ok(hints)
}

/// Reads `NAME(a, b), NAME …`; stops at what is not a hint.
fn read(body: &str, begin: Location, select: &Place, hints: &mut Vec<Hint>) -> Result<()> {
    let Ok(tokens) = Tokenizer::new(&GenericDialect {}, body).tokenize_with_location() else { return Ok(()) };
    let tokens: Vec<TokenWithSpan> = tokens.into_iter().filter(|token| token.token != Token::EOF).collect();
    let mut index = 0;
    while index < tokens.len() {
        let token = &tokens[index];
        index += 1;
        let name = match &token.token {
            Token::Word(word) if word.quote_style.is_none() => word.value.to_uppercase(),
            Token::Whitespace(_) | Token::Comma => continue,
            _ => break,
        };
        let length = name.chars().count();
        let mut hint = Hint {
            name,
            arguments: Vec::new(),
            place: place(moved(token.span.start, begin), length),
            select: select.clone(),
        };
        let open = (index..tokens.len()).find(|&next| !matches!(tokens[next].token, Token::Whitespace(_)));
        if let Some(open) = open.filter(|&open| tokens[open].token == Token::LParen) {
            let Some(close) = closing(&tokens, open) else {
                return Err(Error::new(ErrorCode::Syntax, format!("the hint {} does not end", hint.name))
                    .at(hint.place)
                    .hint("a parenthesis is missing: /*+ NAME(argument, …) */"));
            };
            hint.arguments = arguments(&tokens[open + 1..close], begin);
            index = close + 1;
        }
        hints.push(hint);
    }
    Ok(())
}

/// The parenthesis that closes the one at `open`.
fn closing(tokens: &[TokenWithSpan], open: usize) -> Option<usize> {
    let mut depth = 0_usize;
    for (index, token) in tokens.iter().enumerate().skip(open) {
        match token.token {
            Token::LParen | Token::LBracket | Token::LBrace => depth += 1,
            Token::RParen | Token::RBracket | Token::RBrace => {
                depth = depth.saturating_sub(1);
                if depth == 0 {
                    return Some(index);
                }
            }
            _ => {}
        }
    }
    None
}

/// The tokens between two parentheses, cut at the commas that stand in no others.
fn arguments(tokens: &[TokenWithSpan], begin: Location) -> Vec<HintArgument> {
    let mut depth = 0_usize;
    let mut parts: Vec<Vec<&TokenWithSpan>> = vec![Vec::new()];
    for token in tokens {
        match token.token {
            Token::LParen | Token::LBracket | Token::LBrace => depth += 1,
            Token::RParen | Token::RBracket | Token::RBrace => depth = depth.saturating_sub(1),
            Token::Comma if depth == 0 => {
                parts.push(Vec::new());
                continue;
            }
            _ => {}
        }
        if let Some(part) = parts.last_mut() {
            part.push(token);
        }
    }
    let argument = |part: Vec<&TokenWithSpan>| {
        let text: String = part.iter().map(|token| token.token.to_string()).collect();
        let text = text.trim().to_string();
        let first = part.iter().find(|token| !matches!(token.token, Token::Whitespace(_)))?;
        let place = place(moved(first.span.start, begin), text.chars().count().max(1));
        Some(HintArgument { text, place })
    };
    parts.into_iter().filter_map(argument).collect()
}

/// A location of a part as one of the whole, where the part begins at `begin`.
fn moved(location: Location, begin: Location) -> Location {
    match location.line {
        0 | 1 => Location { line: begin.line, column: begin.column + location.column.saturating_sub(1) },
        line => Location { line: begin.line + line - 1, column: location.column },
    }
}

fn place(location: Location, length: usize) -> Place {
    let number = |value: u64| usize::try_from(value).unwrap_or(1).max(1);
    Place { line: number(location.line), column: number(location.column), length }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Name, arguments, and the places of the name and of the SELECT.
    type Found = (String, Vec<String>, (usize, usize), (usize, usize));

    fn hints(sql: &str) -> Vec<Found> {
        let hints = find(sql).unwrap().into_iter().map(|hint| {
            let arguments = hint.arguments.into_iter().map(|argument| argument.text).collect();
            (hint.name, arguments, (hint.place.line, hint.place.column), (hint.select.line, hint.select.column))
        });
        hints.collect()
    }

    fn texts(list: &[&str]) -> Vec<String> {
        list.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn hints_have_names_arguments_and_places() {
        let sql =
            "SELECT /*+ repartition(8, t.k), REBALANCE */ a\nFROM (select\n /*+ SKEW('o,s', f(a, b),\n 1.5) */ 1)";
        let found = hints(sql);
        assert_eq!(found[0], ("REPARTITION".into(), texts(&["8", "t.k"]), (1, 12), (1, 1)));
        assert_eq!(found[1], ("REBALANCE".into(), vec![], (1, 33), (1, 1)));
        assert_eq!(found[2], ("SKEW".into(), texts(&["'o,s'", "f(a, b)", "1.5"]), (3, 6), (2, 7)));
        assert_eq!(found.len(), 3);
        let arguments = &find(sql).unwrap()[2].arguments;
        assert_eq!((arguments[1].place.line, arguments[1].place.column, arguments[1].place.length), (3, 18, 7));
        assert_eq!((arguments[2].place.line, arguments[2].place.column), (4, 2));
    }

    #[test]
    fn comments_elsewhere_are_comments() {
        for sql in ["/*+ X(1) */ SELECT 1", "SELECT 1 /*+ X(1) */", "SELECT /* X(1) */ 1", "SELECT '/*+ X */'"] {
            assert_eq!(hints(sql), vec![], "{sql}");
        }
    }

    #[test]
    fn a_hint_without_an_end_is_refused_at_its_place() {
        let error = find("SELECT /*+ SKEW('t' */ 1").unwrap_err();
        assert_eq!(error.code(), ErrorCode::Syntax);
        assert_eq!(error.place().map(|place| (place.line, place.column, place.length)), Some((1, 12, 4)));
    }
}
