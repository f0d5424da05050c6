//! TPC-H: its tables, and its 22 queries with the validation parameters of the specification.

mod tables;

use sluice::Result;

use crate::sql::{Query, query_texts};

pub(crate) use self::tables::files;

/// Q11's parameter at scale 1; the specification divides it by the scale factor.
const Q11_FRACTION: f64 = 0.0001;
const Q11_FRACTION_TEXT: &str = "0.0001000000";

const TEXTS: [&str; 22] = query_texts!("tpch": 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22);

/// Number of queries.
pub(crate) const COUNT: u8 = TEXTS.len() as u8;

/// The query of that number for data of that scale, or nothing where there is none.
pub(crate) fn query(number: u8, scale: f64) -> Option<Result<Query>> {
    let text = TEXTS.get(usize::from(number).checked_sub(1)?)?;
    let text = match number {
        11 => text.replace(Q11_FRACTION_TEXT, &format!("{:.10}", Q11_FRACTION / scale)),
        _ => (*text).to_owned(),
    };
    Some(Query::parse(number, &text))
}

#[cfg(test)]
mod tests {
    use super::{COUNT, query};

    #[test]
    fn every_query_is_one_select_and_only_q15_needs_a_view() {
        for number in 1..=COUNT {
            let query = query(number, 1.0).unwrap().unwrap();
            let others = if number == 15 { 1 } else { 0 };
            assert_eq!((query.setup.len(), query.cleanup.len()), (others, others), "Q{number}");
            assert!(!query.select.contains("--"), "Q{number}");
        }
        let view = query(15, 1.0).unwrap().unwrap();
        assert!(view.setup[0].starts_with("create view revenue0") && view.cleanup[0] == "drop view revenue0");
    }

    #[test]
    fn q11_takes_its_fraction_from_the_scale() {
        let fraction = |scale| {
            let select = query(11, scale).unwrap().unwrap().select;
            let (_, after) = select.split_once("ps_availqty) * ").unwrap();
            after.split_whitespace().next().unwrap().to_owned()
        };
        assert_eq!(fraction(1.0), "0.0001000000");
        assert_eq!(fraction(0.01), "0.0100000000");
        assert_eq!(fraction(1000.0), "0.0000001000");
    }

    #[test]
    fn other_numbers_are_none() {
        assert!(query(0, 1.0).is_none() && query(23, 1.0).is_none());
    }
}
