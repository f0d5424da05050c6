-- Q19, users, minutes and search phrases with the most rows. Columns after the first in the order are added, for ties.
select
    "UserID",
    extract(minute from "EventTime") as m,
    "SearchPhrase",
    count(*)
from hits
group by "UserID", m, "SearchPhrase"
order by count(*) desc, "UserID", m, "SearchPhrase"
limit 10;
