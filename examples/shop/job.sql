-- The shop's nightly job: raw behaviour log in, sessions and features out.
--
-- Variables: data (folder written by shop-data) and out (folder for the results, empty or absent).
-- Every window has a total order and every sum is of integers or decimals, so the rows of each output are the same on
-- any number of machines. Times are kept without a zone, as the log has them.

DROP TABLE IF EXISTS shop_events;
CREATE EXTERNAL TABLE shop_events STORED AS PARQUET LOCATION '${data}/events/';
DROP TABLE IF EXISTS shop_users;
CREATE EXTERNAL TABLE shop_users STORED AS PARQUET LOCATION '${data}/users/';
DROP TABLE IF EXISTS shop_items;
CREATE EXTERNAL TABLE shop_items STORED AS PARQUET LOCATION '${data}/items/';
DROP TABLE IF EXISTS shop_orders;
CREATE EXTERNAL TABLE shop_orders STORED AS PARQUET LOCATION '${data}/orders/';
DROP TABLE IF EXISTS shop_customer;
CREATE EXTERNAL TABLE shop_customer STORED AS PARQUET LOCATION '${data}/customer/';

-- Clean, deduplicate and cut into sessions. A clock that is wrong by more than a year, an unknown behaviour or a null
-- drops the row; a missing category comes from the item, and is -1 where the item is unknown too. A retransmitted row
-- counts once. A pause of more than 30 minutes starts a new session.
COPY (
  WITH typed AS (
    SELECT
      e.user_id,
      e.item_id,
      COALESCE(e.category_id, i.category_id, -1) AS category_id,
      LOWER(TRIM(e.behavior)) AS behavior,
      e.ts
    FROM shop_events AS e
    LEFT JOIN shop_items AS i ON i.item_id = e.item_id
    WHERE e.ts >= TIMESTAMP '2017-11-25 00:00:00' AND e.ts < TIMESTAMP '2018-11-25 00:00:00'
  ),
  numbered AS (
    SELECT
      *,
      ROW_NUMBER() OVER (PARTITION BY user_id, item_id, behavior, ts ORDER BY category_id DESC) AS copy_number
    FROM typed
    WHERE behavior IN ('pv', 'cart', 'fav', 'buy')
  ),
  paused AS (
    SELECT
      user_id,
      item_id,
      category_id,
      behavior,
      ts,
      LAG(ts) OVER (PARTITION BY user_id ORDER BY ts, item_id, behavior) AS previous_ts
    FROM numbered
    WHERE copy_number = 1
  )
  SELECT
    user_id,
    SUM(CASE WHEN ts <= previous_ts + INTERVAL '30 minutes' THEN 0 ELSE 1 END) OVER (
      PARTITION BY user_id ORDER BY ts, item_id, behavior ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW
    ) AS session_number,
    item_id,
    category_id,
    behavior,
    ts,
    CAST(CAST(ts AS DATE) AS VARCHAR) AS dt
  FROM paused
) TO '${out}/events/' STORED AS PARQUET PARTITIONED BY (dt);

DROP TABLE IF EXISTS shop_clean_events;
CREATE EXTERNAL TABLE shop_clean_events STORED AS PARQUET PARTITIONED BY (dt) LOCATION '${out}/events/';

-- One row for each session, by the day on which it started.
COPY (
  WITH sessions AS (
    SELECT
      e.user_id,
      e.session_number,
      MIN(e.ts) AS started_at,
      MAX(e.ts) AS ended_at,
      COUNT(*) AS events,
      SUM(CASE WHEN e.behavior = 'pv' THEN 1 ELSE 0 END) AS views,
      SUM(CASE WHEN e.behavior = 'cart' THEN 1 ELSE 0 END) AS carts,
      SUM(CASE WHEN e.behavior = 'fav' THEN 1 ELSE 0 END) AS favourites,
      SUM(CASE WHEN e.behavior = 'buy' THEN 1 ELSE 0 END) AS purchases,
      COUNT(DISTINCT e.item_id) AS items,
      COUNT(DISTINCT e.category_id) AS categories,
      COALESCE(SUM(CASE WHEN e.behavior = 'buy' THEN i.price END), 0) AS revenue
    FROM shop_clean_events AS e
    LEFT JOIN shop_items AS i ON i.item_id = e.item_id
    GROUP BY e.user_id, e.session_number
  )
  SELECT
    *,
    TO_UNIXTIME(ended_at) - TO_UNIXTIME(started_at) AS duration_seconds,
    CAST(CAST(started_at AS DATE) AS VARCHAR) AS dt
  FROM sessions
) TO '${out}/sessions/' STORED AS PARQUET PARTITIONED BY (dt);

