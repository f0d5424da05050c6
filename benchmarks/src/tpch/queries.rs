//! The 22 queries with the validation parameters of the specification, as statements to run one after another.

use sluice::{Error, ErrorCode, Result};

/// Number of queries.
pub(crate) const COUNT: u8 = 22;

/// Q11's parameter at scale 1; the specification divides it by the scale factor.
const Q11_FRACTION: f64 = 0.0001;
const Q11_FRACTION_TEXT: &str = "0.0001000000";

const TEXTS: [&str; COUNT as usize] = [
    include_str!("../../queries/tpch/q1.sql"),
    include_str!("../../queries/tpch/q2.sql"),
    include_str!("../../queries/tpch/q3.sql"),
    include_str!("../../queries/tpch/q4.sql"),
    include_str!("../../queries/tpch/q5.sql"),
    include_str!("../../queries/tpch/q6.sql"),
    include_str!("../../queries/tpch/q7.sql"),
    include_str!("../../queries/tpch/q8.sql"),
    include_str!("../../queries/tpch/q9.sql"),
    include_str!("../../queries/tpch/q10.sql"),
    include_str!("../../queries/tpch/q11.sql"),
    include_str!("../../queries/tpch/q12.sql"),
    include_str!("../../queries/tpch/q13.sql"),
    include_str!("../../queries/tpch/q14.sql"),
    include_str!("../../queries/tpch/q15.sql"),
    include_str!("../../queries/tpch/q16.sql"),
    include_str!("../../queries/tpch/q17.sql"),
    include_str!("../../queries/tpch/q18.sql"),
    include_str!("../../queries/tpch/q19.sql"),
    include_str!("../../queries/tpch/q20.sql"),
    include_str!("../../queries/tpch/q21.sql"),
    include_str!("../../queries/tpch/q22.sql"),
];

/// A query: what has to stand before it, the one statement that gives rows, and what takes the former away again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Query {
    pub(crate) number: u8,
    pub(crate) setup: Vec<String>,
    pub(crate) select: String,
    pub(crate) cleanup: Vec<String>,
}

/// The query of that number for data of that scale.
pub(crate) fn query(number: u8, scale: f64) -> Result<Query> {
    let unknown = || {
        Error::new(ErrorCode::InvalidArgument, format!("TPC-H has no query {number}"))
            .hint("its queries are numbered 1 to 22")
    };
    let text = TEXTS.get(usize::from(number).wrapping_sub(1)).ok_or_else(unknown)?;
    let text = match number {
        11 => text.replace(Q11_FRACTION_TEXT, &format!("{:.10}", Q11_FRACTION / scale)),
        _ => (*text).to_owned(),
    };
    let mut statements = statements(&text);
    let select = statements.iter().position(|statement| statement.starts_with("select")).ok_or_else(unknown)?;
    let cleanup = statements.split_off(select + 1);
    let select = statements.pop().ok_or_else(unknown)?;
    Ok(Query { number, setup: statements, select, cleanup })
}

/// The statements of a file, without its comments. No literal of these queries holds a semicolon or two dashes.
fn statements(text: &str) -> Vec<String> {
    let lines: Vec<&str> = text.lines().filter(|line| !line.trim_start().starts_with("--")).collect();
    lines.join("\n").split(';').map(str::trim).filter(|part| !part.is_empty()).map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::{COUNT, query};

    #[test]
    fn every_query_is_one_select_and_only_q15_needs_a_view() {
        for number in 1..=COUNT {
            let query = query(number, 1.0).unwrap();
            let others = if number == 15 { 1 } else { 0 };
            assert_eq!((query.setup.len(), query.cleanup.len()), (others, others), "Q{number}");
            assert!(!query.select.contains("--"), "Q{number}");
        }
        let view = query(15, 1.0).unwrap();
        assert!(view.setup[0].starts_with("create view revenue0") && view.cleanup[0] == "drop view revenue0");
    }

    #[test]
    fn q11_takes_its_fraction_from_the_scale() {
        let fraction = |scale| {
            let select = query(11, scale).unwrap().select;
            let (_, after) = select.split_once("ps_availqty) * ").unwrap();
            after.split_whitespace().next().unwrap().to_owned()
        };
        assert_eq!(fraction(1.0), "0.0001000000");
        assert_eq!(fraction(0.01), "0.0100000000");
        assert_eq!(fraction(1000.0), "0.0000001000");
    }

    #[test]
    fn other_numbers_are_refused() {
        assert!(query(0, 1.0).is_err() && query(23, 1.0).is_err());
    }
}
