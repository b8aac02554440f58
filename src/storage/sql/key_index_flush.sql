select flush_key_index()
