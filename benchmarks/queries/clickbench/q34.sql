-- Q34, addresses with the most rows. Columns after the first in the order are added, for ties.
select
    "URL",
    count(*) as c
from hits
group by "URL"
order by c desc, "URL"
limit 10;
