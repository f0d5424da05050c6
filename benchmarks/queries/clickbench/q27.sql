-- Q27, first search phrases by time and text.
select "SearchPhrase"
from hits
where "SearchPhrase" <> ''
order by "EventTime", "SearchPhrase"
limit 10;
