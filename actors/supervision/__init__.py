"""Supervision trees: a pure restart decision, and the actor that carries it out."""
