"""Schema revisions of the recovery database."""
