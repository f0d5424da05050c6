-- Q35, addresses with the most rows, and a constant. Columns after the first in the order are added, for ties.
select
    1,
    "URL",
    count(*) as c
from hits
group by 1, "URL"
order by c desc, "URL"
limit 10;
