-- Q36, network addresses with the most rows, and what depends on them. Columns after the first in the order are added,
-- for ties.
select
    "ClientIP",
    "ClientIP" - 1,
    "ClientIP" - 2,
    "ClientIP" - 3,
    count(*) as c
from hits
group by "ClientIP", "ClientIP" - 1, "ClientIP" - 2, "ClientIP" - 3
order by c desc, "ClientIP"
limit 10;
