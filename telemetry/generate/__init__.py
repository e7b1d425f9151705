"""Projections of the catalogue on paper: the operators' page, the dashboards, and the check of every PromQL in them.

For the development of this project: `promql` and `dashboards` need the extra `dev`.
"""
