"""The ten labs, one in each module, in the order of their numbers."""
