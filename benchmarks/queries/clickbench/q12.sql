-- Q12, phones and their models with the most users. Columns after the first in the order are added, for ties.
select
    "MobilePhone",
    "MobilePhoneModel",
    count(distinct "UserID") as u
from hits
where "MobilePhoneModel" <> ''
group by "MobilePhone", "MobilePhoneModel"
order by u desc, "MobilePhone", "MobilePhoneModel"
limit 10;
