"""A small shop, a Django project like others: whose watching is chosen by the environment."""
