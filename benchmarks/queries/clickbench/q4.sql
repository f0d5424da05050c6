-- Q4, average of a large number.
select avg("UserID") from hits;
