"""What follows from the catalogue: the operators' page, the dashboards, the business metrics' tests, checked PromQL.

For the development of this project: `promql`, `dashboards` and `metric_tests` need the extra `dev`.
"""
