"""Dashboards as code; of the rest of the project they may know the metric table alone."""
