//! Whether two results hold the same multiset of rows.
//!
//! Columns are matched by position. Exact columns (whole numbers, decimals, dates, texts) must be equal; they order the
//! rows and cut them into groups. A column that either engine computed in floating point is compared within
//! [`RELATIVE_TOLERANCE`], and never orders across groups, so that rounding noise cannot pair the wrong rows.
//! Within a group each row looks for a partner of its own.

use std::cmp::Ordering;

use crate::rows::{ColumnKind, RowSet, Value};

/// How far two floating point numbers may be apart, relative to the larger one.
const RELATIVE_TOLERANCE: f64 = 1e-9;
/// The same for a decimal against floating point: a quotient of decimals is cut after some digits, and what is computed
/// from it afterwards, such as a percentage or a sum, is off by more than a unit in its own last place.
const RELATIVE_TOLERANCE_OF_DECIMALS: f64 = 1e-5;
/// Characters of a row that a message shows.
const MESSAGE_ROW_LENGTH: usize = 400;

type Row = Vec<Value>;

/// Rule for one column.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Rule {
    Exact,
    /// Floating point against floating point or a number. `absolute` is one unit in the last place of the decimal on
    /// the other side: an average that one engine keeps to six digits is right there, but not to nine digits.
    Approximate {
        relative: f64,
        absolute: f64,
    },
}

/// What the first difference between two results is, in one sentence; nothing if they are equal.
pub(crate) fn difference(got: &RowSet, expected: &RowSet) -> Option<String> {
    if got.columns.len() != expected.columns.len() {
        return Some(format!("{} columns, expected {}", got.columns.len(), expected.columns.len()));
    }
    let rules: Vec<Rule> = got.columns.iter().zip(&expected.columns).map(|(left, right)| rule(*left, *right)).collect();
    let (got_rows, expected_rows) = (sorted(&got.rows, &rules), sorted(&expected.rows, &rules));
    let sentence = first_difference(&got_rows, &expected_rows, &rules)?;
    Some(match (got_rows.len(), expected_rows.len()) {
        (left, right) if left == right => sentence,
        (left, right) => format!("{left} rows, expected {right}; {sentence}"),
    })
}

fn rule(left: ColumnKind, right: ColumnKind) -> Rule {
    use ColumnKind::{Exact, Float};
    match (left, right) {
        (Float, Float) => Rule::Approximate { relative: RELATIVE_TOLERANCE, absolute: 0.0 },
        // A whole number has no digits to lose: an engine that sums integers in floating point must still hit it.
        (Float, Exact { scale }) | (Exact { scale }, Float) if scale > 0 => {
            Rule::Approximate { relative: RELATIVE_TOLERANCE_OF_DECIMALS, absolute: 10f64.powi(-i32::from(scale)) }
        }
        (Float, Exact { .. }) | (Exact { .. }, Float) => {
            Rule::Approximate { relative: RELATIVE_TOLERANCE, absolute: 0.0 }
        }
        _ => Rule::Exact,
    }
}

fn sorted<'a>(rows: &'a [Row], rules: &[Rule]) -> Vec<&'a Row> {
    let mut sorted: Vec<&Row> = rows.iter().collect();
    sorted.sort_by(|left, right| {
        order_exact(left, right, rules).then_with(|| {
            let approximate = rules.iter().zip(left.iter().zip(right.iter())).filter(|(rule, _)| **rule != Rule::Exact);
            approximate.fold(Ordering::Equal, |order, (_, (left, right))| order.then_with(|| order_float(left, right)))
        })
    });
    sorted
}

fn order_exact(left: &Row, right: &Row, rules: &[Rule]) -> Ordering {
    let exact = rules.iter().zip(left.iter().zip(right)).filter(|(rule, _)| **rule == Rule::Exact);
    exact.fold(Ordering::Equal, |order, (_, (left, right))| order.then_with(|| left.order(right)))
}

fn order_float(left: &Value, right: &Value) -> Ordering {
    match (left.as_f64(), right.as_f64()) {
        (Some(left), Some(right)) => left.total_cmp(&right),
        (left, right) => left.is_some().cmp(&right.is_some()),
    }
}

fn first_difference(got: &[&Row], expected: &[&Row], rules: &[Rule]) -> Option<String> {
    let (mut i, mut j) = (0, 0);
    loop {
        match (got.get(i), expected.get(j)) {
            (None, None) => return None,
            (Some(row), None) => return Some(unexpected(row)),
            (None, Some(row)) => return Some(missing(row)),
            (Some(left), Some(right)) => match order_exact(left, right, rules) {
                Ordering::Less => return Some(unexpected(left)),
                Ordering::Greater => return Some(missing(right)),
                Ordering::Equal => {
                    let left_length = group_length(&got[i..], rules);
                    let right_length = group_length(&expected[j..], rules);
                    let sentence = unmatched(&got[i..i + left_length], &expected[j..j + right_length], rules);
                    if sentence.is_some() {
                        return sentence;
                    }
                    (i, j) = (i + left_length, j + right_length);
                }
            },
        }
    }
}

/// How many rows at the front have the same exact columns.
fn group_length(rows: &[&Row], rules: &[Rule]) -> usize {
    rows.iter().take_while(|row| order_exact(row, rows[0], rules) == Ordering::Equal).count()
}

/// Gives each row of one group a partner in the other; the first row without one becomes the message.
fn unmatched(got: &[&Row], expected: &[&Row], rules: &[Rule]) -> Option<String> {
    let mut used = vec![false; expected.len()];
    let mut first_unused = 0;
    for row in got {
        while used.get(first_unused) == Some(&true) {
            first_unused += 1;
        }
        let partner = (first_unused..expected.len()).find(|&at| !used[at] && matches(row, expected[at], rules));
        match (partner, expected.get(first_unused)) {
            (Some(at), _) => used[at] = true,
            (None, Some(other)) => return Some(format!("got {}, expected {}", shown(row), shown(other))),
            (None, None) => return Some(unexpected(row)),
        }
    }
    used.iter().position(|used| !used).map(|at| missing(expected[at]))
}

fn matches(left: &Row, right: &Row, rules: &[Rule]) -> bool {
    rules.iter().zip(left.iter().zip(right)).all(|(rule, (left, right))| match (rule, left, right) {
        (Rule::Exact, left, right) => left.order(right) == Ordering::Equal,
        (Rule::Approximate { relative, absolute }, left, right) => match (left.as_f64(), right.as_f64()) {
            (Some(left), Some(right)) => close(left, right, *relative, *absolute),
            (left, right) => left.is_none() && right.is_none(),
        },
    })
}

fn close(left: f64, right: f64, relative: f64, absolute: f64) -> bool {
    if left == right || (left.is_nan() && right.is_nan()) {
        return true;
    }
    let tolerance = absolute.max(relative * left.abs().max(right.abs()));
    left.is_finite() && right.is_finite() && (left - right).abs() <= tolerance
}

fn unexpected(row: &Row) -> String {
    format!("row {} is not expected", shown(row))
}

fn missing(row: &Row) -> String {
    format!("row {} is missing", shown(row))
}

fn shown(row: &Row) -> String {
    let text = row.iter().map(Value::to_string).collect::<Vec<_>>().join(", ");
    match text.char_indices().nth(MESSAGE_ROW_LENGTH) {
        Some((end, _)) => format!("({}…)", &text[..end]),
        None => format!("({text})"),
    }
}

#[cfg(test)]
mod tests;
