update signing_key set sealed = $2 where kid = $1 and sealed is not null
