"""Receivers that answer in every way that backends, proxies, and what is none of both ever did."""
