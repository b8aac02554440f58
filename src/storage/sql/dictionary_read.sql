select dictionary, content from body_dictionary
