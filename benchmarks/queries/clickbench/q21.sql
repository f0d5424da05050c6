-- Q21, addresses that hold a word.
select count(*)
from hits
where "URL" like '%google%';
