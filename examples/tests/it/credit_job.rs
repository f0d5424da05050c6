//! The binning of the German credit data, against counts of its documentation and values worked out here.

use std::path::Path;

use crate::script::{integers, run, statements};
use crate::shop_job::scratch;

#[tokio::test]
async fn bins_have_the_published_counts() {
    let out = scratch("credit");
    let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("credit/germancredit.csv");
    let variables = [("data", data.to_str().unwrap()), ("out", out.to_str().unwrap())];
    let context = run(statements("credit/job.sql", &variables), 3).await;

    assert_eq!(integers(&context, "SELECT COUNT(*), SUM(is_bad) FROM credit_clean").await, [1000, 300]);
    // 20 variables; each row of the data lies in one bin of each.
    let sums = "SELECT COUNT(DISTINCT variable), SUM(loans), SUM(good), SUM(bad) FROM credit_bins";
    assert_eq!(integers(&context, sums).await, [20, 20_000, 14_000, 6_000]);

    // Good and bad loans by checking account (Statlog German credit, attribute 1).
    let accounts = [(139.0, 135.0), (164.0, 105.0), (49.0, 14.0), (348.0, 46.0)];
    let iv: f64 = accounts.iter().map(|(good, bad)| (bad / 300.0 - good / 700.0) * iv_logarithm(*good, *bad)).sum();
    let sql = "SELECT CAST(SUM(iv) * 1000000 AS BIGINT) FROM credit_bins WHERE variable = 'checking_account'";
    let micros = integers(&context, sql).await[0] as f64;
    assert!((micros - iv * 1e6).abs() <= 2.0, "{micros} is not {}", iv * 1e6);

    // The range of ages is 19 to 75, in steps of 11.2.
    let ages = "SELECT SUM(CASE WHEN bin LIKE '[63.8, 75.0]' THEN loans END), COUNT(*) FROM credit_bins WHERE variable = 'age_years'";
    let text = std::fs::read_to_string(&data).unwrap();
    assert_eq!(integers(&context, ages).await, [old_borrowers(&text), 5]);
}

fn iv_logarithm(good: f64, bad: f64) -> f64 {
    ((bad / 300.0) / (good / 700.0)).ln()
}

/// Borrowers of 64 years or more. Fields may be quoted and hold commas, none holds a quote.
fn old_borrowers(csv: &str) -> i64 {
    let age = |line: &str| {
        let mut fields = vec![String::new()];
        let mut quoted = false;
        for character in line.chars() {
            match character {
                '"' => quoted = !quoted,
                ',' if !quoted => fields.push(String::new()),
                other => fields.last_mut().unwrap().push(other),
            }
        }
        fields[12].parse::<i64>().unwrap()
    };
    csv.lines().skip(1).filter(|line| age(line) >= 64).count() as i64
}
