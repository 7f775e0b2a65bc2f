"""The audit log: who changed, paired or was shown what, from where, and how it went."""
