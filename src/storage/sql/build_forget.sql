delete from custom_parameter where parameter = $1 and holder = $2 and state = 'retired'
