//! Values of arguments that clap has no parser for.

use std::collections::BTreeSet;

use bytesize::ByteSize;

/// `key=value`; the value may be empty and may hold more `=`.
pub(super) fn key_value(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((key, value)) if !key.trim().is_empty() => Ok((key.trim().to_string(), value.to_string())),
        _ => Err("expected KEY=VALUE".to_string()),
    }
}

/// The queries of a benchmark, in ascending order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct QueryList(pub(crate) Vec<u8>);

/// The benchmark with the most queries has so many.
const LAST_QUERY: u8 = 99;

/// Numbers from 1 and ranges of them: `1,3-5`. Which of them the benchmark has is for the benchmark to say.
pub(super) fn query_list(text: &str) -> Result<QueryList, String> {
    let number = |text: &str| match text.trim().parse::<u8>() {
        Ok(number) if (1..=LAST_QUERY).contains(&number) => Ok(number),
        _ => Err(format!("\"{}\" is not the number of a query", text.trim())),
    };
    let mut numbers = BTreeSet::new();
    for part in text.split(',') {
        match part.split_once('-') {
            None => {
                numbers.insert(number(part)?);
            }
            Some((first, last)) => {
                let (first, last) = (number(first)?, number(last)?);
                if first > last {
                    return Err(format!("the range {first}-{last} is empty"));
                }
                numbers.extend(first..=last);
            }
        }
    }
    Ok(QueryList(numbers.into_iter().collect()))
}

/// A number above zero, such as a scale factor.
pub(super) fn positive(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(number) if number.is_finite() && number > 0.0 => Ok(number),
        _ => Err("expected a number above 0".to_string()),
    }
}

/// How much memory a benchmark's queries may use.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum MemoryLimit {
    Bytes(u64),
    /// Of what the query takes without a limit; above 0.
    Share(f64),
}

/// A size such as `4GiB`, or a share such as `5%`.
pub(super) fn memory(text: &str) -> Result<MemoryLimit, String> {
    if let Some(percent) = text.trim().strip_suffix('%') {
        return Ok(MemoryLimit::Share(positive(percent.trim())? / 100.0));
    }
    match text.trim().parse::<ByteSize>() {
        Ok(size) if size.as_u64() > 0 => Ok(MemoryLimit::Bytes(size.as_u64())),
        _ => Err("expected a size such as 4GiB, or a share such as 5%".to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_setting_is_cut_at_its_first_equals_sign() {
        assert_eq!(key_value("a.b=c=d"), Ok(("a.b".into(), "c=d".into())));
        assert_eq!(key_value("a="), Ok(("a".into(), String::new())));
        assert!(key_value("a").is_err());
        assert!(key_value("=b").is_err());
    }

    #[test]
    fn queries_are_numbers_and_ranges() {
        assert_eq!(query_list("5,1,3-4,4"), Ok(QueryList(vec![1, 3, 4, 5])));
        assert_eq!(query_list("99"), Ok(QueryList(vec![99])));
        for wrong in ["", "0", "100", "5-3", "1,,2", "a", "1-", "300"] {
            assert!(query_list(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn memory_is_a_size_or_a_share() {
        assert_eq!(memory("1.5GiB"), Ok(MemoryLimit::Bytes(3 << 29)));
        assert_eq!(memory("25 %"), Ok(MemoryLimit::Share(0.25)));
        for wrong in ["", "0", "0%", "-5%", "much"] {
            assert!(memory(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_scale_is_above_zero() {
        assert_eq!(positive("0.01"), Ok(0.01));
        for wrong in ["0", "-1", "nan", "inf", "x"] {
            assert!(positive(wrong).is_err(), "{wrong}");
        }
    }
}
