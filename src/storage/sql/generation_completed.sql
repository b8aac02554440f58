update index_generation set complete = $1 where complete < $1
