"""What happened, as bytes: the kinds of record, how they are read, and how they are kept small."""
