update custom_parameter set definition = $2 where parameter = $1