DROP TABLE IF EXISTS shop_sessions;
CREATE EXTERNAL TABLE shop_sessions STORED AS PARQUET PARTITIONED BY (dt) LOCATION '${out}/sessions/';

-- One row for each user seen: what they did here, what is known of them, and what they ordered before.
COPY (
  WITH activity AS (
    SELECT
      user_id,
      COUNT(*) AS events,
      SUM(CASE WHEN behavior = 'pv' THEN 1 ELSE 0 END) AS views,
      SUM(CASE WHEN behavior = 'cart' THEN 1 ELSE 0 END) AS carts,
      SUM(CASE WHEN behavior = 'fav' THEN 1 ELSE 0 END) AS favourites,
      SUM(CASE WHEN behavior = 'buy' THEN 1 ELSE 0 END) AS purchases,
      COUNT(DISTINCT CAST(ts AS DATE)) AS active_days,
      COUNT(DISTINCT item_id) AS items,
      COUNT(DISTINCT category_id) AS categories,
      MAX(ts) AS last_ts
    FROM shop_clean_events
    GROUP BY user_id
  ),
  visits AS (
    SELECT
      user_id,
      COUNT(*) AS sessions,
      SUM(duration_seconds) AS session_seconds,
      MAX(events) AS longest_session_events,
      SUM(revenue) AS revenue
    FROM shop_sessions
    GROUP BY user_id
  ),
  category_counts AS (
    SELECT user_id, category_id, COUNT(*) AS events
    FROM shop_clean_events
    WHERE category_id >= 0
    GROUP BY user_id, category_id
  ),
  favourite_category AS (
    SELECT
      user_id,
      category_id,
      ROW_NUMBER() OVER (PARTITION BY user_id ORDER BY events DESC, category_id) AS position
    FROM category_counts
  ),
  order_history AS (
    SELECT
      o_custkey,
      COUNT(*) AS orders,
      SUM(o_totalprice) AS order_value,
      MAX(o_orderdate) AS last_order_on
    FROM shop_orders
    GROUP BY o_custkey
  ),
  log_end AS (
    SELECT MAX(ts) AS last_ts FROM shop_clean_events
  )
  SELECT
    a.user_id,
    u.age_band,
    u.city_tier,
    c.c_mktsegment AS segment,
    a.events,
    a.views,
    a.carts,
    a.favourites,
    a.purchases,
    a.active_days,
    a.items,
    a.categories,
    v.sessions,
    v.session_seconds / v.sessions AS mean_session_seconds,
    v.longest_session_events,
    v.revenue,
    CASE WHEN a.views > 0 THEN a.purchases * 10000 / a.views END AS purchases_per_10000_views,
    (TO_UNIXTIME(l.last_ts) - TO_UNIXTIME(a.last_ts)) / 3600 AS idle_hours,
    f.category_id AS favourite_category_id,
    COALESCE(o.orders, 0) AS orders,
    COALESCE(o.order_value, 0) AS order_value,
    o.last_order_on,
    c.c_acctbal AS account_balance
  FROM activity AS a
  JOIN visits AS v ON v.user_id = a.user_id
  CROSS JOIN log_end AS l
  LEFT JOIN favourite_category AS f ON f.user_id = a.user_id AND f.position = 1
  LEFT JOIN shop_users AS u ON u.user_id = a.user_id
  LEFT JOIN shop_customer AS c ON c.c_custkey = a.user_id
  LEFT JOIN order_history AS o ON o.o_custkey = a.user_id
) TO '${out}/user_features/' STORED AS PARQUET;

DROP TABLE IF EXISTS shop_user_features;
CREATE EXTERNAL TABLE shop_user_features STORED AS PARQUET LOCATION '${out}/user_features/';

