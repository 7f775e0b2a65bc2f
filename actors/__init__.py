"""The supervised system: a folder an actor, pure decisions beside a thin ``actor.py``."""
