-- Q32, page views with the most searches; nearly every group is one row. Columns after the first in the order are
-- added, for ties.
select
    "WatchID",
    "ClientIP",
    count(*) as c,
    sum("IsRefresh"),
    avg("ResolutionWidth")
from hits
where "SearchPhrase" <> ''
group by "WatchID", "ClientIP"
order by c desc, "WatchID", "ClientIP"
limit 10;
