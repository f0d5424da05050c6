-- Q11, phone models with the most users. Columns after the first in the order are added, for ties.
select
    "MobilePhoneModel",
    count(distinct "UserID") as u
from hits
where "MobilePhoneModel" <> ''
group by "MobilePhoneModel"
order by u desc, "MobilePhoneModel"
limit 10;
