"""The comparison of both services over HTTP, while both are in use."""
