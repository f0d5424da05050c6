-- Q24, all columns of the first rows with such an address. "WatchID" in the order is added, for ties.
select *
from hits
where "URL" like '%google%'
order by "EventTime", "WatchID"
limit 10;
