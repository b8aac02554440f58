insert into detail_key (month, sealed) values ($1, $2)
