-- Q23, search phrases that led to titles that hold a word. Columns after the first in the order are added, for ties.
select
    "SearchPhrase",
    min("URL"),
    min("Title"),
    count(*) as c,
    count(distinct "UserID")
from hits
where "Title" like '%Google%'
  and "URL" not like '%.google.%'
  and "SearchPhrase" <> ''
group by "SearchPhrase"
order by c desc, "SearchPhrase"
limit 10;
