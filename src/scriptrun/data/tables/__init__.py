"""Tables: reading, writing and querying the files of tabular datasets."""
