-- Q1, rows.
select count(*) from hits;
