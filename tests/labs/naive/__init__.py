"""Services as one writes them first: short, readable, and wrong under a fault."""
