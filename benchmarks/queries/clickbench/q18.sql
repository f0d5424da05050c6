-- Q18, some users and search phrases. The order is added; any ten groups would do for the published one.
select
    "UserID",
    "SearchPhrase",
    count(*)
from hits
group by "UserID", "SearchPhrase"
order by "UserID", "SearchPhrase"
limit 10;
