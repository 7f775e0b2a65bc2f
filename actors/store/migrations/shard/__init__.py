"""Schema revisions of the shard database."""
