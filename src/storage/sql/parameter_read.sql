-- binds: the highest number that this server knows
select parameter, url from parameter where parameter <= $1 order by parameter
