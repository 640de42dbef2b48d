"""Dashboards and alerts of CloudWatch, Grafana and Prometheus, written from one list of figures."""
