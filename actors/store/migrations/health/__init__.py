"""Schema revisions of the health database."""
