"""The number of the release, as both services show it at /health and in their OpenAPI descriptions."""

VERSION = "1.0.0"
