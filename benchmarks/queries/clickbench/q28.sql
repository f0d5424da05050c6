-- Q28, length of addresses in large counters; the length counts characters. Columns after the first in the order are
-- added, for ties.
select
    "CounterID",
    avg(length("URL")) as l,
    count(*) as c
from hits
where "URL" <> ''
group by "CounterID"
having count(*) > 100000
order by l desc, "CounterID"
limit 25;
