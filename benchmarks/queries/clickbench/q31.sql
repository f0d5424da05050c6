-- Q31, search engines and network addresses with the most searches. Columns after the first in the order are added,
-- for ties.
select
    "SearchEngineID",
    "ClientIP",
    count(*) as c,
    sum("IsRefresh"),
    avg("ResolutionWidth")
from hits
where "SearchPhrase" <> ''
group by "SearchEngineID", "ClientIP"
order by c desc, "SearchEngineID", "ClientIP"
limit 10;
