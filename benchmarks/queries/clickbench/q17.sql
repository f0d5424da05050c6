-- Q17, users and search phrases with the most rows. Columns after the first in the order are added, for ties.
select
    "UserID",
    "SearchPhrase",
    count(*)
from hits
group by "UserID", "SearchPhrase"
order by count(*) desc, "UserID", "SearchPhrase"
limit 10;
