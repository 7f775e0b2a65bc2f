"""Schema revisions of the api database."""
