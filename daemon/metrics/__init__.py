"""What Prometheus sees: one table of names, and the exporter that works from it."""
