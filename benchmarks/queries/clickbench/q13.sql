-- Q13, search phrases with the most rows. Columns after the first in the order are added, for ties.
select
    "SearchPhrase",
    count(*) as c
from hits
where "SearchPhrase" <> ''
group by "SearchPhrase"
order by c desc, "SearchPhrase"
limit 10;
