//! Named arguments of Sluice's functions: `hash_bucket(x, 100, seed => 7)`.
//!
//! DataFusion puts named arguments in order but lets no parameter between two given ones be left out. Those get NULL
//! here, which Sluice's functions take for the parameter's default. This works on the text, because a walk over the
//! syntax tree takes minutes to compile.

use datafusion::sql::sqlparser::dialect::GenericDialect;
use datafusion::sql::sqlparser::tokenizer::{Token, TokenWithSpan, Tokenizer};

use super::LineOffsets;

/// The statement with a NULL for each parameter that lies between given ones; `None` where there is none.
pub(super) fn complete_named_arguments(sql: &str) -> Option<String> {
    if !sql.contains("=>") {
        return None;
    }
    // What cannot be tokenized is the parser's to complain of.
    let tokens = Tokenizer::new(&GenericDialect {}, sql).tokenize_with_location().ok()?;
    let tokens: Vec<TokenWithSpan> =
        tokens.into_iter().filter(|token| !matches!(token.token, Token::Whitespace(_) | Token::EOF)).collect();
    let offsets = LineOffsets::of(sql);
    let mut insertions: Vec<(usize, String)> = Vec::new();
    for open in 1..tokens.len() {
        let Some(parameters) = function_at(&tokens, open) else { continue };
        let (missing, last) = missing(&tokens, open, parameters);
        if !missing.is_empty() {
            let text = missing.iter().map(|name| format!(", {name} => NULL")).collect();
            insertions.push((offsets.byte(sql, tokens[last].span.end), text));
        }
    }
    if insertions.is_empty() {
        return None;
    }
    insertions.sort_by_key(|(at, _)| *at);
    let mut completed = String::with_capacity(sql.len() + insertions.len() * 32);
    let mut from = 0;
    for (at, text) in insertions {
        completed.push_str(&sql[from..at]);
        completed.push_str(&text);
        from = at;
    }
    completed.push_str(&sql[from..]);
    Some(completed)
}

/// The parameters of the function of Sluice's whose arguments the parenthesis at `open` begins.
fn function_at(tokens: &[TokenWithSpan], open: usize) -> Option<&'static [String]> {
    if tokens[open].token != Token::LParen {
        return None;
    }
    let Token::Word(word) = &tokens[open - 1].token else { return None };
    let is_qualified = open > 1 && tokens[open - 2].token == Token::Period;
    match (is_qualified, word.quote_style) {
        (true, _) => None,
        (false, Some(_)) => sluice_udf::parameter_names(&word.value),
        (false, None) => sluice_udf::parameter_names(&word.value.to_lowercase()),
    }
}

/// The parameters that a call leaves out before the last that it names, and the last token of its arguments.
fn missing<'a>(tokens: &[TokenWithSpan], open: usize, parameters: &'a [String]) -> (Vec<&'a str>, usize) {
    let mut named: Vec<usize> = Vec::new();
    let mut positional = 0;
    let mut depth = 0_usize;
    let mut begins = true;
    let mut last = open;
    for index in open + 1..tokens.len() {
        match &tokens[index].token {
            Token::RParen if depth == 0 => break,
            Token::LParen | Token::LBracket | Token::LBrace => depth += 1,
            Token::RParen | Token::RBracket | Token::RBrace => depth = depth.saturating_sub(1),
            Token::Comma if depth == 0 => {
                begins = true;
                last = index;
                continue;
            }
            Token::Word(word) if depth == 0 && begins_ordering(tokens, index, &word.value) => break,
            _ => {}
        }
        if begins {
            begins = false;
            match name_at(tokens, index)
                .map(|name| parameters.iter().position(|known| known.eq_ignore_ascii_case(name)))
            {
                Some(Some(position)) => named.push(position),
                // A name that there is not is DataFusion's to complain of.
                Some(None) => return (Vec::new(), index),
                None => positional += 1,
            }
        }
        last = index;
    }
    let end = named.iter().max().copied().unwrap_or(0);
    let left_out = (positional..end).filter(|position| !named.contains(position));
    (left_out.map(|position| parameters[position].as_str()).collect(), last)
}

fn name_at(tokens: &[TokenWithSpan], index: usize) -> Option<&str> {
    match (&tokens[index].token, tokens.get(index + 1).map(|next| &next.token)) {
        (Token::Word(word), Some(Token::RArrow)) => Some(&word.value),
        _ => None,
    }
}

/// Whether the ORDER BY of an aggregate's arguments begins here.
fn begins_ordering(tokens: &[TokenWithSpan], index: usize, word: &str) -> bool {
    let next_is_by =
        |next: &TokenWithSpan| matches!(&next.token, Token::Word(next) if next.value.eq_ignore_ascii_case("by"));
    word.eq_ignore_ascii_case("order") && tokens.get(index + 1).is_some_and(next_is_by)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn completed(sql: &str) -> String {
        complete_named_arguments(sql).unwrap_or_else(|| "as it is".to_string())
    }

    #[test]
    fn parameters_between_given_ones_are_null() {
        let sql = "SELECT Bucketize(a, closed => 'right') FROM t";
        assert_eq!(completed(sql), "SELECT Bucketize(a, closed => 'right', edges => NULL) FROM t");
        let sql = "SELECT bucketize(closed => f(1, b => ')'), x => é)\nFROM t";
        assert_eq!(completed(sql), "SELECT bucketize(closed => f(1, b => ')'), x => é, edges => NULL)\nFROM t");
        let sql = "SELECT bucketize(bucketize(1, closed => 'left'), closed => 'left')";
        assert_eq!(
            completed(sql),
            "SELECT bucketize(bucketize(1, closed => 'left', edges => NULL), closed => 'left', edges => NULL)"
        );
        let sql = "SELECT bucketize(a, closed => 'left' ORDER BY b)";
        assert_eq!(completed(sql), "SELECT bucketize(a, closed => 'left', edges => NULL ORDER BY b)");
    }

    #[test]
    fn calls_without_gaps_and_functions_of_others_are_left_alone() {
        for sql in [
            "SELECT bucketize(a, [1, 2], closed => 'left')",
            "SELECT bucketize(a, edges => [1, 2])",
            "SELECT bucketize(a, edgs => [1])",
            "SELECT s.bucketize(a, closed => 'left')",
            "SELECT other(a, c => 1)",
            "SELECT 'bucketize(a, closed => 1)'",
            "SELECT bucketize(a, closed => 'left",
            "SELECT bucketize(",
        ] {
            assert_eq!(completed(sql), "as it is", "{sql}");
        }
    }
}
