"""Backups of the databases, made while everything runs, and putting them back without older keys over newer ones."""
