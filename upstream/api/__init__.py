"""The HTTP interface for customers' programs, below `/api/v1/`: JSON, a token for each program, one customer's rows."""
