-- Q14, search phrases with the most users. Columns after the first in the order are added, for ties.
select
    "SearchPhrase",
    count(distinct "UserID") as u
from hits
where "SearchPhrase" <> ''
group by "SearchPhrase"
order by u desc, "SearchPhrase"
limit 10;
