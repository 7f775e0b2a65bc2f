"""Schema revisions of the vault database."""
