-- Q26, first search phrases by text.
select "SearchPhrase"
from hits
where "SearchPhrase" <> ''
order by "SearchPhrase"
limit 10;
