-- Q22, search phrases that led to such addresses. Columns after the first in the order are added, for ties.
select
    "SearchPhrase",
    min("URL"),
    count(*) as c
from hits
where "URL" like '%google%'
  and "SearchPhrase" <> ''
group by "SearchPhrase"
order by c desc, "SearchPhrase"
limit 10;
