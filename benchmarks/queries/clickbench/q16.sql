-- Q16, users with the most rows. Columns after the first in the order are added, for ties.
select
    "UserID",
    count(*)
from hits
group by "UserID"
order by count(*) desc, "UserID"
limit 10;
