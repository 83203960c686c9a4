"""Ten labs: what breaks in a naive pair of services, and what this project does instead."""