-- The funnel of each category and day, its rank in the day, and its revenue to date.
COPY (
  WITH funnel AS (
    SELECT
      CAST(e.ts AS DATE) AS day,
      e.category_id,
      COUNT(DISTINCT CASE WHEN e.behavior = 'pv' THEN e.user_id END) AS viewing_users,
      COUNT(DISTINCT CASE WHEN e.behavior IN ('cart', 'fav') THEN e.user_id END) AS interested_users,
      COUNT(DISTINCT CASE WHEN e.behavior = 'buy' THEN e.user_id END) AS buying_users,
      SUM(CASE WHEN e.behavior = 'pv' THEN 1 ELSE 0 END) AS views,
      SUM(CASE WHEN e.behavior = 'buy' THEN 1 ELSE 0 END) AS purchases,
      COALESCE(SUM(CASE WHEN e.behavior = 'buy' THEN i.price END), 0) AS revenue
    FROM shop_clean_events AS e
    LEFT JOIN shop_items AS i ON i.item_id = e.item_id
    GROUP BY CAST(e.ts AS DATE), e.category_id
  )
  SELECT
    *,
    RANK() OVER (PARTITION BY day ORDER BY revenue DESC) AS revenue_rank,
    SUM(revenue) OVER (
      PARTITION BY category_id ORDER BY day ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW
    ) AS revenue_to_date
  FROM funnel
) TO '${out}/category_daily/' STORED AS PARQUET;

DROP TABLE IF EXISTS shop_category_daily;
CREATE EXTERNAL TABLE shop_category_daily STORED AS PARQUET LOCATION '${out}/category_daily/';

-- Popularity of the items: overall and within the category.
COPY (
  WITH counts AS (
    SELECT
      item_id,
      MAX(category_id) AS category_id,
      COUNT(*) AS events,
      COUNT(DISTINCT user_id) AS users,
      SUM(CASE WHEN behavior = 'buy' THEN 1 ELSE 0 END) AS purchases
    FROM shop_clean_events
    GROUP BY item_id
  )
  SELECT
    n.item_id,
    n.category_id,
    COALESCE(i.title, 'item ' || CAST(n.item_id AS VARCHAR)) AS title,
    i.price,
    n.events,
    n.users,
    n.purchases,
    RANK() OVER (ORDER BY n.events DESC) AS overall_rank,
    ROW_NUMBER() OVER (PARTITION BY n.category_id ORDER BY n.events DESC, n.item_id) AS category_position
  FROM counts AS n
  LEFT JOIN shop_items AS i ON i.item_id = n.item_id
) TO '${out}/item_popularity/' STORED AS PARQUET;

DROP TABLE IF EXISTS shop_item_popularity;
CREATE EXTERNAL TABLE shop_item_popularity STORED AS PARQUET LOCATION '${out}/item_popularity/';

-- Summary of what was written.
SELECT
  COUNT(*) AS clean_events,
  COUNT(DISTINCT user_id) AS users,
  COUNT(DISTINCT item_id) AS items,
  MIN(ts) AS first_ts,
  MAX(ts) AS last_ts
FROM shop_clean_events;

SELECT
  dt,
  COUNT(*) AS sessions,
  SUM(events) AS events,
  SUM(purchases) AS purchases,
  SUM(duration_seconds) / COUNT(*) AS mean_seconds,
  SUM(revenue) AS revenue
FROM shop_sessions
GROUP BY dt
ORDER BY dt;

SELECT
  COUNT(*) AS user_features,
  SUM(sessions) AS sessions,
  SUM(purchases) AS purchases,
  SUM(revenue) AS revenue,
  SUM(orders) AS orders,
  SUM(order_value) AS order_value
FROM shop_user_features;

SELECT
  COUNT(*) AS category_days,
  SUM(viewing_users) AS viewing_users,
  SUM(buying_users) AS buying_users,
  SUM(revenue) AS revenue
FROM shop_category_daily;

SELECT overall_rank, item_id, title, category_id, events, users, purchases
FROM shop_item_popularity
WHERE overall_rank <= 5
ORDER BY overall_rank, item_id;
