"""The connector host: the actor that owns one connector process and writes its shard's database."""
