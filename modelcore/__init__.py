"""The work of mindrail as a plain library.

Each package is one noun of the field. Nothing here knows Prefect, and nothing here reads
configuration files but `modelcore.config`: every function takes what it needs as arguments.
"""
