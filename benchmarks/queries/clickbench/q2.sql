-- Q2, rows of advertisements.
select count(*)
from hits
where "AdvEngineID" <> 0;
