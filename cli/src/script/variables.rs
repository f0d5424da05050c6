//! `${name}` in a script: replaced in code and in quotes, left alone in comments.

use sluice::error::{Place, nearest};
use sluice::{Error, ErrorCode, Result};

use crate::lexer::{Kind, pieces};

/// Puts the values in. The last of several values for a name counts. A name without a value is an error.
pub(super) fn substitute(text: &str, variables: &[(String, String)]) -> Result<String> {
    if !text.contains("${") {
        return Ok(text.to_string());
    }
    let mut result = String::with_capacity(text.len());
    for piece in pieces(text) {
        if piece.kind == Kind::Comment {
            result.push_str(piece.text);
            continue;
        }
        let mut rest = piece.text;
        while let Some(found) = rest.find("${") {
            let Some(name) = reference(&rest[found..]) else {
                result.push_str(&rest[..found + 2]);
                rest = &rest[found + 2..];
                continue;
            };
            let Some((_, value)) = variables.iter().rev().find(|(known, _)| known == name) else {
                let position = piece.start + (piece.text.len() - rest.len()) + found;
                return Err(unknown(text, position, name, variables));
            };
            result.push_str(&rest[..found]);
            result.push_str(value);
            rest = &rest[found + name.len() + 3..];
        }
        result.push_str(rest);
    }
    Ok(result)
}

/// The name in `${name}` that the text begins with. Anything else in braces is not ours: `'^a${2}'` is a pattern.
fn reference(text: &str) -> Option<&str> {
    let name = text.strip_prefix("${")?.split_once('}')?.0;
    let mut letters = name.chars();
    let starts_well = letters.next().is_some_and(|letter| letter.is_alphabetic() || letter == '_');
    (starts_well && letters.all(|letter| letter.is_alphanumeric() || matches!(letter, '_' | '-' | '.'))).then_some(name)
}

fn unknown(text: &str, position: usize, name: &str, variables: &[(String, String)]) -> Error {
    let before = &text[..position];
    let line_start = before.rfind('\n').map_or(0, |end| end + 1);
    let place = Place {
        line: before.matches('\n').count() + 1,
        column: before[line_start..].chars().count() + 1,
        length: name.chars().count() + 3,
    };
    let error = Error::new(ErrorCode::InvalidArgument, format!("variable \"{name}\" has no value")).at(place);
    match nearest(name, variables.iter().map(|(known, _)| known.as_str())) {
        Some(known) => error.label(format!("did you mean \"{known}\"?")).hint(given(variables)),
        None if variables.is_empty() => error.hint(format!("give it one with --var {name}=VALUE")),
        None => error.hint(format!("{}; give it one with --var {name}=VALUE", given(variables))),
    }
}

fn given(variables: &[(String, String)]) -> String {
    let mut names = variables.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>();
    names.sort_unstable();
    names.dedup();
    format!("variables with a value: {}", names.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn variables() -> Vec<(String, String)> {
        [("day", "2026-01-01"), ("table", "a"), ("table", "b")].map(|(name, value)| (name.into(), value.into())).into()
    }

    #[test]
    fn values_go_into_code_and_quotes() {
        let text = "copy ${table} to '/d/${day}/${day}' -- ${nothing}\n;/* ${x} */ select \"${table}\"";
        let result = substitute(text, &variables()).unwrap();
        assert_eq!(result, "copy b to '/d/2026-01-01/2026-01-01' -- ${nothing}\n;/* ${x} */ select \"b\"");
    }

    #[test]
    fn what_is_not_a_name_stays() {
        for text in ["'^a${2}'", "'${'", "'${}'", "'${a b}'", "'$day {day}'"] {
            assert_eq!(substitute(text, &variables()).unwrap(), text);
        }
    }

    #[test]
    fn a_value_is_not_searched_again() {
        let variables = [("a".to_string(), "${a}".to_string())];
        assert_eq!(substitute("${a}", &variables).unwrap(), "${a}");
    }

    #[test]
    fn a_name_without_a_value_is_shown_with_the_nearest() {
        let error = substitute("select 1;\n-- ${x}\nselect 'ä${tabl}'", &variables()).unwrap_err();
        assert_eq!(error.code(), ErrorCode::InvalidArgument);
        assert_eq!(error.message(), "variable \"tabl\" has no value");
        assert_eq!(error.place(), Some(&Place { line: 3, column: 10, length: 7 }));
        assert_eq!(error.label_text(), Some("did you mean \"table\"?"));
        assert_eq!(error.hint_text(), Some("variables with a value: day, table"));
    }

    #[test]
    fn without_variables_the_hint_says_how_to_give_one() {
        let error = substitute("${day}", &[]).unwrap_err();
        assert_eq!(error.hint_text(), Some("give it one with --var day=VALUE"));
    }
}
