-- Q25, first search phrases by time. The phrase in the order is added, for ties, and makes it Q27.
select "SearchPhrase"
from hits
where "SearchPhrase" <> ''
order by "EventTime", "SearchPhrase"
limit 10;
