-- Q3, sums and averages of small numbers.
select
    sum("AdvEngineID"),
    count(*),
    avg("ResolutionWidth")
from hits;
