-- binds: the highest number of HL7's own; those of customers come after
select parameter, url from parameter where parameter <= $1 order by parameter
