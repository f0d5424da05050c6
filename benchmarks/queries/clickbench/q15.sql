-- Q15, search engines and phrases with the most rows. Columns after the first in the order are added, for ties.
select
    "SearchEngineID",
    "SearchPhrase",
    count(*) as c
from hits
where "SearchPhrase" <> ''
group by "SearchEngineID", "SearchPhrase"
order by c desc, "SearchEngineID", "SearchPhrase"
limit 10;
