-- Q36, gross margin of store sales by category and class, rolled up and ranked within the parent.
-- Ordered by more columns, so that the limit is determined.
select
    (sum(ss_net_profit) * 1.0000) / sum(ss_ext_sales_price) as gross_margin,
    i_category,
    i_class,
    grouping(i_category) + grouping(i_class) as lochierarchy,
    rank() over (
        partition by grouping(i_category) + grouping(i_class), case when grouping(i_class) = 0 then i_category end
        order by (sum(ss_net_profit) * 1.0000) / sum(ss_ext_sales_price)
    ) as rank_within_parent
from store_sales, date_dim d1, item, store
where d1.d_year = 2001
  and d1.d_date_sk = ss_sold_date_sk
  and i_item_sk = ss_item_sk
  and s_store_sk = ss_store_sk
  and s_state in ('TN')
group by rollup (i_category, i_class)
order by
    lochierarchy desc, case when grouping(i_category) + grouping(i_class) = 0 then i_category end nulls first,
    rank_within_parent, i_category nulls first, i_class nulls first, gross_margin nulls first
limit 100;
