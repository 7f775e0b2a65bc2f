"""What an operator writes: schema, loading, defaults, examples. Imports no other package of the project."""
