"""The support bundle: what somebody else needs to see, and nothing that they must not."""
