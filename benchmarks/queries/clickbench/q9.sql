-- Q9, regions with the most users. Columns after the first in the order are added, for ties.
select
    "RegionID",
    count(distinct "UserID") as u
from hits
group by "RegionID"
order by u desc, "RegionID"
limit 10;
